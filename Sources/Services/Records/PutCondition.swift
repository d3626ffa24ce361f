/// What a PUT with the client's id demands of what is there.
package enum PutCondition: Sendable, Equatable {
    /// `If-None-Match: *`: nothing yet.
    case absent
    /// `If-Match`: this version.
    case matching(ExpectedVersion)
}
