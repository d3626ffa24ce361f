import Postgres

/// Copies the odd chunks of an import to the session that writes them.
struct SalesImportCopy {
    private let source: ImportSession
    private let target: ImportSession

    init(from source: ImportSession, to target: ImportSession) {
        self.source = source
        self.target = target
    }

    func run() async throws {
        try await target.lease.transaction(tenant: target.tenant) {
            try await target.perform(OpenAssist())
            try await source.lease.transaction(tenant: source.tenant) {
                try await copy(
                    """
                    COPY (
                        SELECT t.document, t.is_return, t.external_id, t.id, t.payment_id, t.ledger_id, t.occurred_at,
                               t.business_day, t.method
                        FROM pg_temp.import_target t
                        JOIN pg_temp.import_chunk c ON c.document = t.document
                        WHERE c.chunk % 2 = 1
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_target (document, is_return, external_id, id, payment_id, ledger_id, occurred_at,
                                                business_day, method)
                    FROM STDIN (FORMAT binary)
                    """
                )
                try await copy(
                    """
                    COPY (
                        SELECT p.document, p.position, p.line, p.is_return, p.product_id, p.sku, p.name, p.unit,
                               p.tracks_stock, p.quantity, p.unit_price, p.price_source, p.tax_rate, p.gross, p.tax,
                               p.total, p.id, p.movement_id, p.cost
                        FROM pg_temp.import_part p
                        WHERE p.chunk % 2 = 1
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_part (document, position, line, is_return, product_id, sku, name, unit,
                                              tracks_stock, quantity, unit_price, price_source, tax_rate, gross, tax,
                                              total, id, movement_id, cost)
                    FROM STDIN (FORMAT binary)
                    """
                )
            }
            try await target.perform(FinishAssist())
        }
    }

    private func copy(_ out: StaticString, _ in: StaticString) async throws {
        let handoff = Handoff()
        let lease = target.lease
        async let taken = Self.take(handoff, lease, `in`)
        do {
            try await source.lease.copyOut(out) { portion in
                guard await handoff.give(portion) else { throw CancellationError() }
            }
            handoff.finish(.success(()))
        } catch {
            handoff.finish(.failure(error))
            // The taker knows better why nobody took.
            try await taken
            throw error
        }
        try await taken
    }

    private static func take(_ handoff: Handoff, _ lease: Lease, _ sql: StaticString) async throws {
        do {
            try await lease.copyIn(sql, from: handoff)
        } catch {
            handoff.abandon()
            throw error
        }
    }
}
