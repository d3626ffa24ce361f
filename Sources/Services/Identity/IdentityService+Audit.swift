import Cache
package import Domain
package import Kernel
import Logging
package import NIOCore
import Postgres

/// Which entries of the audit are wanted.
package struct AuditFilter: Sendable, Equatable {
    /// Of this member or API key.
    package var actor: EntityID?
    /// Of this member, record or other thing that was acted upon.
    package var subject: EntityID?
    /// Of this kind.
    package var action: AuditAction?
    /// Of these business days only.
    package var days = DayRange.all

    /// Everything.
    package init() {}
}

extension IdentityService {
    /// `GET /v1/audit`: what happened to accounts, keys, settings and records, the newest first; never cached.
    ///
    /// - Parameters:
    ///   - filter: Which entries.
    ///   - page: How many, and where the page begins.
    ///   - context: Who asks.
    /// - Returns: The page's body.
    /// - Throws: 400 `cursor_mismatch`.
    package func audit(
        _ filter: AuditFilter,
        _ page: Page,
        _ context: CallContext
    ) async throws(Problem) -> (body: ByteBuffer, eventSequence: Int64) {
        let parts = [
            filter.actor?.description, filter.subject?.description, filter.action?.rawValue,
            filter.days.from?.description,
            filter.days.to?.description,
        ]
        let query = "audit " + parts.map { $0 ?? "" }.joined(separator: " ")
        let values = try cursors.decode(page.cursor, count: 2, tenant: context.tenant, query: query)
        var after: (at: Timestamp, id: AuditEntryID)?
        // A signed cursor holds what a page of ours ended with, so it can be read.
        if let values, let at = Timestamp(values[0]), let id = AuditEntryID(values[1]) { after = (at, id) }
        let rows = try await store.query(
            ListAudit(filter: filter, after: after, limit: page.limit),
            tenant: context.tenant,
            deadline: context.deadline
        )
        guard var row = rows.first else { throw Problem(.internalError, "Something went wrong on our side.") }
        let filled = Filled(page: &row) { cursors.encode($0, tenant: context.tenant, query: query) }
        guard case .body(let body, _) = filled.content else { throw Problem(.internalError, "Something went wrong.") }
        return (body, row.eventSequence)
    }

    /// Writes what was noted late, until the notes end; run it beside the service.
    package func writeLateNotes() async {
        for await note in lateNotes.stream {
            do {
                _ = try await store.transact(nil, deadline: .now + .seconds(10)) {
                    (unit) throws(PostgresError) -> Slot<CurrentTenant.Row> in
                    try unit.add(Act(actor: .anybody(note.origin)))
                    try unit.add(NotePerson(user: note.user, action: note.action, details: note.details))
                    return try unit.add(CurrentTenant())
                }
            } catch {
                logger.warning(
                    "an audit entry could not be written",
                    metadata: ["action": "\(note.action.rawValue)", "request_id": "\(note.origin.requestID)"]
                )
            }
        }
    }

    /// Lets ``writeLateNotes()`` end once it has written what is there.
    package func endLateNotes() { lateNotes.continuation.finish() }
}

/// What the audit notes after the answer.
///
/// A wrong password is refused in the same time whether the account exists or not, so the row that only one of the two gets must
/// not be waited for. There is a bound: what does not fit is in the log alone.
struct LateNotes: Sendable {
    struct Entry: Sendable {
        let user: UserID
        let action: AuditAction
        let details: AuditDetails
        let origin: Origin
    }

    let stream: AsyncStream<Entry>
    let continuation: AsyncStream<Entry>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1_000))
    }
}
