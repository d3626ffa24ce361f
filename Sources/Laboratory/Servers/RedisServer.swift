import Foundation
import Synchronization

/// A private Redis server in a temporary folder, on a unix socket and, when asked, on a free loopback port.
///
/// It starts within milliseconds, so a suite that needs one takes its own; ``shared()`` is for suites content with a key prefix.
package actor RedisServer {
    private static let sharedServer = Mutex<Task<RedisServer, any Error>?>(nil)

    /// The unix socket.
    package nonisolated let socketPath: String
    /// The loopback port, if it was asked for.
    package nonisolated let port: Int?
    /// The password, if one was asked for.
    package nonisolated let password: String?

    private let folder: String
    private let arguments: [String]
    private var process: ChildProcess?

    private init(folder: String, port: Int?, password: String?, arguments: [String]) {
        self.folder = folder
        socketPath = "\(folder)/redis.sock"
        self.port = port
        self.password = password
        self.arguments = arguments
    }

    /// Options of a server that may have replicas, which shall not wait for each other.
    package static let quickReplication = ["--repl-diskless-sync-delay", "0", "--enable-debug-command", "no"]

    /// The server shared by the whole test process, with a loopback port, started when first asked for.
    ///
    /// Never stop, flush or freeze it: other suites run on it at the same time.
    package static func shared() async throws -> RedisServer {
        let task = sharedServer.withLock { server in
            if let server { return server }
            let task = Task { try await RedisServer.start(tcp: true) }
            server = task
            return task
        }
        return try await task.value
    }

    /// Starts a server of the test's own.
    ///
    /// - Parameters:
    ///   - tcp: also listen on a free port of 127.0.0.1.
    ///   - password: required of every client.
    ///   - arguments: further options, for instance `["--maxmemory", "5mb"]`.
    /// - Returns: the running server.
    /// - Throws: ``OutputEnded`` with the server's words when it does not start.
    package static func start(
        tcp: Bool = false,
        password: String? = nil,
        arguments: [String] = []
    ) async throws -> RedisServer {
        let server = RedisServer(
            folder: try ScratchFolder.make("redis"),
            port: tcp ? try FreePort.next() : nil,
            password: password,
            arguments: arguments
        )
        try await server.launch()
        return server
    }

    /// Starts a replica of another server, on a loopback port, and waits until it is in step.
    ///
    /// - Parameter primary: a server with a loopback port.
    /// - Returns: the running replica, with the primary's password.
    /// - Throws: ``TimeLimitExceeded`` when it does not get in step.
    package static func start(replicaOf primary: RedisServer) async throws -> RedisServer {
        // Otherwise the first copy waits 5 s for further replicas.
        try await primary.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        let replica = try await start(
            tcp: true,
            password: primary.password,
            arguments: ["--replicaof", "127.0.0.1", String(primary.port ?? 0), "--repl-diskless-sync-delay", "0"]
                + (primary.password.map { ["--masterauth", $0] } ?? [])
        )
        try await eventually(within: .seconds(30), "the replica is in step") {
            try await replica.command("INFO", "replication").contains("master_link_status:up")
        }
        return replica
    }

    /// The address for `REDIS_URL`: the loopback port if there is one, else the unix socket.
    package nonisolated var url: String {
        let credentials = password.map { ":\($0)@" } ?? ""
        return port.map { "redis://\(credentials)127.0.0.1:\($0)" } ?? "unix://\(credentials)\(socketPath)"
    }

    /// Runs one command by redis-cli and returns what it prints.
    @discardableResult
    package nonisolated func command(_ arguments: String...) async throws -> String {
        let credentials = password.map { ["-a", $0, "--no-auth-warning"] } ?? []
        return try await run("redis-cli", ["-s", socketPath] + credentials + arguments)
    }

    /// Stops the server in good order and waits until it has; it writes its data only if `save` is configured.
    package func stop() async throws {
        try await end(by: SIGTERM)
    }

    /// Kills the server with SIGKILL.
    package func kill() async throws {
        try await end(by: SIGKILL)
    }

    /// Writes a snapshot to disk, for ``start(keepingData:)`` to find.
    package nonisolated func save() async throws {
        try await command("SAVE")
    }

    /// Starts a stopped or killed server again, with the last snapshot or with nothing.
    package func start(keepingData: Bool) async throws {
        guard process == nil else { return }
        if !keepingData {
            unlink("\(folder)/dump.rdb")
            try? FileManager.default.removeItem(atPath: "\(folder)/appendonlydir")
        }
        try await launch()
    }

    /// Ends the server at once and removes its folder; it can not be started again.
    package func remove() async {
        try? await kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Freezes the server with SIGSTOP: connections stay open, and nothing answers.
    package func pause() throws {
        guard let process else { return }
        try "\(process.processID)\n".write(toFile: "\(folder)/stopped", atomically: false, encoding: .utf8)
        process.signal(SIGSTOP)
    }

    /// Continues a frozen server.
    package func resume() {
        process?.signal(SIGCONT)
        unlink("\(folder)/stopped")
    }

    private func end(by signal: Int32) async throws {
        guard let process else { return }
        process.signal(signal)
        process.signal(SIGCONT)
        try await process.waitForExit(within: .seconds(20))
        self.process = nil
        unlink("\(folder)/stopped")
    }

    private func launch() async throws {
        let process = try ChildProcess.spawn(
            "redis-server",
            [
                "--dir", folder, "--unixsocket", socketPath, "--unixsocketperm", "777", "--bind", "127.0.0.1",
                "--port", String(port ?? 0), "--save", "", "--appendonly", "no", "--daemonize", "no",
            ] + (password.map { ["--requirepass", $0] } ?? []) + arguments,
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"],
            directory: folder,
            processIDFile: "\(folder)/pid"
        )
        self.process = process
        // The words differ between versions and kinds of socket.
        _ = try await process.output.firstLine("Redis accepts connections") {
            $0.contains("eady to accept connections")
        }
    }
}
