import Domain
import Foundation
import Kernel

/// What is done with bytes that a stranger chose: the parsers of files, for libFuzzer (`scripts/fuzz`).
///
/// What must not be - records that depend on the portions in which a file comes - ends the process, as a trap does.
enum FileFuzz {
    /// What is tried, by the name that `FUZZ_TARGET` has.
    static let targets: [String: @Sendable ([UInt8]) -> Void] = [
        "csv": { tryCSV($0) }, "ndjson": { tryNDJSON($0) }, "mapping": { tryMapping($0) },
    ]

    /// Every kind of file.
    private static let shapes: [ImportShape] = [
        .sales, .products, .categories, .units, .customers, .suppliers, .stock, .prices, .expenses, .payments,
        .purchases,
    ]

    /// Small ones, so that a file of some hundred bytes reaches them.
    private static let limits = CSVLimits(recordBytes: 512, fieldBytes: 64, columns: 24)

    /// The first two bytes say how the file is written, what kind it is, and where its first portion ends.
    private static func tryCSV(_ bytes: [UInt8]) {
        guard bytes.count > 2 else { return }
        let file = Array(bytes[2...])
        var mapping = ImportMapping()
        let delimiters = CSVDialect.Delimiter.allCases
        mapping.dialect.delimiter = delimiters[Int(bytes[0]) % delimiters.count]
        let encodings = TextEncoding.allCases
        mapping.encoding = encodings[Int(bytes[0] >> 2) % encodings.count]
        check(file, mapping, cut: Int(bytes[1]))
        read(file, mapping, as: shapes[Int(bytes[0] >> 4) % shapes.count])
        propose(file, shapes[Int(bytes[1]) % shapes.count])
    }

    private static func tryNDJSON(_ bytes: [UInt8]) {
        guard bytes.count > 2 else { return }
        let file = Array(bytes[2...])
        var mapping = ImportMapping()
        mapping.format = .ndjson
        check(file, mapping, cut: Int(bytes[1]))
        let shape = shapes[Int(bytes[0]) % shapes.count]
        read(file, mapping, as: shape)
        propose(file, shape)
    }

    /// A mapping, and what is read by it if it is one.
    private static func tryMapping(_ bytes: [UInt8]) {
        guard let json = try? JSONValue.parse(bytes), let mapping = try? ImportMapping(json) else { return }
        let file = """
            sale;sku,name\tquantity,unit_price;occurred_at,customer,price
            1;A-1,"Hat, ""red""\"\t-2,1.234,56;31/01/2026 08:26,Ñandú,€ 3.00
            {"sale":"1","sku":"A-1","quantity":1,"unit_price":2.5,"occurred_at":"2026-01-31T08:26:00Z"}

            """
        for shape in shapes {
            guard (try? mapping.validate(fields: shape.fields)) != nil else { continue }
            read(Array(file.utf8), mapping, as: shape)
            read(bytes, mapping, as: shape)
        }
    }

    /// Whether a file has the same records in one portion and in two.
    private static func check(_ file: [UInt8], _ mapping: ImportMapping, cut: Int) {
        let cut = min(cut, file.count)
        let whole = records([file], mapping)
        let parts = records([Array(file[..<cut]), Array(file[cut...])], mapping)
        precondition(whole == parts, "cut at \(cut) it has other records")
    }

    private static func records(_ portions: [[UInt8]], _ mapping: ImportMapping) -> [String] {
        var found: [String] = []
        func note(_ record: borrowing FileRecord) {
            var text = "\(record.line)"
            if let fault = record.fault {
                text += " \(fault)"
            } else {
                for column in 0..<record.count { text += " \(Array(record[column]))" }
            }
            found.append(text)
        }
        var transcoder = UTF16Transcoder(encoding: mapping.encoding)
        var parser = ImportParser(mapping, fields: ProductRowReader.fields, limits: limits)
        for portion in portions {
            guard let text = try? transcoder.decode(portion) else { return found }
            parser.consume(text) { note($0) }
        }
        parser.finish { note($0) }
        return found
    }

    private static func read(_ file: [UInt8], _ mapping: ImportMapping, as shape: ImportShape) {
        _ = try? shape.preview(8, of: file, mapping)
    }

    private static func propose(_ file: [UInt8], _ shape: ImportShape) {
        for isWhole in [true, false] {
            guard let proposal = try? ImportSniffer(shape).propose(file, isWhole: isWhole) else { continue }
            read(file, proposal.mapping, as: shape)
        }
    }
}

#if FUZZER
/// libFuzzer itself, which makes inputs and looks at what they reach.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
#endif

@main
enum Program {
    /// What this run tries.
    private static let target: @Sendable ([UInt8]) -> Void = {
        guard let found = ProcessInfo.processInfo.environment["FUZZ_TARGET"].flatMap({ FileFuzz.targets[$0] }) else {
            let names = FileFuzz.targets.keys.sorted().joined(separator: ", ")
            FileHandle.standardError.write(Data("FUZZ_TARGET names what is tried: \(names)\n".utf8))
            exit(2)
        }
        return found
    }()

    /// Runs libFuzzer with its own arguments; in a build without it, tries what is in the named files.
    static func main() throws {
        #if FUZZER
        var count = CommandLine.argc
        var words = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &words) { start, count in
                Program.target(Array(UnsafeBufferPointer(start: start, count: count)))
                return 0
            }
        )
        #else
        for path in CommandLine.arguments.dropFirst() {
            target(Array(try Data(contentsOf: URL(filePath: path))))
        }
        #endif
    }
}
