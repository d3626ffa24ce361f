import Foundation
import Synchronization

/// One `stock serve` of a laboratory: killed, stopped and started again, always at the same address.
package final class LabInstance: Sendable {
    private struct State {
        var process: ChildProcess?
        var isPaused = false
        var runs = 0
    }

    /// Its number, from 0.
    package let index: Int
    /// Its port on 127.0.0.1.
    package let port: Int
    /// A client of it that gives up after five seconds of silence, without credentials.
    package let client: HTTPClient
    private let executable: String
    private let environment: [String: String]
    private let state = Mutex(State())

    init(index: Int, port: Int, executable: String, environment: [String: String]) {
        self.index = index
        self.port = port
        client = HTTPClient(port: port, patience: 5)
        self.executable = executable
        self.environment = environment
    }

    /// Its name in logs and reports.
    package var name: String { "i\(index)" }
    /// Its address.
    package var url: String { "http://127.0.0.1:\(port)" }
    /// Whether its process exists, stopped by a signal or not.
    package var isRunning: Bool { state.withLock { $0.process?.isRunning == true } }
    /// Whether it was stopped by SIGSTOP.
    package var isPaused: Bool { state.withLock { $0.isPaused } }
    /// How many times it was started.
    package var runs: Int { state.withLock { $0.runs } }
    /// What its present or last process has logged.
    package var log: String {
        guard let process = state.withLock({ $0.process }) else { return "" }
        return process.output.text + "\n" + process.errors.text
    }

    /// Starts its process, unless it runs.
    func start(_ further: [String: String]) throws {
        guard !isRunning else { return }
        let process = try StockCommand.spawn(
            ["serve"],
            environment: environment.merging(further) { $1 },
            executable: executable
        )
        state.withLock { state in
            state.process = process
            state.isPaused = false
            state.runs += 1
        }
    }

    /// Whether `/health/ready` answers 200 now.
    package func isReady() async -> Bool {
        guard isRunning, !isPaused else { return false }
        return (try? await client.send("GET", "/health/ready").status) == 200
    }

    /// Whether `/health/cache` says that it serves from its caches now, Redis included.
    package func isCaching() async -> Bool {
        guard isRunning, !isPaused, let answer = try? await client.send("GET", "/health/cache") else { return false }
        return answer.status == 200 && answer.json["status"].string == "ok"
    }

    /// Waits until it is ready, starting it again if it gave up because a store was away.
    package func becomeReady(within limit: Duration) async throws {
        try await eventually(within: limit, every: .milliseconds(20), "\(name) is ready") {
            if !isRunning { try start([:]) }
            return await isReady()
        }
    }

    /// Ends its process by SIGKILL.
    func kill() async throws {
        try await end(by: SIGKILL, within: .seconds(10))
    }

    /// Asks its process to drain and end.
    func terminate() async throws {
        resume()
        try await end(by: SIGTERM, within: .seconds(30))
    }

    private func end(by signal: Int32, within limit: Duration) async throws {
        guard let process = state.withLock({ $0.process }) else { return }
        process.signal(signal)
        try await process.waitForExit(within: limit)
        state.withLock { $0.isPaused = false }
    }

    /// Waits until its process has ended by itself; false after the limit.
    func hasEnded(within limit: Duration) async -> Bool {
        guard let process = state.withLock({ $0.process }) else { return true }
        return (try? await process.waitForExit(within: limit)) != nil
    }

    /// Stops its process by SIGSTOP, connections open.
    func pause() {
        state.withLock { state in
            guard let process = state.process, process.isRunning else { return }
            process.signal(SIGSTOP)
            state.isPaused = true
        }
    }

    /// Continues it.
    func resume() {
        state.withLock { state in
            state.process?.signal(SIGCONT)
            state.isPaused = false
        }
    }
}
