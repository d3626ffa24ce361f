/// Why a Redis command has no answer.
///
/// For the cache every error is a miss, and a write that is dropped and counted; none reaches a client of the shop.
package struct RedisError: Error, Sendable, Hashable {
    /// The kind of an error, matched with `~=` or `==`.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Base: String {
            case unavailable
            case breakerOpen
            case overloaded
            case connectionFailed
            case connectionLost
            case timedOut
            case cancelled
            case closed
            case invalidCommand
            case invalidConfiguration
            case unexpectedReply
            case server
            case noScript
            case loading
            case busy
            case readOnly
            case outOfMemory
            case misconfigured
            case notAuthenticated
            case notPermitted
            case notPrimary
            case unknownPrimary
        }

        private let base: Base

        private init(_ base: Base) {
            self.base = base
        }

        /// There is no connection at the moment.
        package static let unavailable = Code(.unavailable)
        /// Too many errors of late: Redis is left alone for a while.
        package static let breakerOpen = Code(.breakerOpen)
        /// Too many commands wait for their replies.
        package static let overloaded = Code(.overloaded)
        /// A connection could not be made.
        package static let connectionFailed = Code(.connectionFailed)
        /// The connection ended before the reply.
        package static let connectionLost = Code(.connectionLost)
        /// No reply within the command's time.
        package static let timedOut = Code(.timedOut)
        /// The waiting task was cancelled.
        package static let cancelled = Code(.cancelled)
        /// The client is being shut down.
        package static let closed = Code(.closed)
        /// The command could not be sent as it is.
        package static let invalidCommand = Code(.invalidCommand)
        /// The address or another setting makes no sense.
        package static let invalidConfiguration = Code(.invalidConfiguration)
        /// The reply is none of those that the command has.
        package static let unexpectedReply = Code(.unexpectedReply)
        /// An error reply of no other kind.
        package static let server = Code(.server)
        /// `NOSCRIPT`: the server does not know the script's digest.
        package static let noScript = Code(.noScript)
        /// `LOADING`: the server reads its data.
        package static let loading = Code(.loading)
        /// `BUSY`: a script runs too long.
        package static let busy = Code(.busy)
        /// `READONLY`: a replica.
        package static let readOnly = Code(.readOnly)
        /// `OOM`: `maxmemory` is reached.
        package static let outOfMemory = Code(.outOfMemory)
        /// `MISCONF`: the server cannot save and refuses writes.
        package static let misconfigured = Code(.misconfigured)
        /// `NOAUTH`, `WRONGPASS`: the password is missing or wrong.
        package static let notAuthenticated = Code(.notAuthenticated)
        /// `NOPERM`: the access control list forbids it.
        package static let notPermitted = Code(.notPermitted)
        /// The server is not, or no longer, the primary that Sentinel names.
        package static let notPrimary = Code(.notPrimary)
        /// No sentinel knows a primary of that name.
        package static let unknownPrimary = Code(.unknownPrimary)

        package var description: String { base.rawValue }
    }

    package let code: Code
    /// The words of the server, the client library or this client; never an argument of a command.
    package let message: String
    /// Whether the server may have executed the command.
    package let mayHaveRun: Bool

    init(_ code: Code, _ message: String = "", mayHaveRun: Bool = false) {
        self.code = code
        self.message = message
        self.mayHaveRun = mayHaveRun
    }

    /// The error that a server's error reply stands for, told by its first word.
    init(reply message: String) {
        let word = message.prefix { $0 != " " }
        let code: Code =
            switch word {
            case "NOSCRIPT": .noScript
            case "LOADING": .loading
            case "BUSY": .busy
            case "READONLY": .readOnly
            case "OOM": .outOfMemory
            case "MISCONF": .misconfigured
            case "NOAUTH", "WRONGPASS": .notAuthenticated
            case "NOPERM": .notPermitted
            default: .server
            }
        self.init(code, message)
    }

    package static func ~= (code: Code, error: RedisError) -> Bool {
        error.code == code
    }

    /// Whether the server said so, and is therefore alive.
    var isReply: Bool {
        switch code {
        case .server, .noScript, .loading, .busy, .readOnly, .outOfMemory, .misconfigured, .notAuthenticated,
            .notPermitted:
            true
        default: false
        }
    }

    /// Whether the error speaks against the server as a whole, so that it counts for the breaker.
    ///
    /// Lost connections are counted once each and not by command; refused writes (`OOM`, `READONLY`, `MISCONF`) leave
    /// reads working.
    var countsForBreaker: Bool {
        code == .loading || code == .busy
    }
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        message.isEmpty ? "redis: \(code)" : "redis: \(code): \(message)"
    }
}
