import Foundation
import Synchronization

/// A private PostgreSQL server in a temporary folder: real, and nobody else's.
///
/// It listens on a unix socket in its folder and, when asked, on a free loopback port. It never syncs to disk. As root it runs as the user
/// `postgres` (or `nobody`), since PostgreSQL refuses root. Suites share ``shared()`` and take a database of their own from it; a test that
/// stops, kills or freezes the server starts its own with ``start(tcp:settings:)``.
package actor PostgresServer {
    /// How a server is asked to stop.
    package enum StopMode: Sendable {
        /// Waits until every client has gone.
        case smart
        /// Rolls back what runs, ends the sessions, writes a checkpoint.
        case fast
        /// Drops everything; the next start recovers from the log.
        case immediate

        fileprivate var signal: Int32 {
            switch self {
            case .smart: SIGTERM
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        }
    }

    private static let sharedServer = Mutex<Task<PostgresServer, any Error>?>(nil)

    /// The folder of the unix socket.
    package nonisolated let socketFolder: String
    /// The port: of the loopback socket if there is one, and in the name of the unix socket in any case.
    package nonisolated let port: Int
    /// Whether it listens on the loopback interface as well.
    package nonisolated let listensOnTCP: Bool

    /// The unix socket itself.
    package nonisolated var socketPath: String { "\(socketFolder)/.s.PGSQL.\(port)" }

    private let folder: String
    private nonisolated let settings: [String: String]
    private var process: ChildProcess?
    private var roles: Task<Void, any Error>?
    private var template: Task<Void, any Error>?
    private var databaseCount = 0
    private var frozen: [pid_t] = []

    private init(folder: String, port: Int, listensOnTCP: Bool, settings: [String: String]) {
        self.folder = folder
        socketFolder = folder
        self.port = port
        self.listensOnTCP = listensOnTCP
        self.settings = settings
    }

    /// The server shared by the whole test process, started when first asked for.
    ///
    /// Never stop or freeze it: other suites run on it at the same time.
    package static func shared() async throws -> PostgresServer {
        let task = sharedServer.withLock { server in
            if let server { return server }
            let task = Task { try await PostgresServer.start(tcp: true) }
            server = task
            return task
        }
        return try await task.value
    }

    /// Starts a server of the test's own.
    ///
    /// - Parameters:
    ///   - tcp: also listen on a free port of 127.0.0.1.
    ///   - settings: further lines of postgresql.conf.
    /// - Returns: the running server.
    /// - Throws: ``CommandFailed`` or ``OutputEnded`` with the server's words when it does not start.
    package static func start(tcp: Bool = false, settings: [String: String] = [:]) async throws -> PostgresServer {
        let folder = try ScratchFolder.make("pg")
        let server = PostgresServer(
            folder: folder,
            port: tcp ? try FreePort.next() : 5432,
            listensOnTCP: tcp,
            settings: settings
        )
        try await server.initialise()
        try await server.launch()
        return server
    }

    /// Starts a hot standby that copies a running server, settings included, and follows it.
    ///
    /// - Parameter primary: the server.
    /// - Returns: the running standby; it listens on its unix socket alone.
    /// - Throws: as ``start(tcp:settings:)``.
    package static func start(standbyOf primary: PostgresServer) async throws -> PostgresServer {
        let folder = try ScratchFolder.make("pg")
        let server = PostgresServer(folder: folder, port: 5432, listensOnTCP: false, settings: primary.settings)
        try await server.copy(primary)
        try await server.launch()
        return server
    }

    // MARK: Databases

    /// Makes a database of its own for a suite: a copy of the migrated template.
    ///
    /// - Parameter suite: a name that appears in PostgreSQL's messages; made unique by a number.
    /// - Returns: the new database.
    /// - Throws: ``CommandFailed`` with psql's words, for instance when a migration does not apply.
    package func database(named suite: String = #function) async throws -> TestDatabase {
        try await migratedTemplate()
        return try await database(named: suite, template: Self.templateName)
    }

    /// Makes a copy of a database of this server, to which nobody is connected meanwhile.
    ///
    /// - Parameters:
    ///   - original: what is copied.
    ///   - suite: as in ``database(named:)``.
    /// - Returns: the new database.
    /// - Throws: ``CommandFailed`` with psql's words.
    package func copy(of original: TestDatabase, named suite: String = #function) async throws -> TestDatabase {
        try await database(named: suite, template: original.name)
    }

    /// Makes a database with the roles, but without any table: for tests of the migrations themselves.
    package func emptyDatabase(named suite: String = #function) async throws -> TestDatabase {
        try await madeRoles()
        let empty = try await database(named: suite, template: "template0")
        // What an operator does once by hand: the owner may make the schema, the service may connect.
        try await psql("GRANT CREATE, CONNECT ON DATABASE \(empty.name) TO stock_owner", database: "postgres")
        return empty
    }

    /// Makes an empty database of this very name in a cluster without roles, for `stock migrate up` to make all of it.
    package func bareDatabase(named name: String) async throws -> TestDatabase {
        try await psql(
            "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'",
            database: "postgres"
        )
        return TestDatabase(server: self, name: name)
    }

    private func database(named suite: String, template: String) async throws -> TestDatabase {
        databaseCount += 1
        let letters = suite.lowercased().unicodeScalars.prefix { $0 != "(" }
            .map { ("a"..."z").contains($0) || ("0"..."9").contains($0) ? Character($0) : "_" }
        let name = "t\(databaseCount)_" + String(letters.prefix(40))
        try await create(name, template: template)
        return TestDatabase(server: self, name: name)
    }

    private func create(_ name: String, template: String) async throws {
        try await psql(
            "CREATE DATABASE \(name) TEMPLATE \(template) OWNER stock_owner ENCODING 'UTF8' LOCALE 'C.UTF-8'",
            database: "postgres"
        )
    }

    private static let templateName = "stock_template"

    private func migratedTemplate() async throws {
        let task =
            template
            ?? Task {
                try await madeRoles()
                try await create(Self.templateName, template: "template0")
                let roles = SourceTree.sqlFolder + "/roles.sql"
                if FileManager.default.fileExists(atPath: roles) {
                    try await psql(file: roles, database: Self.templateName, user: "postgres")
                }
                for migration in try SourceTree.migrations() {
                    try await psql(file: migration, database: Self.templateName, user: "stock_owner")
                }
            }
        template = task
        try await task.value
    }

    private func madeRoles() async throws {
        let task =
            roles
            ?? Task {
                let roles = ["stock_owner", "stock_app"].map { "CREATE ROLE \($0) LOGIN PASSWORD '\(Self.password)';" }
                try await psql(roles.joined(separator: " "), database: "postgres")
            }
        roles = task
        try await task.value
    }

    /// The password of both roles, on the loopback port; the unix socket asks for none.
    package static let password = "stock"

    /// A connection URL for libpq, over the unix socket.
    package nonisolated func url(user: String, database: String) -> String {
        "postgresql://\(user):\(Self.password)@/\(database)?host=\(socketFolder)&port=\(port)"
    }

    /// Runs SQL as the given role and returns unaligned rows, columns separated by `|`.
    @discardableResult
    package nonisolated func psql(
        _ sql: String,
        database: String,
        user: String = "postgres"
    ) async throws -> String {
        try await psql(["-c", sql], database: database, user: user)
    }

    /// Runs an SQL file in one transaction.
    @discardableResult
    package nonisolated func psql(file: String, database: String, user: String) async throws -> String {
        try await psql(["--single-transaction", "-f", file], database: database, user: user)
    }

    fileprivate nonisolated func psql(_ arguments: [String], database: String, user: String) async throws -> String {
        try await run(
            PostgresBinaries.path(of: "psql"),
            ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url(user: user, database: database)] + arguments,
            environment: Self.environment
        )
    }

    // MARK: Faults

    /// Asks the server to stop and waits until it has.
    package func stop(_ mode: StopMode = .fast) async throws {
        guard let process else { return }
        process.signal(mode.signal)
        try await process.waitForExit(within: .seconds(60))
        self.process = nil
        forgetProcess()
    }

    /// Kills the postmaster and all its children with SIGKILL, as a loss of power would.
    package func kill() async throws {
        guard let process else { return }
        let children = Self.children(of: process.processID)
        process.signal(SIGKILL)
        for child in children { Glibc.kill(child, SIGKILL) }
        try await process.waitForExit(within: .seconds(10))
        self.process = nil
        forgetProcess()
        try await eventually("the backends are gone") { !children.contains(where: Self.isBackend) }
    }

    /// Starts a stopped or killed server again; a running one is stopped first.
    package func restart(_ mode: StopMode = .fast) async throws {
        try await stop(mode)
        try await launch()
    }

    /// Starts the server unless it runs.
    package func startIfStopped() async throws {
        if process == nil { try await launch() }
    }

    /// Copies the data folder of a stopped server, replacing an earlier copy.
    package func copyData() async throws {
        try await run("/bin/sh", ["-c", "rm -rf \"$1/copy\" && cp -a \"$1/data\" \"$1/copy\"", "sh", folder])
    }

    /// Makes a standby stop receiving what the primary writes; it keeps, and shows, what it has.
    package nonisolated func detach() async throws {
        try await psql("ALTER SYSTEM SET primary_conninfo = ''", database: "postgres")
        try await psql("SELECT pg_reload_conf()", database: "postgres")
        try await eventually("the standby receives nothing any more") {
            try await psql("SELECT count(*) FROM pg_stat_wal_receiver", database: "postgres") == "0"
        }
    }

    /// Makes a standby a primary, and waits until it is one.
    package nonisolated func promote() async throws {
        guard try await psql("SELECT pg_promote(wait_seconds => 60)", database: "postgres") == "t" else {
            throw PromotionFailed()
        }
    }

    /// Puts the copy made by ``copyData()`` in the place of the data folder of a stopped server.
    package func restoreData() async throws {
        try await run("/bin/sh", ["-c", "rm -rf \"$1/data\" && mv \"$1/copy\" \"$1/data\"", "sh", folder])
    }

    /// Stops the server at once and removes its folder; it can not be started again.
    package func remove() async {
        resume()
        try? await stop(.immediate)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Freezes the server with SIGSTOP: connections stay open, and nothing answers.
    package func pause() throws {
        guard let process else { return }
        frozen = [process.processID] + Self.children(of: process.processID)
        try frozen.map(String.init).joined(separator: "\n")
            .write(toFile: "\(folder)/stopped", atomically: false, encoding: .utf8)
        for processID in frozen { Glibc.kill(processID, SIGSTOP) }
    }

    /// Continues a frozen server.
    package func resume() {
        for processID in frozen.reversed() { Glibc.kill(processID, SIGCONT) }
        frozen = []
        unlink("\(folder)/stopped")
    }

    /// What the server has logged.
    package var log: String { process?.output.text ?? "" }

    // MARK: Processes

    private static var environment: [String: String] {
        var environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "10"]
        // psql looks for its history and passwords there, and finds nothing.
        environment["HOME"] = "/nonexistent"
        return environment
    }

    private func giveFolder() throws {
        guard let user = UnprivilegedUser.current else { return }
        guard chown(folder, user.id, user.group) == 0 else {
            throw SpawnError(command: "chown \(folder)", errno: errno)
        }
    }

    private func copy(_ primary: PostgresServer) async throws {
        try giveFolder()
        let command = UnprivilegedUser.command(
            PostgresBinaries.path(of: "pg_basebackup"),
            [
                "-D", "\(folder)/data", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
                "-d", primary.url(user: "postgres", database: "postgres"),
            ]
        )
        try await run(command.path, command.arguments, environment: Self.environment, directory: "/")
    }

    private func initialise() async throws {
        try giveFolder()
        let command = UnprivilegedUser.command(
            PostgresBinaries.path(of: "initdb"),
            [
                "-D", "\(folder)/data", "--no-sync", "--no-instructions", "-U", "postgres",
                "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
            ]
        )
        try await run(command.path, command.arguments, environment: Self.environment, directory: "/")
    }

    private func launch() async throws {
        var configuration = [
            "listen_addresses": listensOnTCP ? "127.0.0.1" : "",
            "port": String(port),
            "unix_socket_directories": folder,
            "max_connections": "500",
            "shared_buffers": "64MB",
            "fsync": "off",
            "full_page_writes": "off",
            "max_wal_size": "512MB",
            "timezone": "UTC",
            "log_line_prefix": "%m [%p] %u@%d ",
            // A suite's database may be dropped or copied at any time; nothing may hold it open in the background for long.
            "autovacuum_naptime": "10s",
        ]
        configuration.merge(settings) { $1 }
        let arguments =
            ["-D", "\(folder)/data"]
            + configuration.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
        let command = UnprivilegedUser.command(PostgresBinaries.path(of: "postgres"), arguments)
        let process = try ChildProcess.spawn(
            command.path,
            command.arguments,
            environment: Self.environment,
            directory: "/",
            processIDFile: "\(folder)/pid"
        )
        self.process = process
        _ = try await process.output.firstLine(within: .seconds(60), "PostgreSQL accepts connections") {
            $0.contains("database system is ready to accept")
        }
    }

    private func forgetProcess() {
        frozen = []
        unlink("\(folder)/stopped")
    }

    /// Whether a process is one of PostgreSQL's, and not another that was given its number, nor one that has ended.
    private static func isBackend(_ processID: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8) else { return false }
        return stat.contains("(postgres) ") && !stat.contains("(postgres) Z")
    }

    private static func children(of parent: pid_t) -> [pid_t] {
        let path = "/proc/\(parent)/task/\(parent)/children"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: " ").compactMap { pid_t($0) }
    }
}

/// A standby did not become a primary.
private struct PromotionFailed: Error, CustomStringConvertible {
    var description: String { "the standby was not promoted within a minute" }
}

/// A database of one suite's own.
package struct TestDatabase: Sendable {
    /// The server it is on.
    package let server: PostgresServer
    /// Its name.
    package let name: String

    /// Names a database that exists on a server.
    package init(server: PostgresServer, name: String) {
        self.server = server
        self.name = name
    }

    /// As the role that owns the tables and may change the schema.
    package var ownerURL: String { server.url(user: "stock_owner", database: name) }
    /// As the role the service runs as: row-level security applies.
    package var appURL: String { server.url(user: "stock_app", database: name) }
    /// As the superuser of the cluster.
    package var superuserURL: String { server.url(user: "postgres", database: name) }

    /// Runs SQL by psql, as the superuser unless another role is named; rows unaligned, columns separated by `|`.
    @discardableResult
    package func psql(_ sql: String, as user: String = "postgres") async throws -> String {
        try await server.psql(sql, database: name, user: user)
    }

    /// What the server refuses SQL with: a code of PostgreSQL's errcodes, as `23503`; nil if it does not.
    ///
    /// - Throws: ``CommandFailed`` when it failed in another way, as without a connection.
    package func refusal(of sql: String, as user: String = "postgres") async throws -> String? {
        do {
            _ = try await server.psql(["-v", "VERBOSITY=sqlstate", "-c", sql], database: name, user: user)
            return nil
        } catch let error as CommandFailed {
            guard let code = error.output.firstMatch(of: /ERROR: +([0-9A-Z]{5})/)?.output.1 else { throw error }
            return String(code)
        }
    }

    /// Drops the database and ends its sessions; without it the database goes with the server's folder.
    package func drop() async throws {
        try await server.psql("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", database: "postgres")
    }
}
