/// An answer was not computed, to protect the database or because its reader ran out of time.
package struct CacheOverload: Error, Sendable, Equatable, CustomStringConvertible {
    private enum Reason: Sendable {
        case refused
        case late
    }

    private let reason: Reason

    /// Too many answers wait to be computed already.
    package static let refused = CacheOverload(reason: .refused)
    /// The reader's deadline came first.
    package static let late = CacheOverload(reason: .late)

    package var description: String {
        switch reason {
        case .refused: "too many cache fills are waiting"
        case .late: "the answer was not there in time"
        }
    }
}

/// An error of a fill that may be an answer.
///
/// A failure of a RELAXED module is answered by an old value if there is one, an answer is not.
package protocol CacheFinalError: Error {
    /// Whether the error is what the client is to be told.
    var isFinal: Bool { get }
}
