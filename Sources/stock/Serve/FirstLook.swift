import API
import Foundation
import IOLoop
import Kernel
import Logging
import Postgres
import ServiceLifecycle
import Services
import Synchronization

/// Looks at the database before anything is served from it, and lets requests in if it is right.
///
/// On a client of its own, as the service's prepares statements that a database without our schema does not have. What is not
/// right ends the process with status 78. While the database cannot be asked, the instance listens and says that it is not
/// ready: it may be the database that starts later.
struct FirstLook: Service {
    let database: PostgresConfiguration
    let lifecycle: Lifecycle
    let logger: Logger
    /// Called when what follows may begin: a start that is refused says nothing but why.
    let onBegin: @Sendable () -> Void
    let over = Announcement()

    /// How long the first attempt may keep the instance from listening.
    private static let patience = Duration.seconds(3)

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var isSilent = false
            while !Task.isCancelled {
                do {
                    try await look()
                    lifecycle.admit()
                    break
                } catch let error as PostgresError where error.saysNothing {
                    if !isSilent {
                        logger.warning(
                            "the database cannot be asked yet; nothing is served until it was",
                            metadata: ["cause": "\(error)"]
                        )
                    }
                    isSilent = true
                    begin()
                    // A pause that is meant: between two attempts at a database that is away.
                    try? await Task.sleep(for: .seconds(1))
                }
            }
            begin()
        }
        // A service that ends would end the group.
        try? await gracefulShutdown()
    }

    private func begin() {
        guard !over.isMade else { return }
        onBegin()
        over.make()
    }

    private func look() async throws {
        var configuration = database
        configuration.sharedConnections = 1
        configuration.exclusiveConnections = 1
        let folder: MigrationFolder?
        do {
            folder = try SQLFolder.find(nil)
        } catch {
            folder = nil
            logger.warning("the folder of migrations is not beside the program: that none is missing cannot be said")
        }
        var quiet = logger
        quiet.logLevel = .critical
        let findings = try await DatabaseSession.run(configuration, endingOn: [], logger: quiet) { postgres in
            do {
                return try await Admittance(postgres: postgres, folder: folder)
                    .examine(deadline: .now + Self.patience)
            } catch let refusal as Admittance.Refusal {
                throw CommandFailure(.configuration, refusal)
            }
        }
        for finding in findings { logger.warning("\(finding.check)", metadata: ["detail": "\(finding.detail)"]) }
    }
}

extension PostgresError {
    /// Whether the database could not be asked, so that nothing is known of it: it is away, starts, stops or is full.
    fileprivate var saysNothing: Bool {
        guard let sqlState else { return true }
        return ["08", "53", "57", "58", "XX"].contains(sqlState.category)
    }
}

/// Something that happens once, and that others wait for.
final class Announcement: Sendable {
    private enum State {
        case open([UInt64: CheckedContinuation<Void, Never>], last: UInt64)
        case made
    }

    private let state = Mutex(State.open([:], last: 0))

    /// Whether it has happened.
    var isMade: Bool {
        state.withLock { state in
            if case .made = state { true } else { false }
        }
    }

    /// Lets all who wait go on.
    func make() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .open(let waiting, _) = state else { return [] }
            state = .made
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits for it, or until the task is cancelled.
    func wait() async {
        let id = state.withLock { state -> UInt64 in
            guard case .open(let waiting, let last) = state else { return 0 }
            state = .open(waiting, last: last + 1)
            return last + 1
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard case .open(var waiting, let last) = state, !Task.isCancelled else { return true }
                    waiting[id] = continuation
                    state = .open(waiting, last: last)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard case .open(var waiting, let last) = state else { return nil }
                defer { state = .open(waiting, last: last) }
                return waiting.removeValue(forKey: id)
            }
            continuation?.resume()
        }
    }
}

/// A service that begins after the first look.
struct Afterwards: Service {
    let look: FirstLook
    let service: any Service

    func run() async throws {
        await cancelWhenGracefulShutdown { await look.over.wait() }
        guard look.over.isMade else { return }
        try await service.run()
    }
}
