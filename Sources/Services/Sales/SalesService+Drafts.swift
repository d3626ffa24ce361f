import Cache
package import Kernel
import Postgres

extension SalesService {
    /// Puts a sale away, at the list prices of now: it has no number, moves nothing and is paid by nobody.
    ///
    /// Its goods are held back where the tenant has drafts do so.
    ///
    /// - Parameters:
    ///   - request: What is put away.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 201 with the draft.
    /// - Throws: 409 or 422 for what its lines could not be sold by, but for what is asked when they are; 409 `insufficient_stock` for
    ///   what can not be held back; what kept the unit from running.
    package func draft(
        _ request: SaleRequest,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let place = Placed.register(request.registerID)
            let plan = try await compute(request, isFirst, at: [place], context) {
                (request, snapshot) throws(Problem) in
                try DraftPlan(request, from: snapshot, by: context.caller)
            }
            return try await store.attemptWrite(context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
                try unit.refuseElsewhere(place, context.caller)
                try unit.add(DraftSale(plan: plan, expected: .any))
                try unit.pack(plan.cart, plan.lineIDs)
                return .created(Sale(plan.id))
            }
        }
    }

    /// Changes a draft, or writes the remark on any sale.
    ///
    /// Lines that are not named keep their prices; those that are named have the list prices of now.
    ///
    /// - Parameters:
    ///   - id: Which sale.
    ///   - patch: What changes.
    ///   - expected: The version that the client has read.
    ///   - context: Who asks.
    /// - Returns: 200 with the sale as it is now.
    /// - Throws: 404; 412 `version_mismatch`; 409 `invalid_state` if more than the remark is to change of what is no draft; 409
    ///   `insufficient_stock` for what can not be held back; what kept the unit from running.
    package func change(
        _ id: SaleID,
        _ patch: SalePatch,
        expected: ExpectedVersion,
        _ context: CallContext
    ) async throws(Problem) -> Answer {
        guard patch.changesCart else { return try await annotate(id, note: patch.note, expected: expected, context) }
        return try await attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let draft = try await read(id, expected: expected, context)
            let request = draft.changed(by: patch)
            let places = [Placed.sale(id), .register(request.registerID)]
            let plan = try await compute(request, isFirst, at: places, context) { (request, snapshot) throws(Problem) in
                try DraftPlan(request, from: snapshot, by: context.caller, draft: draft)
            }
            return try await store.attemptWrite(context) { (unit) throws(PostgresError) -> Effect<Sale> in
                for place in places { try unit.refuseElsewhere(place, context.caller) }
                try unit.add(DraftSale(plan: plan, expected: expected))
                try unit.pack(plan.cart, plan.lineIDs)
                return .changed(Sale(id))
            }
        }
    }

    /// Sells what was put away, as any other sale; at any till of its place.
    ///
    /// - Parameters:
    ///   - id: Which draft.
    ///   - confirmation: Where, when and how it is paid.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with the sale.
    /// - Throws: 404; 409 `invalid_state` for what is no draft; 409 `price_changed` with every line whose list price is another by
    ///   now, where the tenant wants it; what a sale is refused with.
    package func confirm(
        _ id: SaleID,
        _ confirmation: SaleConfirmation,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        let approval = try await self.approval(confirmation.approval, context)
        return try await attempts { (isFirst) async throws(WriteFailure) -> Answer in
            let draft = try await read(id, context)
            let request = draft.sold(confirmation)
            let places = [Placed.sale(id), .register(request.registerID)]
            let plan = try await compute(request, isFirst, at: places, context) { (request, snapshot) throws(Problem) in
                try SalePlan(request, from: snapshot, by: context.caller, draft: draft, approval: approval)
            }
            return try await sell(plan, context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
                for place in places { try unit.refuseElsewhere(place, context.caller) }
                try unit.sell(plan)
                return .changed(Sale(id))
            }
        }
    }

    /// Gives a draft up.
    ///
    /// - Parameters:
    ///   - id: Which draft.
    ///   - context: Who asks.
    ///   - key: The request's key.
    /// - Returns: 200 with what it is now.
    /// - Throws: 404; 409 `invalid_state` for what is no draft; what kept the unit from running.
    package func discard(
        _ id: SaleID,
        _ context: CallContext,
        key: IdempotencyKey?
    ) async throws(Problem) -> Answer {
        try await store.write(context, key: key) { (unit) throws(PostgresError) -> Effect<Sale> in
            try unit.refuseElsewhere(.sale(id), context.caller)
            try unit.add(DiscardSale(id: id, userID: context.caller.user))
            return .changed(Sale(id))
        }
    }

    /// Reads a draft, past every cache.
    ///
    /// - Parameters:
    ///   - id: Which one.
    ///   - expected: The version that the client has read.
    ///   - context: Who asks.
    /// - Returns: The draft; the unit that writes it compares its version.
    /// - Throws: 404; 412 `version_mismatch`; 409 `invalid_state` for what is no draft.
    private func read(
        _ id: SaleID,
        expected: ExpectedVersion = .any,
        _ context: CallContext
    ) async throws(WriteFailure) -> SaleDraft {
        let rows: [ReadDraft.Row]
        do throws(Problem) {
            rows = try await store.query(ReadDraft(id: id), tenant: context.tenant, deadline: context.deadline)
        } catch {
            throw .problem(error)
        }
        guard let first = rows.first else { throw .problem(.notFound) }
        try first.check(expected, [SaleFilter.Status.draft.rawValue], noun: "sale")
        var cart = SaleRequest(rows)
        cart.purpose = .draft
        return SaleDraft(id: id, version: first.version, cart: cart)
    }
}
