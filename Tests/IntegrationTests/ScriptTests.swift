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
            try Self.program(name, in: folder, "echo '\(says)'")
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

    @Test("a swift that does not start is told with what keeps it from starting")
    func brokenSwift() async throws {
        let folder = try ScratchFolder.make("programs")
        try Self.program("swift", in: folder, "echo 'swift: error while loading libncurses.so.6' >&2; exit 127")
        let said = try await shell("(ensure_packages) 2>&1 || echo ended", path: folder)
        #expect(said.contains("swift does not start: swift: error while loading libncurses.so.6"))
        #expect(said.contains("ended"))
    }

    @Test("an installation is silent, and one that fails is told with what apt said")
    func aptSpeaks() async throws {
        let folder = try ScratchFolder.make("programs")
        try Self.program("apt-get", in: folder, "echo \"apt on $*\"; [ \"$1\" = update ] || exit ${APT_STATUS:-0}")
        // Who is not root asks sudo, which is played as well.
        try Self.program("sudo", in: folder, "shift; exec \"$@\"")
        let well = try await shell("install_packages redis-server", path: folder)
        #expect(well == "installing by apt, a minute or two: redis-server")
        let ill = try await shell(
            "export APT_STATUS=100; (install_packages redis-server) 2>&1 || echo ended",
            path: folder
        )
        #expect(ill.contains("apt on install -y"))
        #expect(ill.contains("apt cannot install redis-server\nended"))
    }

    @Test(
        "of two scripts/up at once the second says in one line that it waits; what the first has started keeps none waiting"
    )
    func oneAtATime() async throws {
        let folder = try ScratchFolder.make("clone")
        try FileManager.default.createDirectory(atPath: "\(folder)/scripts", withIntermediateDirectories: false)
        // Says that it is in, goes on once somebody writes into the pipe of its name, and leaves a process behind.
        try Self.program(
            "up",
            in: "\(folder)/scripts",
            """
            . '\(SourceTree.root)/scripts/lib/packages.sh'; . '\(SourceTree.root)/scripts/lib/steps.sh'
            one_at_a_time "$@"
            echo "$1 is in"
            read -r _ <"$1"
            setsid tail -f /dev/null >/dev/null 2>&1 &
            echo $! >"$1.left"
            echo "$1 is out"
            """
        )
        for name in ["first", "second"] { #expect(mkfifo("\(folder)/\(name)", 0o600) == 0) }
        func start(_ name: String) throws -> ChildProcess {
            try ChildProcess.spawn("scripts/up", [name], directory: folder)
        }
        let first = try start("first")
        _ = try await first.output.firstLine("the first works") { $0 == "first is in" }
        let second = try start("second")
        _ = try await second.output.firstLine("the second waits") { $0.contains("another scripts/up is at work") }
        #expect(second.output.count == 1)
        for (name, process) in [("first", first), ("second", second)] {
            try await run("sh", ["-c", "echo go >'\(folder)/\(name)'"])
            #expect(try await process.waitForExit(within: .seconds(30)) == .exited(0))
            try await eventually("all is said") { process.output.isClosed }
            #expect(process.output.lines.suffix(2) == ["\(name) is in", "\(name) is out"])
            try await run("sh", ["-c", "kill $(cat '\(folder)/\(name).left')"])
        }
    }

    @Test("the exports of scripts/up --env make the program and its settings those of the shop, in any folder")
    func exports() async throws {
        let state = try ScratchFolder.make("state, here")
        let up = "STOCK_STATE='\(state)' '\(SourceTree.root)/scripts/up' --env"
        let none = try await shell("(\(up)) 2>&1 || echo ended")
        #expect(none.contains("there is no shop yet"))
        #expect(none.contains("ended"))

        let secret = "it's a \"secret\" of $HOME, ü"
        _ = try await run(
            "bash",
            ["-c", ". scripts/lib/cluster.sh; write_command"],
            environment: [
                "PATH": "/usr/bin:/bin", "STOCK_STATE": state, "STOCK": StockCommand.path, "AUTH_SECRET": secret,
                "DATABASE_URL": "postgresql://stock_app:x@127.0.0.1:1/none",
                "DATABASE_OWNER_URL": "postgresql://o/none",
                "REDIS_URL": "unix:///nowhere",
            ],
            directory: SourceTree.root
        )
        let said = try await shell(
            """
            cd /; eval "$(\(up) 2>/dev/null)"; printf '%s\n' "$AUTH_SECRET"; stock verify 2>&1 || echo "ended with $?"
            DATABASE_URL=nonsense stock verify 2>&1 || echo "ended with $?"
            """
        ).split(separator: "\n").map(String.init)
        #expect(said.first == secret)
        #expect(said.dropFirst(2).first == "ended with 1", "\(said)")
        #expect(said.last == "ended with 78", "a setting before a command counts: \(said)")
    }

    @Test("the progress of a build is what the builder counts, and the time that it takes")
    func progress() async throws {
        let said = try await shell(
            """
            . '\(SourceTree.root)/scripts/lib/steps.sh'; SECONDS=247; step build 'about 6 minutes'
            printf '%s\n' 'Fetching' '[7/460] Compiling NIOCore' 'warning: nothing' | show_build 0 | sed 's/, 4 min.*/, 4 min/'
            minutes 59; echo; minutes 60
            """
        ).split(separator: "\n").map(String.init)
        #expect(
            said == [
                "== build: about 6 minutes (after 4 min 7 s)", "   reading the packages, 4 min",
                "   7 of 460 steps, 4 min",
                "   7 of 460 steps, 4 min", "59 s", "1 min 0 s",
            ]
        )
    }

    private static func program(_ name: String, in folder: String, _ body: String) throws {
        let path = "\(folder)/\(name)"
        try Data("#!/bin/bash\n\(body)\n".utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }
}
