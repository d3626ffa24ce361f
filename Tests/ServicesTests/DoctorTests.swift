import Foundation
import Services
import TestSupport
import Testing

@Suite("Doctor")
struct DoctorTests {
    @Test(
        "a server that lacks fixes is a failure that says what to do, and one that has them is not spoken of",
        arguments: [
            (150_018, "15.18", true), (150_019, "15.19", true), (150_020, "15.20", false), (160_001, "16.1", false),
        ]
    )
    func age(number: Int32, version: String, isFound: Bool) {
        let finding = Doctor.age(number: number, version: version)
        #expect((finding != nil) == isFound)
        if let finding {
            #expect(finding.check == "server version")
            #expect(finding.level == .failure)
            #expect(finding.detail.contains(version) && finding.detail.contains("15.20"))
        }
    }

    @Test("the scripts install the server that doctor asks for")
    func scripts() throws {
        let script = try String(contentsOfFile: SourceTree.root + "/scripts/lib/packages.sh", encoding: .utf8)
        let line = try #require(script.split(separator: "\n").first { $0.hasPrefix("POSTGRES_NEEDED=") })
        let version = line.dropFirst("POSTGRES_NEEDED=".count).prefix { $0 != " " }
        #expect(version == "\(Doctor.oldestServer / 10_000).\(Doctor.oldestServer % 10_000)")
    }
}
