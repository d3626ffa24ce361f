/// What statements are run with: SQL for their parameters, in a shop that `Tests/shops.sql` made.
///
/// A statement that is not here is run with a value for each parameter by its type. Only one that this makes fail, or that
/// would find nothing at all, needs an example.
struct Examples {
    /// The tenant that is asked.
    let tenant: Int
    /// Those of the statements that every record has, made of its insertion.
    private var ofRecords: [String: Example] = [:]
    /// For each kind of record one that is there, and what is run before for it to be.
    private var records: [String: (one: String, before: String)] = [:]
    /// Its number among the kinds of `Tests/shops.sql`.
    private enum Kind: Int {
        case user = 1
        case session, family, key, register, unit, category, product, customer, sale, line, opening, movement, payment
        case ledger, job, invitation, made, purchase, entry
        case exception = 35
    }

    /// How one statement is run.
    struct Example {
        /// What is run before, in the same transaction.
        var before = ""
        /// The parameters, separated by commas; several runs if there are several.
        var runs: [String]
    }

    private func id(_ kind: Kind, _ number: Int) -> String {
        func hexadecimal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return "'01980000-\(hexadecimal(tenant, 4))-7\(hexadecimal(kind.rawValue, 3))-8000-\(hexadecimal(number, 12))'"
    }

    /// An id that nothing has.
    private func new(_ number: Int = 1) -> String { "'01990000-0000-7000-8000-00000000000\(number)'" }

    /// The runs of a statement.
    ///
    /// - Parameter statement: The statement.
    /// - Returns: Its own example, or one by the types of its parameters.
    func example(of statement: SourceStatement) -> Example {
        if let example = own[statement.name] ?? ofRecords[statement.name] { return example }
        // What shows names is run as what it shows, with all of them.
        if statement.name.hasSuffix(".named"), var example = own[String(statement.name.dropLast(".named".count))] {
            example.runs = example.runs.map { "\($0), ARRAY['customer', 'user', 'register']" }
            return example
        }
        let values = statement.types.map(value)
        // A statement of a record's own, `prices.price_list.compose`, begins with which one.
        let owner = String(statement.name.prefix(upTo: statement.name.lastIndex(of: ".") ?? statement.name.startIndex))
        if let record = records[owner], statement.types.first == "uuid" {
            return Example(before: record.before, runs: [([record.one] + values.dropFirst()).joined(separator: ", ")])
        }
        return Example(runs: [values.joined(separator: ", ")])
    }

    /// Makes the examples of one tenant.
    ///
    /// - Parameters:
    ///   - tenant: The tenant that is asked.
    ///   - statements: Every statement, those of records among them.
    init(tenant: Int, _ statements: [SourceStatement]) {
        self.tenant = tenant
        for insert in statements where insert.name.hasSuffix(".insert") {
            let record = String(insert.name.dropLast(".insert".count))
            guard statements.contains(where: { $0.name == "\(record).guard" }) else { continue }
            let examples = examples(of: record, insert)
            ofRecords.merge(examples) { $1 }
            if let read = examples["\(record).read"], let one = read.runs.first { records[record] = (one, read.before) }
        }
    }

    /// What every record has, run with one that is there: one of the shop's, or the seventh of hundreds that are made before.
    private func examples(of record: String, _ insert: SourceStatement) -> [String: Example] {
        guard let names = insert.sql.firstMatch(of: /\(tenant_id, id, ([^)]*)\)/)?.output.1 else { return [:] }
        let columns = Array(zip(names.split(separator: ", ").map(String.init), insert.types.dropFirst()))
        func values(_ number: Int) -> [String] {
            // A tax is of a kind, of which other records may have others.
            columns.map { $0 == "kind" ? kinds[record] ?? "'other'" : value(of: $1, called: $0, number) }
        }
        let made = id(.made, 7)
        // There are ten prefixes of scales, of which the shop has one.
        let most = record == "catalog.scale_code" ? 8 : 300
        let before = """
            PREPARE made (\(insert.types.joined(separator: ", "))) AS \(insert.sql);
            \((1...most).map { "EXECUTE made (\(([id(.made, $0)] + values($0)).joined(separator: ", ")))" }.joined(separator: ";\n"))
            """
        let (one, needs) = existing[record].map { ($0, "") } ?? (made, before)
        let news = values(most + 1)
        let runs = [
            "insert": [([new()] + news).joined(separator: ", ")],
            "guard": ["\(one), NULL"],
            "update": [([one] + news.map { "true, \($0)" }).joined(separator: ", ")],
            "delete": [new()],
            "read": [one],
            "list": ["10, NULL, NULL", "10, 'n', \(one)"],
            "conclude": ["\(one), \(concluded)"],
        ]
        return Dictionary(
            uniqueKeysWithValues: runs.map { ("\(record).\($0.key)", Example(before: needs, runs: $0.value)) }
        )
    }

    /// A kind of each record that has kinds.
    private var kinds: [String: String] { ["stock.location": "'branch'", "taxes.tax": "'percent'"] }

    /// The place that every shop has.
    private var main: String { "'00000000-0000-7000-8000-000000000001'" }

    /// A record of the shop's; of any other kind some are made.
    private var existing: [String: String] {
        [
            "catalog.category": id(.category, 3), "catalog.unit": id(.unit, 1), "catalog.product": id(.product, 7),
            "customers.customer": id(.customer, 3),
        ]
    }

    /// What is done with purchases, of which three hundred are there before: every tenth a draft, the others ordered, and half of
    /// those received.
    private var buying: [String: Example] {
        let (supplier, purchase, draft) = (new(1), id(.purchase, 7), id(.purchase, 10))
        let made = """
            INSERT INTO stock.supplier (tenant_id, id, name) VALUES (\(tenant), \(supplier), 'Molinos Ñandú');
            INSERT INTO stock.purchase (tenant_id, id, supplier_id, location_id, occurred_at, business_day, due_on, status,
                                        register_id, number, goods, costs, total, due)
            SELECT \(tenant), overlay(\(draft)::text PLACING lpad(to_hex(n), 4, '0') FROM 33)::uuid, \(supplier), \(main),
                   now() - n * interval '1 day', current_date - n, current_date + 100 - n,
                   CASE WHEN n % 10 = 0 THEN 'draft' WHEN n % 2 = 0 THEN 'received' ELSE 'ordered' END,
                   CASE WHEN n % 10 <> 0 THEN \(id(.register, 1))::uuid END, CASE WHEN n % 10 <> 0 THEN 1000 + n END,
                   13.17, 1.25, 14.42, CASE WHEN n % 10 <> 0 THEN 14.42 ELSE 0 END
            FROM generate_series(1, 300) n;
            INSERT INTO stock.purchase_line (tenant_id, id, purchase_id, position, product_id, name, unit, quantity,
                                             received_quantity, open_quantity, unit_cost, total, cost_share)
            SELECT \(tenant), stock.new_id(), p.id, l.position, l.product_id::uuid, 'Thing', 'pc', l.quantity,
                   CASE p.status WHEN 'received' THEN l.quantity ELSE 0 END,
                   CASE p.status WHEN 'received' THEN 0 ELSE l.quantity END, l.cost, l.total, l.share
            FROM stock.purchase p, (VALUES (1, \(id(.product, 7)), 5, 2.5, 12.5, 1.19),
                                           (2, \(id(.product, 9)), 2, 0.333333, 0.67, 0.06))
                AS l (position, product_id, quantity, cost, total, share)
            WHERE p.tenant_id = \(tenant);
            INSERT INTO stock.purchase_cost (tenant_id, purchase_id, position, name, amount)
            SELECT \(tenant), p.id, 1, 'Freight', 1.25 FROM stock.purchase p WHERE p.tenant_id = \(tenant)
            """
        let lines = """
            ARRAY[\(new()), \(new(2))]::uuid[], ARRAY[NULL, \(id(.product, 7))]::uuid[], ARRAY['SKU-9', NULL], ARRAY[1, 2],
            ARRAY[1, 2]
            """
        let runs = [
            "purchases.create": ["\(new()), \(supplier), NULL, 'F-1', current_date, NULL, NULL, NULL"],
            "purchases.change": [
                "\(draft), NULL, true, \(supplier), true, \(main), true, 'F', true, NULL, false, NULL, NULL"
            ],
            "purchases.compose": [
                "\(draft), \(lines), ARRAY['Freight'], ARRAY[1], NULL, NULL, NULL",
                "\(draft), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            ],
            "purchases.order": ["\(draft), NULL, NULL"],
            "purchases.receive": ["\(purchase), NULL, NULL, 'Note', NULL, NULL"],
            "purchases.cancel": ["\(purchase), NULL, NULL", "\(id(.purchase, 8)), 'Torn', NULL"],
            "purchases.purchase.read": [purchase],
            "purchases.purchase.conclude": ["\(purchase), \(concluded)"],
            "purchases.list": [
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50", "'ordered', NULL, NULL, NULL, NULL, NULL, NULL, 50",
                "NULL, \(supplier), NULL, NULL, NULL, NULL, NULL, 50",
                "NULL, NULL, NULL, NULL, current_date, NULL, NULL, 50",
                "NULL, NULL, NULL, NULL, NULL, now() - interval '200 days', \(purchase), 50",
            ],
            "purchases.list_in_order": [
                "'total', true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50",
                "'due_on', false, NULL, NULL, NULL, NULL, NULL, '2026-01-31', \(purchase), 50",
                "'total', false, NULL, \(supplier), NULL, NULL, NULL, NULL, NULL, 50",
                "'due_on', true, 'ordered', NULL, current_date - 30, current_date, current_date, NULL, NULL, 50",
            ],
            "purchases.reorder": ["NULL, NULL, NULL, NULL", "\(supplier), \(main), 'N', NULL"],
            "purchases.reorder_list": ["NULL, NULL, NULL, 50", "\(supplier), 'thing number 2', \(new()), 50"],
            "purchases.reordered.conclude": [concluded],
            "reports.payables": ["current_date, 50, NULL, NULL", "current_date, 50, 'a', \(new())"],
            "payments.pay": [
                "\(new(2)), \(new(3)), 'card', 2.5, NULL, \(supplier), NULL, NULL, NULL",
                "\(new(2)), \(new(3)), 'card', 2.5, \(purchase), NULL, NULL, NULL, NULL",
            ],
        ]
        return runs.mapValues { Example(before: made, runs: $0) }
    }

    /// What is done with entries of money, of which three hundred are there before.
    private var entering: [String: Example] {
        var examples: [String: Example] = [:]
        for (name, source) in [("payments.expense", "expense"), ("balance.entry", "manual")] {
            let made = """
                INSERT INTO stock.money_entry (tenant_id, id, source, direction, category, amount, method, occurred_at,
                                               business_day)
                SELECT \(tenant), overlay(\(id(.entry, 7))::text PLACING lpad(to_hex(n), 4, '0') FROM 33)::uuid, '\(source)',
                       'expense', 'Rent', 1.25, 'card', now() - n * interval '1 day', current_date - n
                FROM generate_series(1, 300) n;
                INSERT INTO stock.ledger_entry (tenant_id, id, direction, amount, method, category, source_type, source_id,
                                                occurred_at, business_day)
                SELECT \(tenant), stock.new_id(), 'expense', 1.25, 'card', 'Rent', '\(source)', m.id, m.occurred_at,
                       m.business_day
                FROM stock.money_entry m WHERE m.tenant_id = \(tenant)
                """
            let entry = id(.entry, 7)
            let runs = [
                "record": ["\(new()), \(new(2)), 'expense', 'Rent', NULL, NULL, 1.25, 'card', NULL, NULL, NULL"],
                "reverse": ["\(entry), \(new(2)), 'r', NULL"],
                "read": [entry],
                "conclude": ["\(entry), \(concluded)"],
                "list": [
                    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50", "'Rent', NULL, NULL, NULL, NULL, NULL, NULL, 50",
                    "NULL, NULL, 'card', NULL, NULL, NULL, NULL, 50",
                    "NULL, \(new()), NULL, NULL, NULL, NULL, NULL, 50",
                    "NULL, NULL, NULL, NULL, NULL, now() - interval '200 days', \(entry), 50",
                ],
            ]
            examples.merge(runs.map { ("\(name).\($0.key)", Example(before: made, runs: $0.value)) }) { $1 }
        }
        return examples
    }

    /// A status, no path, no id, and the record that is kept for a key.
    private var concluded: String { "200, NULL, NULL, \(kept)" }
    private var kept: String { "'r', 'k', '\\x00'" }

    /// The value of a column: one that its name asks for, or one by its type.
    private func value(of type: String, called name: String, _ number: Int) -> String {
        switch name {
        case "parent_id", "category_id": id(.category, 4)
        case "unit_id": id(.unit, 1)
        case "customer_id": id(.customer, 3)
        case "location_id": main
        case "tax_group_id": "NULL"
        case "code": "'nothing_\(number)'"
        case "prefix": "'2\((number + 1) % 10)'"
        case "item_digits", "value_digits": "5"
        case "measure": "'weight'"
        case "currency": "'EUR'"
        case "timezone": "'Europe/Berlin'"
        case "oversell": "'deny'"
        case "status": "'active'"
        default: type == "text" ? "'nothing \(number)'" : value(of: type)
        }
    }

    private func value(of type: String) -> String {
        if type.hasSuffix("[]") { return "ARRAY[\(value(of: String(type.dropLast(2))))]::\(type)" }
        return switch type {
        case "boolean": "true"
        case "bytea": "'\\x01'"
        case "smallint": "0"
        case "integer", "bigint": "50"
        case "text": "'nothing'"
        case "date": "current_date - 30"
        case "timestamptz": "now()"
        case "numeric": "1"
        case "uuid": id(.product, 7)
        case "json", "jsonb": "'{}'"
        default: "NULL"
        }
    }

    /// What is done with imports over HTTP, of which two hundred are there before, and one that waits.
    private var imports: [String: Example] {
        let before = """
            INSERT INTO stock.import_turn (tenant_id) VALUES (\(tenant)) ON CONFLICT DO NOTHING;
            UPDATE stock.tenant SET has_imported = true, import_waits = true WHERE id = \(tenant);
            INSERT INTO stock.import_request (tenant_id, id, kind, name, options, status, queued_at)
            SELECT \(tenant), CASE n WHEN 1 THEN \(new(3)) WHEN 2 THEN \(new(4)) ELSE gen_random_uuid()::text END::uuid, 'products', 'f', '{}',
                   CASE n WHEN 1 THEN 'receiving' WHEN 2 THEN 'queued' ELSE 'failed' END, now()
            FROM generate_series(1, 200) n;
            INSERT INTO stock.import_part (tenant_id, request_id, number, content, sha256)
            SELECT r.tenant_id, r.id, n, '\\x01', '\\x01' FROM stock.import_request r, generate_series(1, 20) n
            WHERE r.tenant_id = \(tenant);
            INSERT INTO stock.import_rejection (tenant_id, request_id, line, code, reason, record)
            SELECT \(tenant), \(new(3)), n, 'duplicate', 'nothing', '\\x01' FROM generate_series(1, 300) n
            """
        let (sent, queued, worker) = (new(3), new(4), new(5))
        let taken = before + "; SELECT FROM stock.import_claim(\(worker), interval '30 seconds', 3)"
        let runs: [String: (String, String)] = [
            "ask": (before, "\(new(6)), 'products', 'f', '{}', 6"),
            "receive": (before, "\(sent), 21, '\\x01', '\\x01'"),
            "start": (before, "\(sent), 20, 20"), "resume": (before, "\(queued)"), "cancel": (before, "\(queued)"),
            "list": (before, "NULL, NULL, 50"), "list_rejections": (before, "\(sent), 100, 50"),
            "rejected_head": (before, sent), "rejected_records": (before, "\(sent), 100"),
            "request.read": (before, sent),
            "request.conclude": (before, "\(sent), \(concluded)"), "claim": (before, "\(worker), 30, 3"),
            "beat": (taken, "\(worker), 30, \(queued), 'reading', 1, 1, 1, NULL"),
            "reject": (before, "\(sent), ARRAY[301, 302], ARRAY['duplicate', 'duplicate'], ARRAY['a', 'b']"),
            "rejections_of_lines": (before, "\(sent), 100, 150"),
            "record": (before, "\(sent), ARRAY[7, 9], ARRAY['\\x01', '\\x02']::bytea[]"),
            "read_part": (before, "\(sent), 7, 1, 10"),
            "end": (taken, "\(worker), \(queued), 'completed', NULL, 1, 0, 1, 0, 0, 0, '[]', NULL"),
            "give_back": (taken, "\(worker), \(queued), 'SQLSTATE 57014', 1, 10, 1, 0, 1, 0, 0, 0"),
            "sweep": (before, "\(tenant - 1)"),
        ]
        return Dictionary(
            uniqueKeysWithValues: runs.map { ("imports.\($0.key)", Example(before: $0.value.0, runs: [$0.value.1])) }
        )
    }

    /// What is done with webhooks, of which twenty are there, one of them at work on a thousand events.
    private var webhooks: [String: Example] {
        let (id, worker, fresh) = (new(3), new(5), new(6))
        let before = """
            UPDATE stock.tenant SET has_webhook = true, webhook_due_at = '-infinity' WHERE id = \(tenant);
            INSERT INTO stock.webhook (tenant_id, id, url, types)
            SELECT \(tenant), CASE n WHEN 1 THEN \(id) ELSE gen_random_uuid()::text END::uuid, 'https://example.com/', '{}'
            FROM generate_series(1, 20) n;
            INSERT INTO stock.webhook_turn (tenant_id, webhook_id, secret, after_seq, worker, leased_until, failed_seq, failures)
            SELECT w.tenant_id, w.id, '\\x01', 1, \(worker), 'infinity', 2, 1 FROM stock.webhook w WHERE w.tenant_id = \(tenant);
            INSERT INTO stock.webhook_retry (tenant_id, webhook_id, seq, reason, due_at)
            SELECT w.tenant_id, w.id, n, 'set_aside', now() FROM stock.webhook w, generate_series(100, 150) n
            WHERE w.tenant_id = \(tenant);
            INSERT INTO stock.webhook_delivery (tenant_id, webhook_id, id, at, seq, status)
            SELECT w.tenant_id, w.id, gen_random_uuid(), now() - n * interval '1 hour', n, 'delivered'
            FROM stock.webhook w, generate_series(1, 100) n WHERE w.tenant_id = \(tenant)
            """
        let idle =
            before + "; UPDATE stock.webhook_turn SET worker = NULL, leased_until = '-infinity', due_at = '-infinity'"
        let record = "now(), 2, 'event', 'sale.confirmed', 1"
        let runs: [String: (String, [String])] = [
            "make": ("", ["\(fresh), 'https://example.com/', '{}', true, '\\x01', 20"]),
            "change": (before, ["\(id), NULL, NULL, 'https://example.com/x', ARRAY['sale'], true"]),
            "delete": (before, ["\(id), NULL"]), "rotate": (before, ["\(id), '\\x02'"]),
            "again": (before, ["\(id), 0, 100", "\(id), 1, 100"]),
            "skip": (before, ["\(id), 2, \(fresh)", "\(id), 100, \(fresh)"]),
            "list": (before, [""]), "webhook.read": (before, [id]),
            "webhook.conclude": (before, ["\(id), \(concluded)"]),
            "deliveries": (before, ["\(id), NULL, NULL, 50", "\(id), 'delivered', \(fresh), 50"]),
            "tenants": (before, ["\(tenant - 1)"]), "waits": (before, ["now(), ARRAY[\(tenant)]::bigint[]"]),
            "take": (idle, ["\(worker), 30, now()"]), "release": (before, ["\(id), \(worker), now()"]),
            "next": (
                before,
                ["\(id), \(worker), 30, false, \(fresh), now()", "\(id), \(worker), 30, true, \(fresh), now()"]
            ),
            "record": (
                before,
                [
                    "\(id), \(worker), \(fresh), \(record), 'delivered', NULL, 200, NULL, 5, 'ok'",
                    "\(id), \(worker), \(fresh), \(record), 'disabled', NULL, NULL, 'timeout', 5, NULL",
                ]
            ),
            "seal": (before, ["\(id), \(worker), '\\x01', '\\x02'"]), "sweep": (before, ["\(tenant - 1), 3600, 1000"]),
        ]
        return Dictionary(
            uniqueKeysWithValues: runs.map { ("webhooks.\($0.key)", Example(before: $0.value.0, runs: $0.value.1)) }
        )
    }

    private var own: [String: Example] {
        var runs: [String: [String]] = [:]
        let record = kept
        // The cache's own
        runs["cache.follow"] = ["0, 19000, 500"]
        runs["cache.prune"] = ["0, 10000"]
        runs["events.prune"] = ["0, 2592000, 1000"]
        runs["reservations.sweep"] = ["0, 100"]
        runs["cache.touch_scope"] = ["'sales'", "NULL"]
        runs["coherence.log"] = ["19000", "NULL"]
        // Who is who
        let user = id(.user, 1)
        runs["identity.user_by_email"] = ["'owner-\(tenant)@example.org'"]
        for name in ["user", "membership", "sessions_revoke", "me", "member.read"] { runs["identity.\(name)"] = [user] }
        runs["identity.tenant"] = ["'shop-\(tenant)', NULL", "NULL, \(tenant)"]
        runs["identity.note"] = ["'user.changed', 'user', \(user), '{}'"]
        runs["identity.note_person"] = ["\(user), 'user.changed', '{}'"]
        runs["identity.audit"] = [
            "NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, NULL, current_date - 300, current_date - 290, NULL, NULL, 50, NULL",
            "\(user), NULL, NULL, NULL, NULL, NULL, 50, NULL", "NULL, 'action 3', NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, NULL, NULL, NULL, now() - interval '200 days', \(new()), 50, NULL",
            "NULL, NULL, NULL, NULL, NULL, NULL, 50, \(user)",
        ]
        let invitation = id(.invitation, 1)
        runs["identity.user_hold"] = ["\(user), NULL"]
        runs["identity.invitation_insert"] = ["\(new()), 'n@example.org', 'viewer', '\\xaa', \(user)"]
        runs["identity.invitation.read"] = [invitation]
        runs["identity.invitation.conclude"] = ["\(invitation), \(concluded)"]
        runs["identity.invitation_renew"] = ["\(invitation), '\\xaa'"]
        runs["identity.invitation_revoke"] = [invitation]
        runs["identity.invitation_take"] = ["\(invitation), decode(md5('\(tenant)/1'), 'hex'), NULL"]
        runs["identity.password_set"] = ["\(user), 'y', 1"]
        runs["command.tenant_by_slug"] = ["'shop-\(tenant)'"]
        runs["identity.tenant_check"] = ["'newshop', 'UTC'"]
        runs["identity.tenant_create"] = ["'newshop', 'N', 'EUR', 2::smallint, 'UTC', \(new())"]
        runs["identity.user_insert"] = ["\(new()), 'n@example.org', 'x', 'n'"]
        runs["identity.session_insert"] = ["\(new()), \(user), \(new(2)), '\\xaa'"]
        runs["identity.session_rotate"] = ["decode(md5('\(tenant)/4'), 'hex'), \(new()), '\\xab'"]
        runs["identity.session_check"] = [id(.session, 4)]
        runs["identity.family_revoke"] = ["\(id(.session, 4)), \(user)"]
        runs["identity.rehash"] = ["\(user), 'y', 1"]
        runs["identity.member_guard"] = ["\(user), NULL"]
        runs["identity.member_update"] = ["\(user), 'owner', true, ARRAY[\(main)]::uuid[]"]
        runs["identity.member_places"] = ["ARRAY[\(main)]::uuid[]"]
        runs["identity.member.conclude"] = ["\(user), \(concluded)"]
        for name in ["key_check", "key_touch", "key_revoke"] { runs["identity.\(name)"] = [id(.key, 1)] }
        runs["identity.key_insert"] = ["\(new()), 'n', '\\xaa', ARRAY['sales:write'], \(user), NULL"]
        runs["identity.key.conclude"] = ["\(id(.key, 1)), \(concluded)"]
        // The catalogue
        let category = id(.category, 3)
        let unit = id(.unit, 1)
        let product = id(.product, 7)
        let other = id(.product, 9)
        runs["catalog.category_cycle"] = ["\(category), \(id(.category, 4))"]
        runs["catalog.unit_decimals"] = ["\(unit), 0"]
        runs["catalog.lookup"] = [
            "'sku-77', '{}', NULL, NULL, NULL, NULL, NULL",
            "'0104', ARRAY['4444444444477', 'sku-77'], 1.5, NULL, NULL, NULL, NULL",
        ]
        runs["catalog.scale_code_check"] = ["\(new()), 5, 5, 'weight', 3"]
        runs["catalog.products"] = [
            "NULL, NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, NULL, 'active', 50, 'thing number 2', \(product), 'name', false",
            "NULL, '4444444444477', NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "NULL, NULL, \(category), NULL, 'active', 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, 'low', NULL, 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, 'ok', 'active', 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, NULL, 'archived', 50, NULL, NULL, 'name', false",
            "'thing number', NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "'xyzzy', NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "'q', NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "'ing 2977', NULL, NULL, 'ok', 'active', 50, NULL, NULL, 'name', false",
            "'44442977', NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, NULL, 'active', 50, NULL, NULL, 'name', true",
            "NULL, NULL, NULL, NULL, 'active', 50, 'sku-2', \(product), 'sku', false",
            "NULL, NULL, NULL, NULL, NULL, 50, '2500000', \(product), 'price', true",
            "NULL, NULL, \(category), NULL, 'active', 50, NULL, NULL, 'price', false",
            "'ing 2977', NULL, NULL, NULL, 'active', 50, NULL, NULL, 'price', true",
            "NULL, '4444444444477', NULL, NULL, 'active', 50, NULL, NULL, 'created_at', false",
            "NULL, NULL, NULL, 'low', NULL, 50, NULL, NULL, 'updated_at', true",
            "NULL, NULL, NULL, 'low', 'active', 50, NULL, NULL, 'name', true",
            "NULL, NULL, NULL, 'low', 'active', 50, NULL, NULL, 'on_hand', false",
            "NULL, NULL, NULL, 'out', 'active', 50, NULL, NULL, 'on_hand', true",
            "NULL, NULL, NULL, NULL, 'archived', 50, NULL, NULL, 'created_at', true",
            "NULL, NULL, NULL, NULL, 'active', 50, NULL, NULL, 'on_hand', false",
            "NULL, NULL, NULL, NULL, NULL, 50, '999990.000000', \(product), 'on_hand', true",
            "NULL, NULL, NULL, 'low', 'active', 50, NULL, NULL, 'on_hand', true",
        ]
        runs["catalog.product_guard_new"] = ["\(unit), 0, \(category), 0, NULL"]
        runs["catalog.product_guard_fields"] = ["\(product), \(unit), true, 0, \(category), 0, NULL"]
        runs["catalog.price_history"] = ["\(product), NULL, NULL, 10", "\(product), 'cost', NULL, 10"]
        runs["catalog.compose"] = [
            "\(product), ARRAY['1', '2'], ARRAY['Kiste'], ARRAY[12], ARRAY[25.5], '[[\"3\"]]'"
        ]
        let batch = """
            ARRAY[\(new()), \(new(2))]::uuid[], ARRAY['SKU-7', 'N1'], ARRAY[NULL, 'e2'], ARRAY['a', 'b'],
            ARRAY[NULL, NULL]::uuid[], ARRAY[NULL, NULL]::uuid[], ARRAY[1, 1], ARRAY[0, 0], ARRAY[true, true],
            ARRAY['deny', 'deny'], ARRAY[0, 0], ARRAY['active', 'active'], ARRAY['["1"]', '["2"]'],
            ARRAY[NULL, NULL]::uuid[]
            """
        runs["catalog.batch.conclude"] = ["\(batch), \(concluded)"]
        runs["imports.products"] = [batch]
        runs["imports.new_products"] = [batch.replacing("'SKU-7'", with: "'N7'")]
        runs["imports.records"] = [
            """
            'customer', ARRAY[\(new()), \(new(2))]::uuid[], ARRAY['{"name":"New"}', '{"name":"Newer","external_id":"e"}']::json[],
            false
            """
        ]
        runs["imports.levels"] = [
            """
            ARRAY[\(new()), \(new(2))]::uuid[],
            ARRAY['{"sku":"SKU-7","on_hand":"7","location":"Main"}', '{"sku":"none","on_hand":"1"}']::json[]
            """
        ]
        runs["imports.prices"] = [
            #"ARRAY['{"sku":"SKU-7","price":"7.77"}', '{"external_id":"none","price":"1"}']::json[]"#
        ]
        runs["imports.expenses"] = [
            """
            ARRAY[\(new()), \(new(2))]::uuid[],
            ARRAY['{"external_id":"e","occurred_at":"2026-01-31T08:00:00","category":"rent","amount":"7","method":"cash"}',
                  '{"external_id":"f","occurred_at":"2026-01-31T08:00:00Z","category":"x","amount":"7","method":"none"}']::json[]
            """
        ]
        runs["imports.payments"] = [
            """
            ARRAY[\(new()), \(new(2))]::uuid[],
            ARRAY['{"external_id":"e","occurred_at":"2026-01-31T08:00:00","sale":"7","amount":"0.01","method":"cash"}',
                  '{"external_id":"f","occurred_at":"2026-01-31T08:00:00Z","customer":"x","amount":"7","method":"none"}']::json[]
            """
        ]
        runs["imports.purchases"] = [
            """
            ARRAY[\(new()), \(new(2))]::uuid[],
            ARRAY['{"reference":"r","supplier":"x","occurred_at":"2026-01-31T08:00:00","sku":"SKU-7","quantity":"1","unit_cost":"1"}',
                  '{"reference":"s","supplier":"x","occurred_at":"2026-01-31T08:00:00","sku":"no","quantity":"1","unit_cost":"1"}'
                 ]::json[]
            """
        ]
        // Exports, from their beginning and from the middle
        let (none, start) = ("'00000000-0000-0000-0000-000000000000'", "'0001-01-01T00:00:00Z'")
        for kind in ["categories", "customers", "products", "suppliers", "units"] {
            runs["exports.\(kind)"] = ["50, \(none)"]
        }
        runs["exports.products", default: []] += ["50, \(id(.product, 7))"]
        runs["exports.stock"] = ["50, \(none), \(none)", "50, \(id(.product, 7)), \(none)"]
        runs["exports.sales"] = [
            "50, \(start), 0, 0, \(none), 0", "50, now() - interval '30 days', 0, 0, \(none), 0",
        ]
        runs["exports.purchases"] = ["50, \(start), \(none), 0"]
        for kind in ["payments", "expenses"] { runs["exports.\(kind)"] = ["50, \(start), \(none)"] }
        // Taxes
        let (tax, group) = (new(5), new(6))
        let taxed = """
            INSERT INTO stock.tax (tenant_id, id, name, rate) VALUES (\(tenant), \(tax), 'IVA', 21);
            INSERT INTO stock.tax_group (tenant_id, id, name) VALUES (\(tenant), \(group), 'General');
            UPDATE stock.product SET tax_group_id = \(group) WHERE tenant_id = \(tenant) AND sku_key = 'sku-9'
            """
        // Customers
        let customer = id(.customer, 3)
        runs["customers.list"] = [
            "NULL, NULL, NULL, 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, 50, 'customer 2', \(customer), 'name', false",
            "'mer 1477', NULL, NULL, 50, NULL, NULL, 'name', false",
            "'xyzzy', true, true, 50, NULL, NULL, 'name', false",
            "NULL, NULL, true, 50, NULL, NULL, 'name', false", "NULL, false, NULL, 50, NULL, NULL, 'name', false",
            "NULL, NULL, NULL, 50, NULL, NULL, 'balance', true", "NULL, NULL, true, 50, NULL, NULL, 'balance', false",
            "'mer 1477', NULL, NULL, 50, NULL, NULL, 'balance', true",
            "NULL, false, NULL, 50, '25000', \(customer), 'balance', false",
        ]
        runs["reports.customer_statement"] = [
            "\(customer), NULL, NULL, 50, NULL, NULL, NULL, NULL",
            "\(customer), current_date - 400, current_date, 50, NULL, NULL, NULL, NULL",
            "\(customer), NULL, NULL, 50, 2.5, now() - interval '500 days', 2, \(customer)",
        ]
        let register = id(.register, 1)
        runs["balance.series"] = [
            "'daily', current_date - 30, current_date, 'all', 'day', 'YYYY-MM-DD', NULL, NULL",
            "'monthly', current_date - 300, current_date, 'cash', 'month', 'YYYY-MM', \(main), NULL",
            "'monthly', current_date - 300, current_date, 'all', 'month', 'YYYY-MM', NULL, \(register)",
        ]
        runs["balance.summary"] = [
            "current_date - 30, current_date, NULL, NULL", "current_date - 30, current_date, \(main), NULL",
            "current_date - 30, current_date, \(main), \(register)",
        ]
        runs["reports.top_products"] = ["current_date - 6, current_date, 'revenue', 50"]
        for name in ["category_margins", "taxes"] { runs["reports.\(name)"] = ["current_date - 6, current_date"] }
        runs["reports.stock_value"] = ["current_date"]
        runs["reports.dead_stock"] = [
            "current_date - 5, 50, NULL", "current_date - 5, 50, \(id(.product, 7))",
        ]
        runs["reports.customer_ageing"] = ["\(customer), current_date"]
        runs["reports.receivables"] = ["current_date, 50, NULL, NULL", "current_date, 50, 'customer 2', \(customer)"]
        // Documents
        let sale = id(.sale, 77)
        let ids = "ARRAY[\(product), \(other)]::uuid[]"
        runs["sales.read_products"] = ["ARRAY[\(product), NULL]::uuid[], ARRAY[NULL, 'SKU-9']"]
        runs["sales.confirm"] = [
            """
            1, \(new(9)), NULL, \(customer), \(user), NULL, NULL, 5, 0, 0, 5, 2.5, \(ids), ARRAY[1, 1],
            ARRAY[\(new(7)), \(new(8))]::uuid[], ARRAY[\(new()), \(new(2))]::uuid[], \(ids), ARRAY[1, 1]::bigint[],
            ARRAY[0, 0]::smallint[], ARRAY[1, 1], ARRAY[2.5, 2.5], ARRAY[false, false], ARRAY[0, 0], ARRAY[0, 0],
            ARRAY[0, 0], ARRAY[2.5, 2.5], ARRAY[]::text[], ARRAY[\(new(3))]::uuid[], ARRAY[\(new(4))]::uuid[], ARRAY['cash'], ARRAY[2.5],
            ARRAY[NULL]::numeric[], ARRAY['cash'], ARRAY[0.5], ARRAY[\(new(5))]::uuid[], 0, NULL, \(new(6)), NULL, NULL, NULL
            """
        ]
        runs["sales.sale.conclude"] = ["\(sale), \(concluded)"]
        runs["sales.sale.read"] = [sale]
        runs["receipts.sale.read"] = [sale]
        runs["payments.register"] = [
            "\(new()), \(new(2)), 'cash', 2.5, NULL, NULL, \(customer), NULL, NULL, 0.5, \(new(3)), NULL"
        ]
        runs["sales.price"] = [
            """
            NULL, \(ids), ARRAY[1, 1], ARRAY[2.5, 2.5], ARRAY[false, false], ARRAY[0, 0], ARRAY[0, 0], ARRAY[2.5, 2.5],
            ARRAY[]::text[], 5, 0, 0, 5, 0, 0, 5, 5, 0, ARRAY['Kiste', NULL], ARRAY[1, NULL], ARRAY[2.5, NULL],
            \(id(.customer, 3))
            """
        ]
        runs["sales.fact_end"] = ["\(sale), now(), '[]'"]
        runs["sales.fact_begin"] = [""]
        runs["sales.list_exceptions"] = ["'open', NULL, 10", "'settled', NULL, 10"]
        runs["sales.settle_exception"] = ["\(id(.exception, 1)), 'Contado', NULL"]
        runs["sales.pack_lines"] = ["ARRAY[\(id(.line, 155))]::uuid[], ARRAY['Kiste'], ARRAY[1], ARRAY[2.5]"]
        runs["catalog.find_goods"] = [
            "ARRAY[NULL, NULL]::uuid[], ARRAY['4444444444477', 'x'], ARRAY['sku-77'], ARRAY[2]",
            "ARRAY[\(id(.product, 7))]::uuid[], ARRAY[NULL]::text[], '{}', '{}'",
        ]
        runs["sales.annotate"] = ["\(sale), ARRAY[1]::bigint[], true, 'n', NULL"]
        runs["sales.cancel"] = ["\(sale), 'r', NULL"]
        runs["payments.reverse"] = ["\(id(.payment, 77)), 'r', NULL"]
        let soldLine = id(.line, 155)
        let refunded = "ARRAY[\(new(4))]::uuid[], ARRAY[\(new(5))]::uuid[], ARRAY['card'], ARRAY[2.5], \(new(6))"
        runs["sales.return"] = [
            """
            \(new()), \(sale), NULL, NULL, NULL, NULL, ARRAY[\(new(2))]::uuid[], ARRAY[\(soldLine)]::uuid[], ARRAY[1], ARRAY[true],
            ARRAY[\(new(3))]::uuid[], \(refunded)
            """
        ]
        runs["payments.payment.conclude"] = ["\(id(.payment, 77)), \(concluded)"]
        runs["payments.payment.read"] = [id(.payment, 77)]
        runs["payments.list"] = [
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
            "'in', 'cash', NULL, NULL, current_date - 300, current_date - 290, NULL, NULL, 50, NULL",
            "'out', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, 'transfer', NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, NULL, \(customer), NULL, NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, NULL, NULL, \(sale), NULL, NULL, NULL, NULL, 50, NULL",
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50, \(new())",
        ]
        // Stock
        runs["stock.record"] = [
            """
            ARRAY[\(new()), \(new(2))]::uuid[], ARRAY[NULL, \(product)]::uuid[], ARRAY['SKU-9', NULL],
            ARRAY['adjustment', 'adjustment'], ARRAY[1, 1], ARRAY['x', 'x'], ARRAY[1, 1], ARRAY[NULL, NULL]::numeric[],
            NULL, NULL, ARRAY[NULL, \(main)]::uuid[]
            """
        ]
        runs["stock.list_levels_at"] = [
            "NULL, NULL, NULL, NULL, NULL, 50, \(main)", "NULL, NULL, NULL, 'thing number 2', \(product), 50, \(main)",
            "'out', NULL, NULL, NULL, NULL, 50, \(main)", "'low', NULL, NULL, NULL, NULL, 50, \(main)",
            "NULL, \(category), 'xyzzy', NULL, NULL, 50, \(main)",
        ]
        runs["stock.places.read"] = [product]
        runs["stock.places.conclude"] = ["\(product), \(concluded)"]
        runs["stock.place_low_at"] = ["\(product), \(main), 3"]
        runs["stock.refuse_elsewhere"] = [
            "ARRAY[\(main)]::uuid[], 'location', ARRAY[NULL, \(main)]::uuid[], ARRAY['/0', '/1']",
            "ARRAY[\(main)]::uuid[], 'register', ARRAY[NULL]::uuid[], ARRAY['/register_id']",
            "ARRAY[\(main)]::uuid[], 'sale', ARRAY[\(id(.sale, 77))]::uuid[], ARRAY['']",
            "ARRAY[\(main)]::uuid[], 'payment', ARRAY[\(id(.payment, 77))]::uuid[], ARRAY['']",
        ]
        runs["cash.register.place"] = [main]
        runs["stock.movements.conclude"] = ["ARRAY[\(id(.movement, 101))]::uuid[], \(concluded)"]
        runs["stock.list_levels"] = [
            "NULL, NULL, NULL, NULL, NULL, 50", "NULL, NULL, NULL, 'thing number 2', \(product), 50",
            "'out', NULL, NULL, NULL, NULL, 50", "NULL, \(category), 'xyzzy', NULL, NULL, 50",
        ]
        runs["stock.list_movements"] = [
            "NULL, NULL, NULL, NULL, NULL, 50, NULL, NULL, NULL",
            "NULL, 'loss', NULL, NULL, NULL, 50, NULL, NULL, NULL",
            "NULL, 'sale', current_date - 10, NULL, NULL, 50, NULL, NULL, NULL",
            "\(product), NULL, NULL, NULL, NULL, 50, NULL, NULL, NULL",
            "NULL, NULL, NULL, NULL, NULL, 50, \(main), NULL, NULL",
            "NULL, NULL, NULL, NULL, NULL, 50, \(new()), NULL, NULL",
            "NULL, NULL, NULL, NULL, NULL, 50, NULL, \(sale), NULL",
            "NULL, NULL, NULL, NULL, NULL, 50, NULL, NULL, 'nothing'",
        ]
        runs["stock.list_count_lines"] = [
            "\(new(3)), NULL, NULL, 50", "\(new(3)), true, \(product), 50", "\(new(3)), false, \(product), 50",
        ]
        runs["stock.list_counts"] = [
            "NULL, NULL, NULL, 50", "'open', NULL, NULL, 50", "'closed', NULL, NULL, 50", "NULL, \(main), NULL, 50",
        ]
        // Balance, settings, records
        runs["balance.dashboard"] = ["current_date - 2"]
        runs["settings.tenant.conclude"] = [concluded]
        runs["core.conclude_deletion"] = [record]
        runs["settings.guard"] = ["NULL, 'EUR', NULL, NULL, NULL, 0.05, 2, 50, 5"]
        runs["settings.update"] = [
            """
            'N', NULL, NULL, NULL, NULL, NULL, 'allow', false, NULL, false, NULL, true, NULL, 0.05, 'allow',
            true, 'Calle Ñ 1', true, 'T', true, 'P', true, 'F', true, 'logo', 'keep', true, 5,
            true, 30, true, NULL, true, 50, true, 5
            """
        ]
        runs["records.by_id"] = [
            "'stock.customer', 'stock.customer_body', ARRAY[\(id(.customer, 3)), \(id(.customer, 4))]::uuid[]",
            "'stock.sale', 'stock.sale_summary', ARRAY[\(id(.sale, 77))]::uuid[]",
        ]
        runs["records.changed"] = [
            "'stock.customer', 'stock.customer_body', 50, '2020-01-01', NULL, NULL",
            "'stock.product', 'stock.product_body', 50, '2020-01-01', '2020-02-01', \(product)",
        ]
        runs["core.take_key"] = ["'POST /v1/sales', 'key-new', '\\x00'", "'POST /v1/payments', 'key-40', '\\x00'"]
        runs["core.find_record"] = ["'POST /v1/sales', 'key-40'"]
        runs["core.record_refusal"] = ["\(record), 409, '{}'"]
        runs["unit.scope"] = ["'\(tenant)', '4000'"]
        runs["imports.begin"] = ["\(new()), 'sales', 'skip', 'f', '\\x00', '{}'"]
        runs["imports.finish"] = ["\(id(.job, 1)), 1, 0"]
        var own = runs.mapValues { Example(runs: $0) }
        // What needs something to be there, or not to be.
        own["stock.enter_places"] = Example(
            before: "UPDATE stock.location SET timezone = 'UTC' WHERE tenant_id = \(tenant) AND kind = 'branch'",
            runs: [
                "'location', ARRAY[NULL, \(main)]::uuid[], ARRAY['/0', '/1']",
                "'register', ARRAY[NULL]::uuid[], ARRAY['/register_id']",
                "'sale', ARRAY[\(sale)]::uuid[], ARRAY['']",
            ]
        )
        let free = "UPDATE stock.unit SET name = 'Something'"
        // Of a shop that has written events, before all others.
        let written = """
            INSERT INTO stock.domain_event (tenant_id, type) SELECT \(tenant), 'stock.low' FROM generate_series(1, 20);
            INSERT INTO stock.cache_outbox (id, tenant_id, modules) OVERRIDING SYSTEM VALUE
            VALUES (-1, \(tenant), '{events}')
            """
        own["cache.drain"] = Example(before: written, runs: ["0, 500, true, 100, 500"])
        own["cache.drain_slowly"] = Example(before: written, runs: ["0, 500, true, 100, 500, 1"])
        own["identity.default_units"] = Example(before: free, runs: ["\(new()), \(new(2))"])
        own["identity.membership_insert"] = Example(
            before: "INSERT INTO stock.app_user (id, email, password_hash) VALUES (\(new()), 'n@example.org', 'x')",
            runs: ["\(new()), 'viewer'"]
        )
        own["identity.reset_take"] = Example(
            before: """
                UPDATE stock.app_user SET reset_hash = '\\xbb', reset_expires_at = now() + interval '1 hour'
                WHERE id = \(user)
                """,
            runs: ["\(user), '\\xbb'"]
        )
        let returns = """
            INSERT INTO stock.sale_return (tenant_id, id, register_id, number, sale_id, customer_id, occurred_at, business_day,
                                           total, refund)
            SELECT \(tenant), CASE n WHEN 1 THEN \(new(7))::uuid ELSE gen_random_uuid() END, \(id(.register, 1)), n,
                   CASE n WHEN 1 THEN \(sale)::uuid END, CASE n % 3 WHEN 0 THEN \(customer)::uuid END, d.at, d.at::date, 2.5, 0
            FROM generate_series(1, 900) n, LATERAL (SELECT now() - n * interval '8 hours' AS at) d;
            INSERT INTO stock.sale_return_line (tenant_id, id, return_id, position, sale_line_id, product_id, name, unit, quantity,
                                                unit_price, amount, unit_cost, restock)
            VALUES (\(tenant), \(new(8)), \(new(7)), 1, \(soldLine), \(product), 'n', 'pc', 1, 2.5, 2.5, 0, true)
            """
        // Drafts are few among sales, of whoever made them.
        let drafts = """
            INSERT INTO stock.sale (tenant_id, id, register_id, status, user_id, occurred_at, business_day, subtotal, discount, tax,
                                    total, due)
            SELECT \(tenant), CASE n WHEN 1 THEN \(new(7))::uuid ELSE gen_random_uuid() END, \(id(.register, 1)), 'draft',
                   CASE n % 3 WHEN 0 THEN \(user)::uuid END, d.at, d.at::date, 2.5, 0, 0, 2.5, 0
            FROM generate_series(1, 60) n, LATERAL (SELECT now() - n * interval '8 hours' AS at) d;
            INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, name, unit, quantity, unit_price, tax_rate,
                                         tax, total, unit_cost)
            VALUES (\(tenant), \(new(8)), \(new(7)), 1, \(product), 'n', 'pc', 1, 2.5, 0, 0, 2.5, 0)
            """
        own["sales.list"] = Example(
            before: drafts,
            runs: [
                "NULL, NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
                "'confirmed', \(id(.register, 1)), NULL, current_date - 300, current_date - 290, NULL, NULL, 50, NULL",
                "NULL, NULL, \(customer), NULL, NULL, NULL, NULL, 50, NULL",
                "NULL, NULL, NULL, NULL, NULL, now() - interval '200 days', \(sale), 50, NULL",
                "'draft', NULL, NULL, NULL, NULL, NULL, NULL, 50, \(user)",
                "'cancelled', NULL, NULL, NULL, NULL, NULL, NULL, 50, NULL",
                "'discarded', NULL, \(customer), NULL, NULL, NULL, NULL, 50, NULL",
                "NULL, \(id(.register, 2)), NULL, NULL, NULL, NULL, NULL, 50, NULL",
            ]
        )
        own["sales.list_by_total"] = Example(
            before: drafts,
            runs: [
                "true, NULL, NULL, NULL, current_date - 30, current_date, NULL, NULL, 50, NULL",
                "false, 'confirmed', \(id(.register, 1)), \(customer), current_date - 30, current_date, '2.5', \(sale), 50, NULL",
                "false, NULL, \(id(.register, 1)), NULL, current_date - 30, current_date, '2.5', \(sale), 50, NULL",
                "true, 'draft', NULL, NULL, current_date - 30, current_date, NULL, NULL, 50, \(user)",
                "true, NULL, \(new()), NULL, current_date - 30, current_date, NULL, NULL, 50, NULL",
            ]
        )
        let reserved = """
            INSERT INTO stock.reservation (tenant_id, document_id, kind, product_id, location_id, quantity, expires_at)
            SELECT \(tenant), gen_random_uuid(), 'sale', l.product_id, l.location_id, 1, now() + interval '1 hour'
            FROM (SELECT n.* FROM stock.location_level n WHERE n.tenant_id = \(tenant) LIMIT 300) l, generate_series(1, 2)
            """
        own["stock.list_reservations"] = Example(
            before: reserved,
            runs: [
                "NULL, NULL, NULL, NULL, 50", "\(product), NULL, NULL, NULL, 50",
                "NULL, \(main), \(new()), \(new()), 50",
            ]
        )
        let cart = """
            5, 0, 0, 5, ARRAY[\(new(2)), \(new(3))]::uuid[], \(ids), ARRAY[1, 1]::bigint[], ARRAY[0, 0]::smallint[], ARRAY[1, 1],
            ARRAY[2.5, 2.5], ARRAY[false, false], ARRAY[0, 0], ARRAY[0, 0], ARRAY[0, 0], ARRAY[2.5, 2.5], ARRAY[]::text[]
            """
        own["sales.draft"] = Example(
            before: drafts,
            runs: [
                "1, \(new()), NULL, \(customer), \(user), NULL, \(cart), NULL, NULL",
                "1, \(new(7)), NULL, \(customer), \(user), NULL, \(cart), ARRAY[1]::bigint[], 1",
            ]
        )
        let quotes = """
            INSERT INTO stock.quote (tenant_id, id, register_id, number, status, customer_id, occurred_at, business_day, subtotal,
                                     discount, tax, total)
            SELECT \(tenant), CASE n WHEN 1 THEN \(new(7))::uuid WHEN 2 THEN \(new(6))::uuid ELSE gen_random_uuid() END,
                   \(id(.register, 1)), CASE WHEN n > 1 THEN 1000 + n END, CASE n WHEN 1 THEN 'draft' ELSE 'sent' END,
                   CASE n % 3 WHEN 0 THEN \(customer)::uuid END, d.at, d.at::date, 2.5, 0, 0, 2.5
            FROM generate_series(1, 900) n, LATERAL (SELECT now() - n * interval '8 hours' AS at) d;
            INSERT INTO stock.quote_line (tenant_id, quote_id, id, position, product_id, name, unit, quantity, unit_price,
                                          price_source, discount, document_discount, tax_rate, tax, total)
            VALUES (\(tenant), \(new(7)), \(new(8)), 1, \(product), 'n', 'pc', 1, 2.5, 'list', 0, 0, 0, 0, 2.5),
                   (\(tenant), \(new(6)), \(new(9)), 1, \(product), 'n', 'pc', 1, 2.5, 'list', 0, 0, 0, 0, 2.5)
            """
        own["quotes.list"] = Example(
            before: quotes,
            runs: [
                "NULL, NULL, NULL, NULL, NULL, NULL, 50, current_date",
                "'sent', NULL, current_date - 200, current_date - 190, NULL, NULL, 50, current_date",
                "NULL, \(customer), NULL, NULL, NULL, NULL, 50, current_date",
                "NULL, NULL, NULL, NULL, now() - interval '100 days', \(new()), 50, current_date",
            ]
        )
        own["quotes.draft"] = Example(
            before: quotes,
            runs: [
                "1, \(new()), NULL, \(customer), \(user), NULL, \(cart), NULL, NULL, current_date",
                "1, \(new(7)), NULL, \(customer), \(user), NULL, \(cart), ARRAY[1]::bigint[], 1, NULL",
            ]
        )
        own["quotes.read"] = Example(before: quotes, runs: [new(7)])
        own["quotes.quote_on_day.read"] = Example(before: quotes, runs: ["\(new(7)), current_date"])
        own["quotes.quote.conclude"] = Example(before: quotes, runs: ["\(new(7)), \(concluded)"])
        own["quotes.send"] = Example(before: quotes, runs: ["\(new(7)), NULL"])
        own["quotes.accept"] = Example(before: quotes, runs: ["\(new(6)), NULL"])
        own["quotes.cancel"] = Example(before: quotes, runs: ["\(new(7)), NULL"])
        let approval = """
            INSERT INTO stock.approval (tenant_id, id, secret_hash, user_id, discount_limit, expires_at)
            SELECT \(tenant), CASE n WHEN 1 THEN \(new(7))::uuid ELSE gen_random_uuid() END, '\\xbb', \(user), 10,
                   now() + CASE WHEN n % 2 = 1 THEN interval '5 minutes' ELSE interval '-5 minutes' END
            FROM generate_series(1, 300) n
            """
        own["sales.approve"] = Example(
            before: approval,
            runs: ["\(new()), '\\xbb', \(user), 'owner', 10, 10, NULL, 20"]
        )
        own["sales.read_approval"] = Example(before: approval, runs: ["\(new(7)), '\\xbb'"])
        own["sales.take_approval"] = Example(before: approval, runs: ["\(new(7)), '\\xbb', \(sale), \(user), 'sale'"])
        own["sales.approval.conclude"] = Example(before: approval, runs: ["\(new(7)), \(concluded)"])
        own["sales.read_draft"] = Example(before: drafts, runs: [new(7)])
        own["sales.discard"] = Example(before: drafts, runs: ["\(new(7)), NULL"])
        own["sales.list_returns"] = Example(
            before: returns,
            runs: [
                "NULL, NULL, NULL, NULL, NULL, NULL, 50", "\(sale), NULL, NULL, NULL, NULL, NULL, 50",
                "NULL, \(customer), NULL, NULL, NULL, NULL, 50",
                "NULL, NULL, current_date - 200, current_date - 190, NULL, NULL, 50",
                "NULL, NULL, NULL, NULL, now() - interval '100 days', \(new()), 50",
            ]
        )
        own["receipts.return.read"] = Example(before: returns, runs: [new(7)])
        own["sales.return_document.read"] = Example(before: returns, runs: [new(7)])
        own["sales.return_document.conclude"] = Example(before: returns, runs: ["\(new(7)), \(concluded)"])
        own["sales.return_unsold"] = Example(
            before: "UPDATE stock.tenant SET returns_without_sale = 'allow' WHERE id = \(tenant)",
            runs: [
                """
                \(new()), NULL, \(customer), NULL, NULL, NULL, ARRAY[\(new(2)), \(new(7))]::uuid[], ARRAY[\(product), NULL]::uuid[],
                ARRAY[NULL, 'SKU-9'], ARRAY[1, 1], ARRAY[1, 1.5], ARRAY[true, true], ARRAY[\(new(3)), \(new(8))]::uuid[],
                \(refunded), ARRAY['Kiste', NULL], ARRAY[1, NULL], ARRAY[1, NULL]
                """
            ]
        )
        own["sales.return_within"] = Example(
            before: "\(returns); UPDATE stock.tenant SET cashier_return_limit = 5 WHERE id = \(tenant)",
            runs: ["\(new(7)), 'cashier'", "\(new(7)), 'manager'"]
        )
        let session = "SELECT stock.session_open(\(new()), \(id(.register, 1)), 50, NULL, NULL);"
        own["cash.open"] = Example(runs: ["\(new()), \(id(.register, 1)), 50, NULL, NULL"])
        own["cash.record"] = Example(
            before: session,
            runs: ["\(new(2)), \(new(3)), \(new()), 'paid_in', 5, NULL, NULL, NULL"]
        )
        own["cash.close"] = Example(
            before: session,
            runs: ["\(new()), \(new(2)), 40, '{}', '{}', '{}', '{}', NULL, NULL"]
        )
        own["cash.session.read"] = Example(before: session, runs: [new()])
        own["cash.session.conclude"] = Example(before: session, runs: ["\(new()), \(concluded)"])
        own["taxes.compose"] = Example(before: taxed, runs: ["\(group), ARRAY[\(tax)]::uuid[]", "\(group), NULL"])
        // Hundreds of counts, one of them with lines.
        let counted = """
            INSERT INTO stock.stock_count (tenant_id, id, location_id, status, ended_at)
            SELECT \(tenant), gen_random_uuid(), \(main), 'closed', now() FROM generate_series(1, 300);
            SELECT stock.count_open(\(new(3)), \(main), NULL, NULL);
            INSERT INTO stock.stock_count_line (tenant_id, count_id, product_id, open_at, counted, on_hand_seen)
            SELECT l.tenant_id, \(new(3)), l.product_id, \(main), l.on_hand + (l.product_id < \(product))::integer, l.on_hand
            FROM stock.location_level l WHERE l.tenant_id = \(tenant) AND l.location_id = \(main)
            ORDER BY l.product_id LIMIT 500
            """
        let found = "\(new(3)), ARRAY[NULL, \(product)]::uuid[], ARRAY['SKU-9', NULL]"
        let counts = [
            "count_lines.conclude": "\(found), \(concluded)", "count_enter": "\(found), ARRAY[1, 2], NULL",
            "count_close": "\(new(3)), NULL", "count_cancel": "\(new(3)), NULL", "count.read": new(3),
            "count.conclude": "\(new(3)), \(concluded)",
        ]
        for (name, run) in counts { own["stock.\(name)"] = Example(before: counted, runs: [run]) }
        for name in ["list_counts", "list_count_lines"] { own["stock.\(name)"]?.before = counted }
        // A transfer of a few of the products, which is in transit among hundreds that were received.
        let second = new(4)
        let carried = """
            INSERT INTO stock.location (tenant_id, id, name) VALUES (\(tenant), \(second), 'Zwei');
            INSERT INTO stock.transfer (tenant_id, id, register_id, number, from_location_id, to_location_id, status, sent_at,
                                        received_at)
            SELECT \(tenant), gen_random_uuid(), r.id, n + 100, \(main), \(second), 'received', now(), now()
            FROM stock.register r, generate_series(1, 300) n WHERE r.tenant_id = \(tenant) AND r.is_default;
            UPDATE stock.product SET oversell = 'allow' WHERE tenant_id = \(tenant) AND id IN (\(product), \(other));
            SELECT stock.transfer_draft(\(new(3)), \(main), \(second), 'Ñ', NULL, ARRAY[\(new(5)), \(new(6))]::uuid[],
                                        ARRAY[\(product), \(other)]::uuid[], ARRAY[NULL, NULL], ARRAY[2, 3])
            """
        let goods = """
            ARRAY[\(new(7)), \(new(8))]::uuid[], ARRAY[NULL, \(product)]::uuid[], ARRAY['SKU-9', NULL], ARRAY[1, 1]
            """
        let transfers = [
            "transfer_draft": ["\(new()), \(main), \(second), 'Ñ', NULL, \(goods)"],
            "transfer_change": ["\(new(3)), ARRAY[1]::bigint[], NULL, NULL, true, NULL, \(goods)"],
            "transfer_send": ["\(new(3)), NULL"], "transfer_cancel": ["\(new(3)), NULL"],
            "transfer.read": [new(3)], "transfer.conclude": ["\(new(3)), \(concluded)"],
            "list_transfers": [
                "NULL, NULL, NULL, 50", "'draft', NULL, NULL, 50", "'received', NULL, NULL, 50",
                "NULL, \(second), NULL, 50",
            ],
        ]
        for (name, runs) in transfers { own["stock.\(name)"] = Example(before: carried, runs: runs) }
        let nothing = "ARRAY[]::numeric[], ARRAY[]::numeric[], ARRAY[]::text[], NULL"
        let part = "ARRAY[\(new(5))]::uuid[], ARRAY[1], ARRAY[1], ARRAY['x'], NULL"
        own["stock.transfer_receive"] = Example(
            before: "\(carried); SELECT stock.transfer_send(\(new(3)), NULL)",
            runs: ["\(new(3)), \(part)", "\(new(3)), ARRAY[]::uuid[], \(nothing)"]
        )
        own["stock.count_open"] = Example(runs: ["\(new()), \(main), 'Ñ', NULL"])
        own.merge(buying) { $1 }
        own.merge(entering) { $1 }
        own["imports.note_keys"] = Example(
            before: "SELECT stock.import_keys_open()",
            runs: ["stock.new_ids(2000)"]
        )
        own.merge(imports) { $1 }
        own.merge(webhooks) { $1 }
        own["imports.create_first_unit"] = Example(before: free, runs: [new()])
        let staged = """
            SELECT stock.import_open();
            INSERT INTO pg_temp.import_document (ordinal, is_return, external_id, instant, id, payment_id, ledger_id)
            SELECT n, false, 'new-' || n, now() - interval '1 day', gen_random_uuid(), gen_random_uuid(),
                   gen_random_uuid()
            FROM generate_series(0, 299) n;
            INSERT INTO pg_temp.import_sku
            SELECT n, 'SKU-' || n + 1, n + 1, 2.5, 'Thing', n + 1, gen_random_uuid() FROM generate_series(0, 299) n;
            INSERT INTO pg_temp.import_line
            SELECT n / 2, n % 300, n + 1, 1, 2.5, gen_random_uuid(), gen_random_uuid(), n % 2 + 1
            FROM generate_series(0, 599) n
            """
        let checked = staged + "; SELECT stock.import_sales_check(NULL)"
        let planned = checked + "; SELECT stock.import_cut(100, true)"
        own["imports.check_sales"] = Example(before: staged, runs: ["NULL"])
        own["imports.check_parties"] = Example(before: checked, runs: ["'cash'"])
        own["imports.create_products"] = Example(before: checked, runs: [unit])
        own["imports.rejections"] = Example(before: checked, runs: ["0"])
        own["imports.plan_sales"] = Example(before: checked, runs: ["100, true"])
        own["imports.is_bounded"] = Example(before: planned, runs: ["0, 99"])
        own["imports.draft_sales"] = Example(before: planned, runs: ["0, 99, 'cash'"])
        own["imports.apply_sales"] = Example(
            before: planned,
            runs: ["0, 99, 'cash', \(id(.job, 1)), false, false, true"]
        )
        own["imports.assist_copied"] = Example(before: "SELECT stock.import_second_open()", runs: [""])
        return own
    }
}
