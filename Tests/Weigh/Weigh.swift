import Cache
import Domain
import Foundation
import HTTPTypes
import Kernel
import Services

@testable import API

/// Reads one input of a kind and a size, or does one thing so many times, so that its cost can be weighed: instructions by callgrind, allocations
/// by a counter, memory by the system.
///
///     weigh KIND SIZE     prints the most memory the process held, in KiB
///
/// `scripts/lib/weigh` holds inputs of one size against ten times that size, and what is repeated against what it may cost.
@main
enum Weigh {
    static func main() throws {
        let words = CommandLine.arguments.dropFirst()
        let kinds = Repeated.works.merging(inputs) { work, _ in work }
        guard let kind = words.first, let work = kinds[kind], let size = words.dropFirst().first.flatMap({ Int($0) })
        else {
            print("usage: weigh KIND SIZE; kinds are \(kinds.keys.sorted().joined(separator: " "))")
            exit(64)
        }
        try work(size)
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        print(usage.ru_maxrss)
    }

    /// What is read, by name.
    ///
    /// Each is as bad as its kind gets: names that are all different, lists that are all commas.
    private static let inputs: [String: @Sendable (Int) throws -> Void] = [
        "json-members": { size in
            let members = (0..<size).map { #""m\#($0)":"\#($0)""# }.joined(separator: ",")
            readBody("{\(members)}")
        },
        "json-text": { size in
            let text = String(repeating: #"a\u00e9\n"#, count: size)
            readBody(#"{"name":"\#(text)"}"#)
        },
        "json-array": { size in
            let lines = repeatElement(#"{"sku":"A","quantity":"1"}"#, count: size).joined(separator: ",")
            readBody(#"{"lines":[\#(lines)]}"#)
        },
        "query": { size in
            var query = Query(Substring((0..<size).map { "p\($0)=%20" }.joined(separator: "&")))
            _ = query.text("q")
            try? query.finish()
        },
        "fields": { size in
            var fields = HTTPFields()
            for number in 0..<size {
                guard let name = HTTPField.Name("X-\(number)") else { continue }
                fields.append(HTTPField(name: name, value: "1"))
                fields.append(HTTPField(name: .cacheControl, value: "max-age=\(number)"))
                fields.append(HTTPField(name: .ifNoneMatch, value: "\"\(number)\""))
                fields.append(HTTPField(name: .acceptEncoding, value: "br;q=0.1"))
            }
            let read = RequestFields(fields)
            _ = (read.acceptsGzip, read.bypassesCache)
            _ = try? ExpectedVersion(ifMatch: read.ifNoneMatch ?? "")
        },
        "csv": { size in
            var parser = CSVParser()
            var fields = 0
            let row = Array("A-1,\"Hat, \"\"red\"\"\",3.00\r\n".utf8)
            for _ in 0..<size { parser.consume(row) { fields += $0.count } }
            parser.finish { fields += $0.count }
        },
        "csv-quoted": { size in
            var parser = CSVParser(limits: CSVLimits(recordBytes: .max / 2, fieldBytes: .max / 2))
            var fields = 0
            parser.consume(Array(("\"" + String(repeating: "\"\"\n", count: size) + "\"").utf8)) { fields += $0.count }
            parser.finish { fields += $0.count }
        },
        "times": { size in
            // A time at any size: what is refused costs what its sentence costs.
            let text = "2026-01-31T12:00:00.0" + String(repeating: "0", count: size) + "Z"
            _ = Timestamp(text)
            _ = TimeFormat.iso.parse(Array(text.utf8)[...])
        },
        "numbers": { size in
            let text = String(repeating: "1", count: size) + "." + String(repeating: "0", count: size)
            _ = try? Money(text)
            _ = try? NumberFormat().parse(Array(text.utf8)[...])
        },
    ]

    private static func readBody(_ text: String) {
        guard let value = try? JSONValue.parse(Array(text.utf8)) else { return }
        _ = value.canonicalBytes
        guard var reader = try? JSONObjectReader(body: value) else { return }
        _ = SaleRequest.read(&reader)
        try? reader.finish()
    }
}
