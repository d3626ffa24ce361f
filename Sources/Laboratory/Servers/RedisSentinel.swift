import Foundation

/// A Redis Sentinel in a temporary folder, on a free loopback port, that watches a primary of the test's own.
package actor RedisSentinel {
    /// The loopback port.
    package nonisolated let port: Int

    private let folder: String
    private var process: ChildProcess?

    private init(folder: String, port: Int) {
        self.folder = folder
        self.port = port
    }

    /// Starts a sentinel.
    ///
    /// - Parameters:
    ///   - primary: the server to watch, which has a loopback port; its replicas are found by themselves.
    ///   - name: what the sentinel calls it.
    ///   - quorum: how many sentinels have to agree that it is gone.
    ///   - downAfter: for how long it has to be silent.
    ///   - password: required of every client of the sentinel.
    /// - Returns: the running sentinel.
    /// - Throws: ``OutputEnded`` with the sentinel's words when it does not start.
    package static func start(
        monitoring primary: RedisServer,
        name: String = "mymaster",
        quorum: Int = 1,
        downAfter: Duration = .milliseconds(500),
        password: String? = nil
    ) async throws -> RedisSentinel {
        let sentinel = RedisSentinel(folder: try ScratchFolder.make("sentinel"), port: try FreePort.next())
        let milliseconds =
            downAfter.components.seconds * 1_000 + downAfter.components.attoseconds / 1_000_000_000_000_000
        let lines =
            [
                "port \(sentinel.port)", "bind 127.0.0.1", "dir \(sentinel.folder)", "daemonize no",
                "sentinel monitor \(name) 127.0.0.1 \(primary.port ?? 0) \(quorum)",
                "sentinel down-after-milliseconds \(name) \(milliseconds)",
                "sentinel failover-timeout \(name) 2000",
            ]
            + (primary.password.map { ["sentinel auth-pass \(name) \($0)"] } ?? [])
            + (password.map { ["requirepass \($0)"] } ?? [])
        // The sentinel writes into it what it learns.
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: "\(sentinel.folder)/sentinel.conf",
            atomically: false,
            encoding: .utf8
        )
        try await sentinel.launch()
        return sentinel
    }

    /// `host:port`, for `REDIS_SENTINELS`.
    package nonisolated var address: String { "127.0.0.1:\(port)" }

    /// Runs one command by redis-cli and returns what it prints.
    @discardableResult
    package nonisolated func command(_ arguments: String...) async throws -> String {
        try await run("redis-cli", ["-p", String(port)] + arguments)
    }

    /// Waits until it knows so many replicas and other sentinels of the primary, and could promote one.
    package nonisolated func isAware(ofReplicas replicas: Int, sentinels: Int, name: String = "mymaster") async throws {
        try await eventually(within: .seconds(30), "the sentinel knows its primary's replicas and the other sentinels")
        {
            let lines = try await command("SENTINEL", "master", name).split(separator: "\n")
            func value(_ field: Substring) -> Substring? {
                lines.firstIndex(of: field).flatMap { lines.indices.contains($0 + 1) ? lines[$0 + 1] : nil }
            }
            return value("num-slaves") == "\(replicas)" && value("num-other-sentinels") == "\(sentinels)"
                && value("flags") == "master"
        }
    }

    /// Kills the sentinel with SIGKILL.
    package func kill() async throws {
        try await end(by: SIGKILL)
    }

    /// Stops the sentinel in good order.
    package func stop() async throws {
        try await end(by: SIGTERM)
    }

    /// Starts a stopped or killed sentinel again, with what it had learnt.
    package func start() async throws {
        guard process == nil else { return }
        try await launch()
    }

    private func end(by signal: Int32) async throws {
        guard let process else { return }
        process.signal(signal)
        try await process.waitForExit(within: .seconds(20))
        self.process = nil
    }

    private func launch() async throws {
        let process = try ChildProcess.spawn(
            "redis-server",
            ["\(folder)/sentinel.conf", "--sentinel"],
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"],
            directory: folder,
            processIDFile: "\(folder)/pid"
        )
        self.process = process
        _ = try await process.output.firstLine("Sentinel watches its primary") { $0.contains("+monitor master") }
    }
}
