/// What a listener learns.
package enum ListenEvent: Sendable, Equatable {
    /// Listening began, or began again after a lost connection or a full queue: notifications may be missing.
    case resync
    /// A notification with its payload.
    case notification(String)
}
