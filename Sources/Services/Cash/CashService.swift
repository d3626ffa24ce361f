import Cache
package import Kernel
package import Postgres

/// Cash sessions: opened, closed, and what goes through a drawer beside sales.
///
/// Nothing of them is cached: what a drawer should hold is asked for when somebody stands before it.
package struct CashService: Sendable {
    let store: Store
    let cursors: PageCursors

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        OpenCashSession.self, RecordCashEntry.self, CloseCashSession.self, ListCashSessions.self,
        Conclude<CashSession>.self, ReadDocument<CashSession>.self,
    ]

    /// Opens a session at a register.
    ///
    /// - Parameters:
    ///   - register: Which one.
    ///   - opening: What is in the drawer.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the session.
    /// - Throws: 404 `not_found`, 409 `invalid_state` if one is open there, or the register is retired.
    package func open(
        _ register: RegisterID,
        _ opening: CashSessionOpening,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = CashSessionID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<CashSession> in
            try unit.refuseElsewhere(.register(register), context.caller)
            try unit.add(
                OpenCashSession(id: id, registerID: register, opening: opening, userID: context.caller.user)
            )
            return .created(CashSession(id))
        }
    }

    /// Records cash that goes into a drawer or out of it for no document.
    ///
    /// - Parameters:
    ///   - session: Whose drawer.
    ///   - request: Which way, how much, what for.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the session, the entry among its others.
    /// - Throws: 404 `not_found`, 409 `session_closed`, `period_closed`.
    package func record(
        _ session: CashSessionID,
        _ request: CashEntryRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = ID<Entity.CashEntry>.make()
        let ledgerID = LedgerEntryID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<CashSession> in
            try unit.refuseElsewhere(.session(session), context.caller)
            try unit.add(
                RecordCashEntry(
                    id: id,
                    ledgerID: ledgerID,
                    sessionID: session,
                    request: request,
                    userID: context.caller.user
                )
            )
            return .changed(CashSession(session))
        }
    }

    /// Ends a session; the difference goes to the ledger.
    ///
    /// - Parameters:
    ///   - session: Which one.
    ///   - count: What is in the drawer.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the session and what it came to.
    /// - Throws: 404 `not_found`, 409 `session_closed`, `period_closed`, 422 `validation_failed`.
    package func close(
        _ session: CashSessionID,
        _ count: CashCount,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let ledgerID = LedgerEntryID.make()
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<CashSession> in
            try unit.refuseElsewhere(.session(session), context.caller)
            try unit.add(
                CloseCashSession(id: session, ledgerID: ledgerID, count: count, userID: context.caller.user)
            )
            return .changed(CashSession(session))
        }
    }

    /// One session with what it has come to.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - caller: Who asks.
    /// - Returns: The read of its body, to be answered fresh.
    package func session(_ id: CashSessionID, _ caller: Caller) -> CachedRead {
        caller.read(.balance, CashSession(id))
    }

    /// A page of sessions, the last opened first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page, to be answered fresh.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: CashSessionFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("sessions")
        builder.add(filter.registerID?.description)
        builder.add(filter.status?.rawValue)
        builder.add(filter.days.from?.description)
        builder.add(filter.days.to?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .balance)
        return page.read(ListCashSessions(filter: filter, after: page.afterMoment(), limit: page.limit))
    }
}
