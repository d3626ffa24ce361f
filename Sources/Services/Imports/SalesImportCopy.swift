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
                        SELECT g.document, g.is_return, g.external_id, g.id, g.payment_id, g.ledger_id, g.occurred_at,
                               g.business_day, g.method, g.rows, g.customer_id, g.register_id, g.location_id, g.due,
                               g.has_tenders
                        FROM pg_temp.import_going g
                        WHERE g.chunk % 2 = 1
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_going (document, is_return, external_id, id, payment_id, ledger_id, occurred_at,
                                               business_day, method, rows, customer_id, register_id, location_id, due,
                                               has_tenders)
                    FROM STDIN (FORMAT binary)
                    """
                )
                try await copy(
                    """
                    COPY (
                        SELECT p.sku, p.product_id, p.product_sku, p.name, p.price, p.tax_rate, p.tracks_stock, p.unit,
                               p.cost, p.taxes
                        FROM pg_temp.import_product p
                        WHERE p.product_id IS NOT NULL
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_product (sku, product_id, product_sku, name, price, tax_rate, tracks_stock, unit,
                                                 cost, taxes)
                    FROM STDIN (FORMAT binary)
                    """
                )
                try await copy(
                    """
                    COPY (
                        SELECT l.document, l.sku, l.line, l.quantity, l.unit_price, l.id, l.movement_id, l.position,
                               l.discount, l.tax_rate
                        FROM pg_temp.import_line l
                        JOIN pg_temp.import_going g ON g.document = l.document
                        WHERE g.chunk % 2 = 1
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_line (document, sku, line, quantity, unit_price, id, movement_id, position, discount,
                                              tax_rate)
                    FROM STDIN (FORMAT binary)
                    """
                )
                try await copy(
                    """
                    COPY (
                        SELECT n.document, n.method, n.amount, n.payment_id, n.ledger_id
                        FROM pg_temp.import_tender n
                        JOIN pg_temp.import_going g ON g.document = n.document
                        WHERE g.chunk % 2 = 1
                    ) TO STDOUT (FORMAT binary)
                    """,
                    """
                    COPY pg_temp.import_tender (document, method, amount, payment_id, ledger_id) FROM STDIN (FORMAT binary)
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
