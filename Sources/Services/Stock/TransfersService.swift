import Cache
package import Kernel
package import Postgres

/// Transfers of goods from one location to another.
package final class TransfersService: Sendable {
    private let store: Store
    private let cursors: PageCursors

    /// Every statement of this service, prepared on each connection.
    package static let statements: [any Statement.Type] = [
        DraftTransfer.self, ChangeTransfer.self, SendTransfer.self, ReceiveTransfer.self, CancelTransfer.self,
        Conclude<Transfer>.self, ReadDocument<Transfer>.self, ListTransfers.self,
    ]

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: Runs its units of work.
    ///   - cursors: Signs the places where pages end.
    package init(store: Store, cursors: PageCursors) {
        self.store = store
        self.cursors = cursors
    }

    /// Makes a draft; nothing leaves yet.
    ///
    /// - Parameters:
    ///   - request: What goes where.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the transfer.
    /// - Throws: 422 for goods or locations that are not there.
    package func draft(
        _ request: TransferRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let id = TransferID.make()
        let request = TransferRequest(
            fromLocationID: request.fromLocationID,
            toLocationID: request.toLocationID,
            note: request.note,
            lines: try await store.goods.inUnits(request.lines, \.product, \.quantity, context)
        )
        return try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Transfer> in
            try unit.refuseElsewhere(.locations([(request.fromLocationID, "/from_location_id")]), context.caller)
            try unit.add(DraftTransfer(id: id, request: request, userID: context.caller.user))
            return .created(Transfer(id))
        }
    }

    /// A patch whose lines are in the units of their products.
    private func inUnits(_ patch: TransferPatch, _ context: CallContext) async throws(Problem) -> TransferPatch {
        guard let lines = patch.lines.newValue else { return patch }
        var patch = patch
        patch.lines = .set(try await store.goods.inUnits(lines, \.product, \.quantity, context))
        return patch
    }

    /// Changes a draft.
    ///
    /// - Parameters:
    ///   - id: The transfer.
    ///   - patch: What changes.
    ///   - expected: What `If-Match` demands.
    ///   - context: Who asks.
    /// - Returns: 200 with the transfer.
    /// - Throws: 404; 412; 409 `invalid_state` for what is no draft any more; 422.
    package func change(
        _ id: TransferID,
        _ patch: TransferPatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        let patch = try await inUnits(patch, context)
        return try await store.write(context) { (unit) throws(PostgresError) -> Effect<Transfer> in
            try unit.refuseElsewhere(.leaving(id), context.caller)
            if let from = patch.fromLocationID.newValue {
                try unit.refuseElsewhere(.locations([(from, "/from_location_id")]), context.caller)
            }
            try unit.add(ChangeTransfer(id: id, expected: expected, patch: patch))
            return .changed(Transfer(id))
        }
    }

    /// Sends a draft: its goods are in transit from then on, and it has a number.
    ///
    /// - Parameters:
    ///   - id: The transfer.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the transfer.
    /// - Throws: 404; 409 `invalid_state`, `insufficient_stock` naming each line; 422 for a location that was closed.
    package func send(
        _ id: TransferID,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Transfer> in
            try unit.refuseElsewhere(.leaving(id), context.caller)
            try unit.add(SendTransfer(id: id, userID: context.caller.user))
            return .changed(Transfer(id))
        }
    }

    /// Receives what is in transit; what is lost on the way never comes.
    ///
    /// - Parameters:
    ///   - id: The transfer.
    ///   - lines: What came and what is lost; all that is left comes, if there are none.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the transfer.
    /// - Throws: 404; 409 `invalid_state`; 422 for more than is in transit, or a loss without a reason.
    package func receive(
        _ id: TransferID,
        _ lines: [ReceivedLine],
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Transfer> in
            try unit.refuseElsewhere(.coming(id), context.caller)
            try unit.add(ReceiveTransfer(id: id, lines: lines, userID: context.caller.user))
            return .changed(Transfer(id))
        }
    }

    /// Gives a draft up.
    ///
    /// - Parameters:
    ///   - id: The transfer.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the transfer.
    /// - Throws: 404; 409 `invalid_state`.
    package func cancel(
        _ id: TransferID,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Transfer> in
            try unit.refuseElsewhere(.leaving(id), context.caller)
            try unit.add(CancelTransfer(id: id, userID: context.caller.user))
            return .changed(Transfer(id))
        }
    }

    /// One transfer with its lines.
    package func transfer(_ id: TransferID, _ caller: Caller) -> CachedRead {
        caller.read(.stock, Transfer(id), "transfer")
    }

    /// A page of transfers, the last made first.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - page: How many, and where the page begins.
    ///   - caller: Who asks.
    /// - Returns: The read of the page.
    /// - Throws: 400 `cursor_mismatch`.
    package func list(_ filter: TransferFilter, _ page: Page, _ caller: Caller) throws(Problem) -> CachedRead {
        var builder = KeyBuilder("list-transfers")
        builder.add(filter.status?.rawValue)
        builder.add(filter.locationID?.description)
        let page = try PagePosition(builder, page, cursors: cursors, tenant: caller.tenant, module: .stock)
        return page.read(ListTransfers(filter: filter, after: page.afterMoment()?.id, limit: page.limit))
    }
}
