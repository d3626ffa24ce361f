import Foundation
import TestSupport
import Testing

/// What the scripts decide before they install anything.
///
/// Programs of other ages are played by small ones in a folder of the test's own.
@Suite("Scripts")
struct ScriptTests {
    /// Runs a line of shell with the functions of scripts/lib/packages.sh at hand.
    private func shell(_ line: String, path: String? = nil) async throws -> String {
        try await run(
            "bash",
            ["-c", ". '\(SourceTree.root)/scripts/lib/packages.sh'; \(line)"],
            environment: ["PATH": (path.map { "\($0):" } ?? "") + "/usr/local/bin:/usr/bin:/bin"]
        )
    }

    @Test(
        "versions are compared number by number",
        arguments: [
            ("15.20", "15.20", true), ("15.18", "15.20", false), ("15.9", "15.20", false), ("16.1", "15.20", true),
            ("7.0.15", "7.0", true), ("6.0.16", "7.0", false), ("6.10", "6.3", true),
        ]
    )
    func versions(have: String, needed: String, isEnough: Bool) async throws {
        #expect(try await shell("is_at_least \(have) \(needed) && echo yes || echo no").contains("yes") == isEnough)
    }

    @Test("what is there and too old is named with both versions, and what is new enough is not")
    func outdated() async throws {
        let folder = try ScratchFolder.make("programs")
        for (name, says) in [
            ("redis-server", "Redis server v=6.0.16 sha=0"), ("postgres", "postgres (PostgreSQL) 15.18 (Debian)"),
        ] {
            let path = "\(folder)/\(name)"
            try Data("#!/bin/sh\necho '\(says)'\n".utf8).write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
        let said = try await shell("postgres_folder() { echo '\(folder)'; }; outdated_packages", path: folder)
        #expect(said.contains("postgresql 15.18 15.20"))
        #expect(said.contains("redis-server 6.0.16 7.0"))
        #expect(!said.contains("libpq"))
    }

    @Test(
        "where nothing may be installed, what is too old is said with its remedy, and the script goes on"
    )
    func mayNotInstall() async throws {
        let said = try await shell(
            """
            missing_packages() { :; }; may_install() { return 1; }
            outdated_packages() { echo 'postgresql-15 15.18 15.20'; }; ensure_packages; echo went on
            """,
            path: ProcessInfo.processInfo.environment["PATH"]
        )
        #expect(said.contains("WARNING: postgresql-15 is 15.18, and 15.20 is needed. Run: sudo apt-get"))
        #expect(said.contains("went on"))
    }

    @Test("what is too old is installed by name together with what is missing")
    func installs() async throws {
        let said = try await shell(
            """
            may_install() { return 0; }; install_packages() { echo "asked for: $*"; done=1; }
            missing_packages() { [ -n "${done:-}" ] || echo redis-server; }
            outdated_packages() { [ -n "${done:-}" ] || echo 'postgresql-15 15.18 15.20'; }; ensure_packages; echo went on
            """,
            path: ProcessInfo.processInfo.environment["PATH"]
        )
        #expect(said.contains("asked for: postgresql-15 redis-server"))
        #expect(said.contains("went on"))
        #expect(!said.contains("WARNING"))
    }

    @Test(
        "the shop's own command finds the migrations from wherever it is called, and what it is given goes before",
        arguments: [
            ("doctor", "doctor --sql ROOT/sql"), ("migrate up", "migrate up --sql ROOT/sql"),
            ("doctor --sql /elsewhere", "doctor --sql /elsewhere"), ("verify --json", "verify --json"),
        ]
    )
    func ownCommand(arguments: String, run: String) async throws {
        let folder = try ScratchFolder.make("state")
        let said = try await shell(
            """
            cd '\(SourceTree.root)'; STOCK_STATE='\(folder)'; . scripts/lib/cluster.sh
            AUTH_SECRET=a DATABASE_URL=b DATABASE_OWNER_URL=c REDIS_URL=d STOCK=/bin/echo
            write_command; cd /; '\(folder)/stock' \(arguments)
            """
        )
        #expect(said.contains(run.replacing("ROOT", with: SourceTree.root)), "\(said)")
    }
}
