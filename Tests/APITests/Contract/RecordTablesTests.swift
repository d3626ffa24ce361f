import Cache
import Kernel
import Postgres
import TestSupport
import Testing

@testable import API
@testable import Services

/// What a migration can forget, asked of the catalog for every record: each is told of here, and by nothing else.
@Suite("The tables of records")
struct RecordTablesTests {
    private static let records = Routes.areas.flatMap { $0.records }
    /// Their tables, as a list of SQL.
    private static let tables = records.map { "'\($0.table.text)'::regclass" }.joined(separator: ", ")

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    // MARK: What is held against the catalog

    /// Columns of text that take a text of any length.
    private static func unbounded(_ database: TestDatabase) async throws -> [String] {
        Self.lines(
            try await database.psql(
                """
                SELECT c.relname || '.' || a.attname FROM pg_attribute a
                JOIN pg_class c ON c.oid = a.attrelid
                WHERE c.relnamespace = 'stock'::regnamespace AND c.relkind IN ('r', 'p')
                  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid = 'text'::regtype
                  -- A length, some names, a pattern, or what another column holds.
                  AND NOT EXISTS (
                      SELECT FROM pg_constraint k
                      WHERE k.conrelid = c.oid AND a.attnum = ANY (k.conkey)
                        AND (k.contype = 'f' OR k.contype = 'c' AND pg_get_constraintdef(k.oid)
                             ~ format('length\\(%1$s\\)|\\m%1$s = |\\m%1$s ~ ''\\^.*\\$''', a.attname)))
                ORDER BY 1
                """
            )
        )
    }

    /// References to records along which nothing can be found: the rows below a record, and what a deletion asks.
    private static func unindexed(_ database: TestDatabase) async throws -> [String] {
        Self.lines(
            try await database.psql(
                """
                SELECT k.conname FROM pg_constraint k
                WHERE k.contype = 'f' AND k.confrelid IN (\(tables))
                  AND NOT EXISTS (
                      SELECT FROM pg_index i
                      WHERE i.indrelid = k.conrelid
                        AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                        AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$'))
                ORDER BY 1
                """
            )
        )
    }

    /// The statements of a record that answer something: what is cached knows the snapshot that it was read by.
    ///
    /// Without the last event of that snapshot, which is told beside the body and shown in none.
    private static func reads(_ record: any Record.Type) -> [String] {
        record.statements.map { statement in statement.sql.text }.filter { $0.contains("pg_current_snapshot()") }
            .map { $0.replacing(SQL.lastEvent.text, with: "0") }
    }

    /// The tables that an SQL text names, itself or by the functions that it calls.
    private static func tables(of text: String, _ database: TestDatabase) async throws -> [String] {
        Self.lines(
            try await database.psql(
                """
                WITH RECURSIVE said (text) AS (
                    SELECT '\(text.replacing("'", with: "''"))' COLLATE "C"
                    UNION
                    SELECT coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) COLLATE "C" FROM said s
                    JOIN pg_proc p ON p.pronamespace = 'stock'::regnamespace
                                  AND s.text ~ format('\\mstock\\.%s\\(', p.proname)
                )
                SELECT DISTINCT c.relname FROM said s
                JOIN pg_class c ON c.relnamespace = 'stock'::regnamespace AND c.relkind IN ('r', 'p')
                               AND s.text ~ format('\\mstock\\.%s\\M[^(]', c.relname)
                -- A tenant's own row retires all that is theirs.
                WHERE c.relname <> 'tenant'
                ORDER BY 1
                """
            )
        )
    }

    /// Tables that a record's answers show, in its body or in a list, and whose changes do not retire them.
    private static func unretired(_ database: TestDatabase) async throws -> [String] {
        var found: [String] = []
        for record in Self.records {
            let retiring = Self.lines(
                try await database.psql(
                    "SELECT relation FROM stock.cache_matrix WHERE '\(record.module.rawValue)' = ANY (modules)"
                )
            )
            let shown = try await Self.tables(of: Self.reads(record).joined(separator: "\n"), database)
            found += shown.filter { !retiring.contains($0) }.map { "\(record.name) shows \($0)" }
        }
        return found
    }

    /// Tables that a record's body shows, and of which its entity tag, made of its version alone, tells nothing.
    private static func untagged(_ database: TestDatabase) async throws -> [String] {
        var found: [String] = []
        for record in Self.records {
            let body = "\(record.body.text)(r.tenant_id, r.id)"
            guard record.sql.text.hasPrefix(#"SELECT \#(body), '"' || r.version || '"'"#) else { continue }
            // What lies below a record is written with it, unless it has a version of its own, or goes with another record, too.
            let own = Self.lines(
                try await database.psql(
                    """
                    SELECT '\(record.table.text)'::regclass UNION ALL
                    SELECT k.conrelid::regclass FROM pg_constraint k
                    WHERE k.contype = 'f' AND k.confdeltype = 'c' AND k.confrelid = '\(record.table.text)'::regclass
                      AND NOT EXISTS (SELECT FROM pg_attribute a
                                      WHERE a.attrelid = k.conrelid AND a.attname LIKE '%version')
                      AND NOT EXISTS (SELECT FROM pg_constraint o
                                      WHERE o.conrelid = k.conrelid AND o.contype = 'f' AND o.confdeltype IN ('c', 'n', 'd')
                                        AND o.confrelid = ANY (ARRAY[\(tables)]::regclass[]) AND o.confrelid <> k.confrelid)
                    """
                )
            )
            let shown = try await Self.tables(of: body, database)
            found += shown.filter { !own.contains("stock.\($0)") }.map { "\(record.name) shows \($0)" }
        }
        return found
    }

    /// Unique indexes and references of records, each with the column it is about and the field that its refusal names.
    private static func refusals(
        _ database: TestDatabase
    ) async throws -> [(constraint: String, column: String, field: String)] {
        var found: [(String, String, String)] = []
        for record in Self.records {
            let table = record.table.text
            let constraints = try await database.psql(
                """
                SELECT v.name, v.state, a.attname
                FROM (SELECT i.indexrelid::regclass::text AS name, '23505' AS state, i.indkey::int2[] AS columns
                      FROM pg_index i WHERE i.indrelid = '\(table)'::regclass AND i.indisunique
                      UNION ALL
                      SELECT k.conname, '23503', k.conkey
                      FROM pg_constraint k WHERE k.conrelid = '\(table)'::regclass AND k.contype = 'f') v
                JOIN pg_attribute a ON a.attrelid = '\(table)'::regclass AND a.attnum = ANY (v.columns)
                WHERE a.attname <> 'tenant_id'
                """
            )
            for line in Self.lines(constraints) {
                let parts = line.replacing("stock.", with: "").split(separator: "|").map(String.init)
                let error = PostgresError(
                    sqlState: SQLState(parts[1]),
                    serverMessage: "",
                    constraint: parts[0],
                    table: table.replacing("stock.", with: "")
                )
                // What is unique without regard to case is so by the column beside it.
                let column = parts[2].hasSuffix("_key") ? String(parts[2].dropLast(4)) : parts[2]
                found.append(
                    (parts[0], column, error.problem.errors.first.map { String($0.pointer.dropFirst()) } ?? "")
                )
            }
        }
        return found
    }

    // MARK: What is so

    /// Columns of text that need no bound, by why.
    private static let boundless = [
        "written by the service alone, in its own words": [
            "app_user.password_hash", "audit_log.actor_name", "audit_log.address", "audit_log.request_id",
            "audit_log.subject_type", "cache_lane.database_identity", "cache_log.module",
            "cache_outbox.module", "domain_event.type", "idempotency_record.body", "idempotency_record.headers",
            "idempotency_record.route", "import_rejection.reason", "import_request.error", "ledger_entry.category",
            "ledger_entry.source_type",
            "schema_migration.checksum",
            "schema_migration.name", "stock_movement.ref_type",
        ],
        "one of a few words, or a code, by the rules of its table": [
            "ledger_entry.direction", "ledger_entry.method", "payment.direction", "payment.method", "payment.status",
            "sale.status", "sale_line.price_source", "stock_movement.kind",
        ],
        "a copy of what has a bound where it is entered": [
            "customer_search.name_key", "location_level.name_key", "price_history.packaging",
            "product_search.name_key", "purchase_line.name", "purchase_line.packaging", "purchase_line.sku",
            "purchase_line.unit", "quote_line.name", "quote_line.packaging", "quote_line.sku", "quote_line.unit",
            "sale_line.name", "sale_line.packaging", "sale_line.sku", "sale_line.unit",
            "sale_return_line.name", "sale_return_line.packaging", "sale_return_line.sku", "sale_return_line.unit",
            "stock_level.name_key",
            "transfer_line.name", "transfer_line.sku", "transfer_line.unit",
        ],
        "an operator's own file": ["import_job.file_name", "import_row.raw"],
    ]

    private static func database(_ name: String, _ body: (TestDatabase) async throws -> Void) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        try await body(database)
        try await database.drop()
    }

    @Test("every column of text has a CHECK that bounds it, or a reason why it needs none")
    func texts() async throws {
        try await Self.database("texts_of_tables") { database in
            let unbounded = Set(try await Self.unbounded(database))
            let boundless = Set(Self.boundless.values.flatMap { $0 })
            #expect(
                unbounded.subtracting(boundless).sorted() == [],
                "CHECK (length(...) BETWEEN 1 AND what its TextRule allows), or a pattern, or a reason above"
            )
            #expect(boundless.subtracting(unbounded).sorted() == [], "they have a bound, or are gone")
        }
    }

    /// The rules of texts that are in no record's own table; those of a record's are what its body is read by.
    private static let rules: [String: (rule: TextRule, isBlankable: Bool)] = [
        "api_key.name": (.name, false), "app_user.email": (.email, false), "app_user.name": (.name, true),
        "invitation.email": (.email, false), "product_barcode.code": (.barcode, false),
        "packaging.name": (.name, false), "import_request.name": (.name, false), "webhook.url": (.url, false),
        "register.name": (.name, false),
        "cash_entry.category": (.name, false), "cash_entry.note": (.note, true), "cash_session.note": (.note, true),
        "cash_session.closing_note": (.note, true),
        "money_entry.reversal_reason": (.reason, false),
        "payment_reversal.reason": (.reason, false), "sale_cancellation.reason": (.reason, false),
        "purchase_cancellation.reason": (.reason, false),
        "money_entry.category": (.name, false), "money_entry.note": (.note, false), "purchase.note": (.note, false),
        "purchase.reference": (.externalID, false), "purchase_cost.name": (.name, false),
        "sale.external_id": (.externalID, false), "sale.note": (.note, true),
        "sale_return.external_id": (.externalID, false), "sale_return.note": (.note, true),
        "stock_count.note": (.note, true), "quote.note": (.note, true), "approval.note": (.note, true),
        "transfer.note": (.note, true),
        "sale_exception.note": (.note, false),
        "stock_movement.reason": (.reason, false),
        "tenant.address": (.address, false), "tenant.logo": (.logo, false), "tenant.phone": (.phone, false),
        "tenant.receipt_footer": (.receiptFooter, false), "tenant.tax_id": (.taxID, false),
        "tenant.locale": (.locale, false), "tenant.name": (.name, false), "tenant.timezone": (.timezone, false),
    ]

    @Test("every field of text has the length in its column that it has where it is read")
    func lengths() async throws {
        let shop = try await TestShop(url: "postgres://nobody@localhost/nothing", runs: false)
        await shop.stop()
        var expected = Self.rules.mapValues { "\($0.isBlankable ? 0 : 1)-\($0.rule.maximum)" }
        for record in Self.records {
            let route = shop.api.routes.first { $0.isRecordMaking && $0.path == record.collection }
            for member in route?.body?.members ?? [] {
                guard let maximum = member.schema.maximum else { continue }
                expected["\(record.table.text).\(member.name)".replacing("stock.", with: "")] = "1-\(maximum)"
            }
        }
        try await Self.database("lengths_of_tables") { database in
            let found = try await database.psql(
                """
                SELECT c.conrelid::regclass || '.' || a.attname || '=' ||
                       array_to_string(ARRAY(SELECT m[1] FROM regexp_matches(pg_get_constraintdef(c.oid), '\\m\\d+', 'g') m), '-')
                FROM pg_constraint c
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                WHERE c.connamespace = 'stock'::regnamespace AND c.contype = 'c' AND cardinality(c.conkey) = 1
                  AND a.atttypid = 'text'::regtype AND pg_get_constraintdef(c.oid) ~ '^CHECK \\(\\(\\(length'
                """
            )
            var bounds: [String: String] = [:]
            for line in Self.lines(found) {
                let parts = line.replacing("stock.", with: "").split(separator: "=").map(String.init)
                bounds[parts[0]] = parts.count > 1 ? parts[1] : ""
            }
            // What no person enters has no rule.
            for column in [
                "idempotency_record.key", "audit_log.action", "sale_exception.pointer", "sale_exception.detail",
                "register_day.method", "tax_day.name",
            ] { bounds[column] = nil }
            for column in Set(bounds.keys).union(expected.keys).sorted() {
                #expect(
                    bounds[column] == expected[column],
                    "\(column): the CHECK is to say the length by which the field is read"
                )
            }
        }
    }

    @Test("the audit watches the table of every record, under the record's name")
    func audited() async throws {
        try await Self.database("audit_of_tables") { database in
            for record in Self.records {
                let nouns = try await database.psql(
                    """
                    SELECT string_agg(convert_from(rtrim(t.tgargs, '\\x00'::bytea), 'UTF8'), ',' ORDER BY t.tgname)
                    FROM pg_trigger t
                    WHERE t.tgrelid = '\(record.table.text)'::regclass AND t.tgname IN ('audited', 'audited_new')
                    """
                )
                #expect(
                    nouns == "\(record.nounText),\(record.nounText)",
                    "CALL stock.audit_table('\(record.table.text)', ...)"
                )
            }
        }
    }

    @Test("the service may read and write the table of every record, by its tenant's rows alone")
    func granted() async throws {
        try await Self.database("grants_of_tables") { database in
            for record in Self.records {
                let table = record.table.text
                let isSecured = try await database.psql(
                    """
                    SELECT c.relforcerowsecurity AND bool_and(has_table_privilege('stock_app', c.oid, g.name))
                    FROM pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS g (name)
                    WHERE c.oid = '\(table)'::regclass GROUP BY c.oid
                    """
                )
                #expect(isSecured == "t", "CALL stock.secure_table('\(table)', 'SELECT, INSERT, UPDATE, DELETE')")
            }
        }
    }

    @Test("rows that name a record are found along an index")
    func references() async throws {
        try await Self.database("references_to_records") { database in
            let unindexed = try await Self.unindexed(database)
            #expect(unindexed == [], "CREATE INDEX ... (tenant_id, <what names it>) WHERE <what names it> IS NOT NULL")
        }
    }

    @Test("what was changed of every record since a time is found along an index")
    func changes() async throws {
        try await Self.database("changes_of_records") { database in
            for record in Self.records {
                let indexes = try await database.psql(
                    """
                    SELECT count(*) FROM pg_indexes
                    WHERE schemaname || '.' || tablename = '\(record.table.text)'
                      AND indexdef LIKE '%(tenant_id, updated_at, id) WHERE (updated_at IS NOT NULL)'
                    """
                )
                let table = record.table.text
                #expect(
                    indexes == "1",
                    "CREATE INDEX ..._changed_idx ON \(table) (tenant_id, updated_at, id) WHERE updated_at IS NOT NULL"
                )
            }
        }
    }

    @Test("the list of every record is read along an index, however many there are")
    func lists() async throws {
        try await Self.database("lists_of_records") { database in
            for table in Self.records.map({ $0.table.text }) {
                let indexes = try await database.psql(
                    "SELECT count(*) FROM pg_index i WHERE i.indrelid = '\(table)'::regclass "
                        + "AND pg_get_indexdef(i.indexrelid) LIKE '%(tenant_id, name_key%'"
                )
                #expect(
                    indexes != "0",
                    "CREATE INDEX ..._name_idx ON \(table) (tenant_id, name_key, id) WHERE name_key IS NOT NULL"
                )
            }
        }
    }

    @Test("every table that the answers of a record show retires them, and changes their entity tag")
    func shown() async throws {
        try await Self.database("tables_of_answers") { database in
            let unretired = try await Self.unretired(database)
            #expect(unretired == [], "CALL stock.watch_table with the record's module, too")
            let untagged = try await Self.untagged(database)
            #expect(
                untagged == [],
                "a sql of the record's own, whose tag says behind a dot what it shows: a version, or how many rows there are"
            )
        }
    }

    @Test("what refuses a record names the field that it is about")
    func fields() async throws {
        try await Self.database("fields_of_refusals") { database in
            let refusals = try await Self.refusals(database)
            #expect(refusals.count > 15)
            for refusal in refusals { #expect(refusal.field == refusal.column, "\(refusal.constraint)") }
        }
    }

    @Test("a table that forgets all of this is told of")
    func forgotten() async throws {
        try await Self.database("forgotten_of_tables") { database in
            try await database.psql(
                """
                CREATE TABLE stock.forgetful (
                    tenant_id   bigint NOT NULL REFERENCES stock.tenant (id),
                    id          uuid NOT NULL,
                    location_id uuid NOT NULL,
                    word        text NOT NULL CHECK (word <> ''),
                    version     bigint NOT NULL DEFAULT 1,
                    PRIMARY KEY (tenant_id, id),
                    FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id) ON DELETE CASCADE
                );
                CREATE TABLE stock.fleeting (
                    tenant_id   bigint NOT NULL REFERENCES stock.tenant (id),
                    location_id uuid NOT NULL,
                    product_id  uuid NOT NULL,
                    PRIMARY KEY (tenant_id, location_id, product_id),
                    FOREIGN KEY (tenant_id, location_id) REFERENCES stock.location (tenant_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (tenant_id, product_id) REFERENCES stock.product (tenant_id, id) ON DELETE CASCADE
                );
                CREATE FUNCTION stock.forgetful_words(p_location uuid) RETURNS text LANGUAGE plpgsql STABLE AS $$
                BEGIN
                    RETURN (SELECT string_agg(f.word, ',') FROM stock.forgetful f WHERE f.location_id = p_location)
                        || (SELECT count(*) FROM stock.fleeting g WHERE g.location_id = p_location);
                END
                $$;
                CREATE OR REPLACE FUNCTION stock.location_body(p_tenant bigint, p_id uuid) RETURNS text LANGUAGE plpgsql STABLE AS $$
                BEGIN
                    RETURN (SELECT s.name || stock.forgetful_words(s.id)
                            FROM stock.location s WHERE s.tenant_id = p_tenant AND s.id = p_id);
                END
                $$;
                ALTER TABLE stock.location ADD UNIQUE (tenant_id, kind);
                CREATE UNIQUE INDEX address_of_location ON stock.location (tenant_id, address) WHERE address IS NOT NULL
                """
            )
            let (unbounded, unindexed) = (try await Self.unbounded(database), try await Self.unindexed(database))
            #expect(unbounded.contains("forgetful.word"))
            #expect(unindexed.contains("forgetful_tenant_id_location_id_fkey"))
            let (unretired, untagged) = (try await Self.unretired(database), try await Self.untagged(database))
            #expect(unretired.contains("stock.location shows forgetful"))
            #expect(untagged.contains("stock.location shows forgetful"))
            #expect(untagged.contains("stock.location shows fleeting"), "a product that goes takes it away")
            let refusals = try await Self.refusals(database)
            #expect(refusals.filter { $0.field != $0.column }.map(\.constraint) == ["address_of_location"])
        }
    }
}

extension Schema {
    /// The members of an object.
    fileprivate var members: [Member] {
        switch self {
        case .object(let members): members
        case .named(_, let schema), .nullable(let schema): schema.members
        default: []
        }
    }

    /// The most characters that a text may have.
    fileprivate var maximum: Int? {
        switch self {
        case .string(_, _, let maximum): maximum
        case .named(_, let schema), .nullable(let schema): schema.maximum
        default: nil
        }
    }
}
