import Foundation
import TestSupport
import Testing

/// What no linter asks of the sources.
@Suite("Style of the sources")
struct StyleTests {
    @Test("self. is written only where the language asks for it")
    func needless() throws {
        let files = try FileManager.default.subpathsOfDirectory(atPath: "\(SourceTree.root)/Sources")
            .filter { $0.hasSuffix(".swift") }
        #expect(files.count > 400)
        for file in files.sorted() {
            let text = try String(contentsOfFile: "\(SourceTree.root)/Sources/\(file)", encoding: .utf8)
            for place in SelfReader(text).places() {
                Issue.record("Sources/\(file):\(place.line) says self.\(place.name)")
            }
        }
    }

    @Test("a member that nothing hides is found in functions, accessors, conditions and the code of strings")
    func found() {
        let text = #"""
            final class Till {
                let number = 1 // self.comment
                init() { self.count = 0 }
                var next: Int { self.count + 1 }
                var last: Int {
                    get { self.kept }
                    set { self.kept = newValue }
                }
                func ring() throws {
                    if let sound = try self.bell(named: "self.text"), self.works { self.rung += 1 }
                    guard self.works else { return }
                    let text = """
                        Ünlü \(self.names(["a", ")"])) rang, self.never
                        """
                    for one in self.bells where one == text { self.hear(one) }
                    do { try self.break() } catch { print(error) }
                }
            }
            """#
        #expect(
            SelfReader(text).places().map(\.name) == [
                "count", "count", "kept", "kept", "bell", "works", "rung", "works", "names", "bells", "hear",
            ]
        )
    }

    @Test("closures, and members that a local name hides anywhere in the function, are passed over")
    func passedOver() {
        let text = """
            struct Till {
                init(count: Int, with name: String) {
                    self.count = count
                    self.name = name
                    self.init(1)
                }
                func ring() {
                    let action = { self.ring() }
                    bells.map { self.ring($0) }
                    if bells.contains(where: { self.likes($0) }) { action() }
                    guard let bell = self.bell else { return }
                    for case .sound(let pitch, volume: var loudness) in self.pitch { self.loudness = loudness }
                    let (left, right) = (self.left, self.right)
                    switch bell { case let .small(size, tone): self.size = self.tone }
                    do { try self.bell.ring() } catch { self.error = error }
                    self[1] = other.self.left
                }
                lazy var button: () -> Void = { self.ring() }
                let other = bells.map {
                    func inner() { self.ring() }
                }
            }
            """
        #expect(SelfReader(text).places() == [])
    }
}
