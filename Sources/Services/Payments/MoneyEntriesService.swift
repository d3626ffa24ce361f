import Cache
import Domain
package import Kernel
package import Postgres

/// Money that moved for no document, of one source: recorded once, reversed by a second row.
package final class MoneyEntriesService<Source: MoneyEntrySource>: Sendable {
    private let store: Store
    private let cursors: PageCursors

    /// Every statement of this service, prepared on each connection.
    package static var statements: [any Statement.Type] {
        [
            RecordEntry<Source>.self, ReverseEntry<Source>.self, Conclude<MoneyEntry<Source>>.self,
            ReadDocument<MoneyEntry<Source>>.self, ListEntries<Source>.self,
        ]
    }

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: Runs its units of work.
    ///   - cursors: Signs the places where pages end.
    package init(store: Store, cursors: PageCursors) {
        self.store = store
        self.cursors = cursors
    }

    /// Records money that came in or went out.
    ///
    /// - Parameters:
    ///   - request: How much, how, for what.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the entry.
    /// - Throws: 409 `session_closed`, `period_closed`; 422; or what kept the unit from running.
    package func record(
        _ request: MoneyEntryRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let (id, ledgerID) = (ID<Source>.make(), LedgerEntryID.make())
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<MoneyEntry<Source>> in
            if let register = request.registerID {
                try unit.refuseElsewhere(.register(register), context.caller)
            }
            try unit.add(
                RecordEntry(id: id, ledgerID: ledgerID, request: request, userID: context.caller.user)
            )
            return .created(MoneyEntry(id))
        }
    }

    /// Reverses an entry, on the day it is asked for.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - reason: Why.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the entry.
    /// - Throws: 404, 409 `invalid_state` if it is reversed already, `session_closed` where its drawer needs a session.
    package func reverse(
        _ id: ID<Source>,
        reason: String,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let ledgerID = LedgerEntryID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<MoneyEntry<Source>> in
            try unit.refuseElsewhere(.entry(id.entity), context.caller)
            try unit.add(ReverseEntry(id: id, ledgerID: ledgerID, reason: reason, userID: context.caller.user))
            return .changed(MoneyEntry(id))
        }
    }

    /// One entry.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body.
    package func entry(_ id: ID<Source>, _ caller: Caller) -> CachedRead {
        caller.read(Source.module, MoneyEntry<Source>(id), "entry")
    }

    /// A page of entries, newest first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: MoneyEntryFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("entries")
        builder.add(filter.category)
        builder.add(filter.supplierID?.description)
        builder.add(filter.method?.rawValue)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: Source.module)
        return page.read(ListEntries<Source>(filter: filter, after: page.afterMoment(), limit: page.limit))
    }
}
