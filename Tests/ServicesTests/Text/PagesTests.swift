import TestSupport
import Testing

/// Lists by name find what a plain reading of all there is finds, whichever way they take.
@Suite("Pages by name")
struct PagesTests {
    /// A shop whose products and customers have words of few syllables, so that searches have any number of hits: a few products
    /// alone hold `ruby`, every twentieth is archived, some run out.
    private static let shop = """
        SET stock.tenant_id = 1;
        INSERT INTO stock.unit (tenant_id, id, name, symbol)
        VALUES (1, '00000000-0000-7000-8000-000000000010', 'Piece', 'pc');
        INSERT INTO stock.category (tenant_id, id, name)
        SELECT 1, ('00000000-0000-7000-8000-00000000010' || n)::uuid, 'Category ' || n FROM generate_series(0, 3) n;
        CREATE FUNCTION pg_temp.word(seed integer) RETURNS text LANGUAGE sql IMMUTABLE
        RETURN (ARRAY['ka', 'ló', 'me', 'ñu', 'ri', 'so', 'tü', 'x-1', '%o', 'y_z', '\\e', '茶'])[1 + (hashint4(seed) & 65535) % 12]
            || (ARRAY['ba', 'de', 'fi', 'ga', '7', '42'])[1 + (hashint4(seed * 31 + 7) & 65535) % 6];
        INSERT INTO stock.product (tenant_id, id, sku, name, category_id, unit_id, price, tracks_stock, min_stock, status)
        SELECT 1, gen_random_uuid(), CASE WHEN n % 3 > 0 THEN 'S' || n || pg_temp.word(n + 90000) END,
               concat_ws(' ', pg_temp.word(n), pg_temp.word(n + 7000), CASE WHEN n % 400 = 17 THEN 'Ruby' END),
               CASE WHEN n % 5 < 4 THEN ('00000000-0000-7000-8000-00000000010' || n % 5)::uuid END,
               '00000000-0000-7000-8000-000000000010', 1, n % 7 > 0, n % 4, CASE WHEN n % 20 = 3 THEN 'archived' ELSE 'active' END
        FROM generate_series(1, 2400) n;
        INSERT INTO stock.product_barcode (tenant_id, product_id, code)
        SELECT 1, p.id, (hashtext(p.id::text)::bigint + 5000000000)::text FROM stock.product p WHERE p.price = 1;
        UPDATE stock.stock_level SET on_hand = (hashtext(product_id::text) & 7) - 1
        WHERE (hashtext(product_id::text) & 1023) > 40;
        INSERT INTO stock.customer (tenant_id, id, name, phone, active)
        SELECT 1, gen_random_uuid(), concat_ws(' ', pg_temp.word(n), CASE WHEN n % 300 = 5 THEN 'Ruby' END), '09' || n * 7919,
               n % 9 > 0
        FROM generate_series(1, 1500) n;
        UPDATE stock.customer_account SET balance = 1 WHERE (hashtext(customer_id::text) & 255) = 1
        """

    /// What is asked for, as SQL lists; NULL: nothing.
    private static let asked = """
        unnest(ARRAY[NULL, 'ruby', 'ka', 'RUBY ka', 'lo 42', 'x', '%', '_', '\\', 'xyzzy', 'q', '茶', 'o7 s1', '991', 'z4 ka s2',
                     'nu ba nu', E'\\u200b']) AS q (q)
        """

    private func compare(_ loop: String) async throws {
        try await TestShop.open("pages_by_name", onHand: 0) { (shop) async throws in
            try await shop.psql(
                "DELETE FROM stock.product; DELETE FROM stock.customer; DELETE FROM stock.unit; \(Self.shop)"
            )
            let told = try await shop.database.psql(
                """
                SET stock.tenant_id = 1;
                SET statement_timeout = 0;
                CREATE TEMPORARY TABLE told (asked text, wanted integer);
                DO $$
                DECLARE
                    r record; v_wanted uuid[]; v_found uuid[]; v_page uuid[]; v_key text; v_id uuid;
                BEGIN
                    \(loop)
                END
                $$;
                SELECT format('%s with none, %s with few, %s with many', count(*) FILTER (WHERE wanted = 0),
                              count(*) FILTER (WHERE wanted BETWEEN 1 AND 50), count(*) FILTER (WHERE wanted > 50)) FROM told
                """,
                as: "stock_app"
            )
            #expect(told.wholeMatch(of: /[1-9]\d* with none, [1-9]\d* with few, [1-9]\d* with many/) != nil, "\(told)")
        }
    }

    /// Takes page after page until there is none, and compares.
    private func pages(_ call: String, _ page: Int) -> String {
        """
        v_found := '{}'; v_key := NULL; v_id := NULL;
        LOOP
            SELECT array_agg(p.id ORDER BY p.place), (array_agg(p.name_key ORDER BY p.place DESC))[1],
                   (array_agg(p.id ORDER BY p.place DESC))[1]
            INTO v_page, v_key, v_id
            FROM \(call) WITH ORDINALITY AS p (id, name_key, place);
            EXIT WHEN v_page IS NULL;
            v_found := v_found || v_page;
            EXIT WHEN cardinality(v_page) < \(page);
        END LOOP;
        IF v_found <> v_wanted THEN
            RAISE EXCEPTION '%: % found, not %', r, cardinality(v_found), cardinality(v_wanted);
        END IF;
        INSERT INTO told VALUES (r::text, cardinality(v_wanted));
        """
    }

    @Test("of products are those that hold every word and pass every filter, none twice", arguments: [3, 60])
    func products(page: Int) async throws {
        try await compare(
            """
            FOR r IN
                SELECT q.q, c.category, s.stock, a.status FROM \(Self.asked),
                    unnest(ARRAY[NULL, '00000000-0000-7000-8000-000000000102'::uuid]) AS c (category),
                    unnest(ARRAY[NULL, 'out', 'low', 'ok']) AS s (stock), unnest(ARRAY[NULL, 'active', 'archived']) AS a (status)
                WHERE \(page) > 3 OR q.q IN ('ruby', 'xyzzy', '991', '%')
            LOOP
                v_wanted := ARRAY(
                    SELECT p.id FROM stock.product p JOIN stock.stock_level l ON l.product_id = p.id
                    WHERE (r.q IS NULL OR NOT EXISTS (
                              SELECT FROM unnest(string_to_array(stock.search_text(r.q), ' ')) AS w (word)
                              WHERE strpos(p.search_text, w.word) = 0
                                AND NOT EXISTS (SELECT FROM stock.product_barcode b
                                                WHERE b.product_id = p.id AND strpos(b.search_text, w.word) > 0)))
                      AND (r.category IS NULL OR p.category_id = r.category) AND (r.status IS NULL OR p.status = r.status)
                      AND (r.stock IS NULL OR r.stock = CASE WHEN NOT p.tracks_stock THEN 'ok' WHEN l.on_hand <= 0 THEN 'out'
                                                             WHEN l.on_hand <= p.min_stock THEN 'low' ELSE 'ok' END)
                    ORDER BY p.name_key, p.id);
                \(pages("stock.product_page(r.q, NULL, r.category, r.stock, r.status, \(page), v_key, v_id)", page))
            END LOOP;
            """
        )
    }

    @Test("of customers likewise, and of those who owe", arguments: [7, 60])
    func customers(page: Int) async throws {
        try await compare(
            """
            FOR r IN
                SELECT q.q, a.active, o.owes FROM \(Self.asked), unnest(ARRAY[NULL, true, false]) AS a (active),
                    unnest(ARRAY[NULL, true, false]) AS o (owes)
            LOOP
                v_wanted := ARRAY(
                    SELECT c.id FROM stock.customer c JOIN stock.customer_account a ON a.customer_id = c.id
                    WHERE (r.q IS NULL OR NOT EXISTS (
                              SELECT FROM unnest(string_to_array(stock.search_text(r.q), ' ')) AS w (word)
                              WHERE strpos(c.search_text, w.word) = 0))
                      AND (r.active IS NULL OR c.active = r.active) AND (r.owes IS NULL OR (a.balance > 0) = r.owes)
                    ORDER BY c.name_key, c.id);
                \(pages("stock.customer_page(r.q, r.active, r.owes, \(page), v_key, v_id)", page))
            END LOOP;
            """
        )
    }

    @Test("what is found follows names, SKUs and barcodes as they come and go")
    func words() async throws {
        try await TestShop.open("pages_of_words", onHand: 0) { (shop) async throws in
            // So many by name before it that the words are taken for rare.
            try await shop.psql(
                """
                INSERT INTO stock.product (tenant_id, id, name, unit_id, price)
                SELECT 1, gen_random_uuid(), 'Aa ' || n, '\(TestShop.unit(0))', 1 FROM generate_series(1, 400) n
                """
            )
            let product = TestShop.product("W")
            func isFound(_ text: String) async throws -> Bool {
                try await shop.database.psql(
                    """
                    SET stock.tenant_id = 1;
                    SELECT EXISTS (SELECT FROM stock.product_page('\(text)', NULL, NULL, NULL, 'active', 5, NULL, NULL) p
                                   WHERE p.id = '\(product)')
                    """,
                    as: "stock_app"
                ) == "t"
            }
            #expect(try await isFound("alnu"))
            #expect(try await !isFound("ixirq"))
            try await shop.psql("UPDATE stock.product SET name = 'Elixirq' WHERE id = '\(product)'")
            #expect(try await isFound("IXIRQ"))
            #expect(try await !isFound("alnu"))
            try await shop.psql("UPDATE stock.product SET sku = 'Ñ#5' WHERE id = '\(product)'")
            #expect(try await isFound("n# ixi"))
            try await shop.psql("INSERT INTO stock.product_barcode VALUES (1, '\(product)', '99-ABC-77')")
            #expect(try await isFound("9-abc-7 lix"))
            try await shop.psql("UPDATE stock.product_barcode SET code = '55-DEF' WHERE product_id = '\(product)'")
            #expect(try await isFound("5-de"))
            #expect(try await !isFound("9-abc-7"))
            try await shop.psql("DELETE FROM stock.product_barcode WHERE product_id = '\(product)'")
            #expect(try await !isFound("5-de"))
            #expect(try await shop.violations() == [])
            try await shop.psql("DELETE FROM stock.product WHERE id = '\(product)'")
            #expect(try await !isFound("ixirq"))
            #expect(try await shop.violations() == [])
        }
    }
}
