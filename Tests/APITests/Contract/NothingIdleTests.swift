import Domain
import Foundation
import Kernel
import Services
import TestSupport
import Testing

@testable import API

/// What the document lists exists: somebody raises the codes, asks for the scopes, makes the states, reads the settings.
@Suite("Nothing is promised that does not work")
struct NothingIdleTests {
    /// The program's text without what only describes it.
    private static let program = text(
        without: ["/Kernel/Problems/", "/API/OpenAPI/", "/API/Problem/", "/Laboratory/"]
    )

    /// The same without what keeps the settings.
    private static let workers = text(without: ["/Services/Settings/", "/API/", "/Laboratory/"])

    private static func text(without described: [String]) -> String {
        let folder = SourceTree.root + "/Sources"
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return files.filter { $0.hasSuffix(".swift") }
            .filter { file in !described.contains { "/\(file)".contains($0) } }
            .compactMap { try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
            .joined(separator: "\n")
            .replacing(/problems: \[[^\]]*\]/, with: "")
    }

    /// The program's SQL functions.
    private static let functions: String = {
        let files = (try? SourceTree.migrations()) ?? []
        return files.compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }.joined(separator: "\n")
    }()

    private func routes() async throws -> [Route] {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        await shop.stop()
        return shop.api.routes
    }

    @Test("every code of a problem is raised, and every operation's codes are listed", arguments: Problem.Code.allCases)
    func codes(code: Problem.Code) async throws {
        let isThrown = Self.program.contains(try Regex("\\.\(code)\\b"))
        let isRefused = [Self.program, Self.functions].contains { $0.contains("'\(code.rawValue)'") }
        #expect(isThrown || isRefused)
        // A method that a path does not have is no operation's answer.
        let listed = try await self.routes().contains { $0.allProblems.contains(code) }
        #expect(listed || code == .methodNotAllowed)
    }

    @Test("every scope opens something", arguments: Scope.allCases)
    func scopes(scope: Scope) async throws {
        let opens = try await self.routes().contains { route in
            if case .members(_, let wanted) = route.access { wanted == scope } else { false }
        }
        #expect(opens || Self.program.contains("may(.\(scope))"))
    }

    @Test("every setting of a tenant is read by something that works by it")
    func settings() throws {
        guard case .named(_, .object(let members)) = Body("TenantPatch", { TenantPatch.read(&$0) }).schema else {
            Issue.record("there is no TenantPatch")
            return
        }
        // What people and frontends read.
        let labels: Set<String> = ["name", "logo"]
        // To show a setting, or to store it, is not to work by it.
        let shown = try Regex("FUNCTION stock\\.tenant_body[\\s\\S]*?\n\\$\\$;")
        let text = Self.functions.replacing(shown, with: "") + Self.workers
        for member in members where !labels.contains(member.name) {
            let isRead =
                text.contains("t.\(member.name) =") || text.contains("t.\(member.name),")
                || text.contains("t.\(member.name) ") || text.contains("t.\(member.name);")
            #expect(isRead, "\(member.name)")
        }
    }

    @Test("every state that a document can be in is made by a command")
    func states() {
        for status in SaleFilter.Status.allCases {
            let isMade = ["'\(status.rawValue)', p_customer", "SET status = '\(status.rawValue)'"].contains {
                Self.functions.contains($0)
            }
            #expect(isMade, "\(status)")
        }
        let entered = Set(EnteredMovement.allCases.map(\.rawValue))
        for kind in MovementFilter.Kind.allCases where !entered.contains(kind.rawValue) {
            let isMade = ["THEN '\(kind.rawValue)'", "ELSE '\(kind.rawValue)'", ", '\(kind.rawValue)', "].contains {
                Self.functions.contains($0)
            }
            #expect(isMade, "\(kind)")
        }
        for outcome in ["created", "updated", "unchanged"] {
            #expect(Self.functions.contains("'\(outcome)'"), "\(outcome)")
        }
    }
}
