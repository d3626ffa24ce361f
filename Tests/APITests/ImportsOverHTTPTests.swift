import Crypto
import Foundation
import HTTPTypes
import Kernel
import Logging
import NIOCore
import Services
import TestSupport
import Testing

@testable import API

@Suite("Imports over HTTP")
struct ImportsOverHTTPTests {
    /// A shop whose imports run when the test says so.
    private struct Importer {
        let shop: TestShop
        let database: TestDatabase
        let owner: String
        let worker: ImportWorker

        /// Sends a request as the owner, or as somebody else.
        func send(
            _ method: HTTPRequest.Method,
            _ path: String,
            _ fields: [String: String] = [:],
            as token: String? = nil,
            body: String? = nil
        ) async -> Reply {
            var fields = fields
            fields["Idempotency-Key"] = fields["Idempotency-Key"] ?? UUID().uuidString
            return await shop.send(method, path, token: token ?? owner, fields, body: body)
        }

        /// Asks for an import; its path.
        func ask(_ body: String, as token: String? = nil) async throws -> String {
            let reply = await send(.post, "/v1/imports", as: token, body: body)
            #expect(reply.status == .created, "\(reply.text)")
            return try #require(reply["location"])
        }

        /// Sends a part.
        @discardableResult
        func part(
            _ path: String,
            _ number: Int,
            _ bytes: [UInt8],
            _ fields: [String: String] = [:],
            as token: String? = nil
        ) async -> Reply {
            await shop.send(.put, "\(path)/parts/\(number)", token: token ?? owner, fields, bytes: bytes)
        }

        /// Asks for an import of a file of one part, and starts it.
        func begin(_ body: String, _ file: String, as token: String? = nil) async throws -> String {
            let path = try await ask(body, as: token)
            let sent = await part(path, 1, Array(file.utf8), as: token)
            #expect(sent.status == .ok, "\(sent.text)")
            let started = await send(
                .post,
                "\(path)/start",
                as: token,
                body: #"{"parts":1,"bytes":\#(file.utf8.count)}"#
            )
            #expect(started.json["status"].string == "queued", "\(started.text)")
            return path
        }

        /// Runs everything that waits.
        func work() async throws {
            while try await worker.serveNext() {}
        }

        func read(_ path: String, as token: String? = nil) async -> JSON {
            await send(.get, path, as: token).json
        }

        /// What a query says.
        func ask(sql: String) async throws -> String { try await database.psql(sql) }
    }

    private static func open(_ name: String = #function, _ body: (Importer) async throws -> Void) async throws {
        let database = try await PostgresServer.shared().database(named: name)
        let shop = try await TestShop(url: database.appURL, runs: true)
        do {
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let importer = Importer(
                shop: shop,
                database: database,
                owner: try await shop.signUp(),
                worker: ImportWorker(postgres: shop.postgres, logger: logger)
            )
            try await body(importer)
        } catch {
            await shop.stop()
            throw error
        }
        await shop.stop()
    }

    private static let products = #"{"kind":"products","name":"products.csv"}"#

    @Test("a file by parts, cut inside a line and inside a character, is what it is as a whole")
    func parts() async throws {
        try await Self.open { importer in
            let file = Array("sku,name,price\nÑ-1,Ñandú à la crème,2.50\nB-2,Beans,9.00\n".utf8)
            // Behind the first byte of the second Ñ.
            let cut = try #require(file.lastIndex(of: 0xC3)) + 1
            let path = try await importer.ask(Self.products)
            let before = await importer.read(path)
            #expect(before["status"].string == "receiving" && before["parts"].int == 0)

            // In any order, and the same once more.
            let second = Array(file[cut...])
            for _ in 0..<2 { #expect(await importer.part(path, 2, second).json["parts"].int == 1) }
            #expect(await importer.part(path, 2, [1]).json["code"].string == "duplicate")
            let start = #"{"parts":2,"bytes":\#(file.count)}"#
            let early = await importer.send(.post, "\(path)/start", body: start)
            #expect(early.json["detail"].string == "Parts are missing: 1.", "\(early.text)")

            let first = Array(file[..<cut])
            let digest = Data(SHA256.hash(data: first)).base64EncodedString()
            for wrong in ["sha-256=:AAAA:", "sha-256=:\(Data(SHA256.hash(data: file)).base64EncodedString()):"] {
                let refused = await importer.part(path, 1, first, ["Content-Digest": wrong])
                #expect(refused.json["code"].string == "invalid_request", "\(refused.text)")
            }
            let taken = await importer.part(path, 1, first, ["Content-Digest": "md5=:AA==:, sha-256=:\(digest):"])
            #expect(taken.json["bytes"].int == file.count, "\(taken.text)")
            for number in ["0", "01", "1025", "x"] {
                let refused = await importer.shop.send(
                    .put,
                    "\(path)/parts/\(number)",
                    token: importer.owner,
                    bytes: first
                )
                #expect(refused.status == .notFound)
            }
            #expect(await importer.part(path, 3, []).json["code"].string == "invalid_request")
            let short = await importer.send(.post, "\(path)/start", body: #"{"parts":2,"bytes":1}"#)
            #expect(short.json["code"].string == "invalid_state", "\(short.text)")
            for _ in 0..<2 {
                #expect(await importer.send(.post, "\(path)/start", body: start).json["status"].string == "queued")
            }
            #expect(await importer.part(path, 2, second).status == .ok)
            #expect(await importer.part(path, 3, [1]).json["code"].string == "invalid_state")

            try await importer.work()
            let ended = await importer.read(path)
            #expect(ended["status"].string == "completed", "\(ended)")
            #expect(ended["rows"].int == 2 && ended["created"].int == 2 && ended["rejected"].int == 0)
            // The file is not kept.
            #expect(ended["parts"].int == 0)
            #expect(
                try await importer.ask(sql: "SELECT string_agg(name, '|' ORDER BY name) FROM stock.product")
                    == "Beans|Ñandú à la crème"
            )
            try await eventually("its end is told") {
                let told = await importer.send(.get, "/v1/events?types=import.completed").json["data"].elements
                return told.count == 1 && told.first?["data"]["created"].int == 2
            }
            let audit = await importer.send(.get, "/v1/audit?action=import.created").json["data"].elements
            #expect(audit.first?["actor"]["name"].string == "ana@example.com", "\(audit)")
        }
    }

    @Test("an import ends with as many rejected rows as it may have, and tells which they were")
    func tooManyRejected() async throws {
        try await Self.open { importer in
            let body = #"{"kind":"products","max_errors":2}"#
            let path = try await importer.begin(body, "sku,name,price\nA,Apples,1\nB,Beets,-\nC,Chives,-\nD,Dates,-\n")
            try await importer.work()
            let ended = await importer.read(path)
            #expect(ended["status"].string == "failed" && ended["rejected"].int == 2, "\(ended)")
            #expect(ended["options"]["max_errors"].int == 2)
            #expect(ended["error"].string == "2 rows were rejected, which is too many.")
            let errors = await importer.send(.get, "\(path)/errors").json
            #expect(errors["data"].elements.map { $0["line"].int } == [3, 4], "\(errors)")
            #expect(await importer.send(.get, "\(path)/rejected").text.contains("C,Chives,-,4,price_invalid"))
            let refused = await importer.send(.post, "/v1/imports", body: #"{"kind":"products","max_errors":0}"#)
            #expect(refused.json["errors"][0]["pointer"].string == "/max_errors", "\(refused.text)")
        }
    }

    @Test("rejected rows are told by page, and as a file that is imported once it is corrected")
    func rejected() async throws {
        try await Self.open { importer in
            var file = "sku;name;price\n"
            for number in 1...7 { file += "P-\(number);\(number % 2 == 0 ? "" : "Row \(number)");1,00\n" }
            let body = #"{"kind":"products","mapping":{"delimiter":";","decimal":","}}"#
            let path = try await importer.begin(body, file)
            #expect(await importer.send(.get, "\(path)/rejected").json["code"].string == "invalid_state")
            try await importer.work()
            let ended = await importer.read(path)
            #expect(ended["status"].string == "completed_with_errors" && ended["rejected"].int == 3, "\(ended)")
            #expect(ended["rows_written"].int == 4 && ended["rows_to_write"].int == 4, "\(ended)")
            for bytes in ["bytes", "bytes_read"] { #expect(ended[bytes].int == file.utf8.count, "\(bytes): \(ended)") }

            let first = await importer.send(.get, "\(path)/errors?limit=2").json
            #expect(first["data"].elements.map { $0["line"].int } == [3, 5], "\(first)")
            #expect(first["data"][0]["code"].string == "name_missing")
            let cursor = try #require(first["next_cursor"].string)
            let second = await importer.send(.get, "\(path)/errors?limit=2&cursor=\(cursor)").json
            #expect(second["data"].elements.map { $0["line"].int } == [7] && second["next_cursor"] == .null)

            let rows = await importer.send(.get, "\(path)/rejected")
            #expect(rows["content-type"]?.hasPrefix("text/csv") == true)
            let lines = rows.text.split(whereSeparator: \.isNewline).map(String.init)
            #expect(lines.first == "sku;name;price;line;code;reason" && lines.count == 4, "\(rows.text)")
            #expect(lines.last?.hasPrefix("P-6;;1,00;7;name_missing;") == true, "\(rows.text)")

            let again = try await importer.begin(body, rows.text.replacing(";;", with: ";Named now;"))
            try await importer.work()
            let corrected = await importer.read(again)
            #expect(corrected["status"].string == "completed" && corrected["created"].int == 3, "\(corrected)")
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.product") == "7")
            #expect(await importer.send(.get, "\(again)/rejected").text == "")
        }
    }

    @Test(
        "objects, one to a line, and sales are imported as the command does it; a dry run and one of all or nothing keep nothing"
    )
    func kinds() async throws {
        try await Self.open { importer in
            let objects = """
                {"name":"Ana","external_id":"c1"}
                {"external_id":"c9"}
                {"name":"Bo","external_id":"c2"}

                """
            func customers(_ more: String) -> String {
                #"{"kind":"customers","mapping":{"format":"ndjson"}\#(more)}"#
            }
            let counted = "SELECT count(*) FROM stock.customer"
            let dry = try await importer.begin(customers(#","dry_run":true"#), objects)
            let whole = try await importer.begin(customers(#","on_error":"abort""#), objects)
            try await importer.work()
            #expect(try await importer.ask(sql: counted) == "0")
            #expect(await importer.read(dry)["created"].int == 2)
            let refused = await importer.read(whole)
            #expect(refused["status"].string == "failed", "\(refused)")
            #expect(refused["error"].string == "1 rows were rejected, so nothing was imported.")
            let path = try await importer.begin(customers(""), objects)
            try await importer.work()
            #expect(try await importer.ask(sql: counted) == "2")
            for path in [path, whole] {
                let rows = await importer.send(.get, "\(path)/rejected")
                #expect(rows["content-type"] == "application/x-ndjson")
                #expect(rows.text.contains(#""line":2,"code":"#), "\(rows.text)")
            }

            let sales = """
                sale,sku,quantity,unit_price,occurred_at
                S1,T,2,1.50,2026-01-05T10:00:00
                S1,U,1,2.00,2026-01-05T10:00:00
                S2,T,1,1.50,never

                """
            let sold = try await importer.begin(#"{"kind":"sales","create_products":true}"#, sales)
            try await importer.work()
            let ended = await importer.read(sold)
            #expect(ended["status"].string == "completed_with_errors" && ended["created"].int == 2, "\(ended)")
            #expect(try await importer.ask(sql: "SELECT sum(total)::numeric(9,2) FROM stock.sale") == "5.00")
        }
    }

    @Test("what can not be imported says so: options of another kind, a mapping, a header, a file that is compressed")
    func faults() async throws {
        try await Self.open { importer in
            for (body, pointer) in [
                (#"{"kind":"products","create_products":true}"#, "/create_products"),
                (#"{"kind":"sales","mode":"insert"}"#, "/mode"),
                (#"{"kind":"products","mapping":{"columns":{"nonsense":"x"}}}"#, "/mapping"),
                (#"{"kind":"products","mapping":[]}"#, "/mapping"), (#"{"kind":"nothing"}"#, "/kind"),
            ] {
                let refused = await importer.send(.post, "/v1/imports", body: body)
                #expect(refused.json["errors"][0]["pointer"].string == pointer, "\(body): \(refused.text)")
            }
            let header = try await importer.begin(Self.products, "a,b\n1,2\n")
            let empty = try await importer.begin(Self.products, "\n")
            let packed = try await importer.ask(Self.products)
            await importer.part(packed, 1, [0x1F, 0x8B, 8, 0])
            _ = await importer.send(.post, "\(packed)/start", body: #"{"parts":1,"bytes":4}"#)
            try await importer.work()
            for (path, word) in [(header, "sku"), (empty, "empty"), (packed, "compressed")] {
                let failed = await importer.read(path)
                #expect(failed["status"].string == "failed", "\(failed)")
                #expect(failed["error"].string?.contains(word) == true, "\(failed)")
            }
            try await eventually("all is told") {
                await importer.send(.get, "/v1/events?types=import.failed").json["data"].elements.count == 3
            }
        }
    }

    @Test("what is cancelled ends, what has ended otherwise is resumed, and there may be six on their way")
    func states() async throws {
        try await Self.open { importer in
            let file = "sku,name,price\nA,Apples,1\n"
            let queued = try await importer.begin(Self.products, file)
            for _ in 0..<2 {
                let reply = await importer.send(.post, "\(queued)/cancel")
                #expect(reply.json["status"].string == "cancelled", "\(reply.text)")
            }
            try await importer.work()
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.product") == "0")
            let restarted = await importer.send(
                .post,
                "\(queued)/start",
                body: #"{"parts":1,"bytes":\#(file.utf8.count)}"#
            )
            #expect(restarted.json["code"].string == "invalid_state")
            for _ in 0..<2 {
                #expect(await importer.send(.post, "\(queued)/resume").json["status"].string == "queued")
            }
            try await importer.work()
            #expect(await importer.read(queued)["status"].string == "completed")
            for word in ["cancel", "resume"] {
                let refused = await importer.send(.post, "\(queued)/\(word)")
                #expect(refused.json["code"].string == "invalid_state", "\(refused.text)")
            }
            let unsent = try await importer.ask(Self.products)
            _ = await importer.send(.post, "\(unsent)/cancel")
            #expect(await importer.send(.post, "\(unsent)/resume").json["code"].string == "invalid_state")

            for _ in 0..<6 { _ = try await importer.ask(Self.products) }
            let refused = await importer.send(.post, "/v1/imports", body: Self.products)
            #expect(refused.json["code"].string == "invalid_state", "\(refused.text)")
            let listed = await importer.send(.get, "/v1/imports?limit=5").json
            let cursor = try #require(listed["next_cursor"].string)
            let rest = await importer.send(.get, "/v1/imports?limit=5&cursor=\(cursor)").json
            #expect(listed["data"].elements.count == 5 && rest["data"].elements.count == 3)
            let places = (listed["data"].elements + rest["data"].elements).compactMap { $0["id"].string }
            #expect(places.last.map { "/v1/imports/\($0)" } == queued && Set(places).count == 8)
        }
    }

    @Test(
        "one that is cancelled while it runs ends, and keeps what it has written; its worker that stops gives it back"
    )
    func cancelledWhileRunning() async throws {
        try await Self.open { importer in
            let file = "sku,name,price\n" + (1...5_000).map { "K-\($0),Row \($0),1\n" }.joined()
            // Some insertion of each run takes its time, in which it is ended: a batch that was sent takes its course.
            try await importer.database.psql(
                """
                CREATE SEQUENCE public.insertions;
                GRANT USAGE ON SEQUENCE public.insertions TO PUBLIC;
                CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('public.insertions') % 3 = 2 THEN PERFORM pg_sleep(5); END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER dawdle AFTER INSERT ON stock.product FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle();
                """
            )
            let path = try await importer.begin(Self.products, file)
            for ending in ["stop", "cancel"] {
                let working = Task { try await importer.worker.serveNext() }
                try await eventually("the import dawdles") {
                    try await importer.ask(
                        sql: """
                            SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event = 'PgSleep'
                            """
                    ) == "1"
                }
                if ending == "stop" {
                    working.cancel()
                } else {
                    let reply = await importer.send(.post, "\(path)/cancel")
                    #expect(reply.json["status"].string == "running" && reply.json["is_cancelled"] == .bool(true))
                    #expect(await importer.send(.post, "\(path)/resume").json["code"].string == "invalid_state")
                }
                #expect(try await working.value)
                let state = await importer.read(path)
                #expect(state["status"].string == (ending == "stop" ? "queued" : "cancelled"), "\(state)")
                #expect(state["deaths"].int == 0)
            }
            try await importer.database.psql("DROP TRIGGER dawdle ON stock.product")
            _ = await importer.send(.post, "\(path)/resume")
            try await importer.work()
            #expect(await importer.read(path)["status"].string == "completed")
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.product") == "5000")
        }
    }

    @Test("an import whose worker is silent is another's, and set aside when three have died with it")
    func deaths() async throws {
        try await Self.open { importer in
            let path = try await importer.begin(Self.products, "sku,name,price\nA,Apples,1\n")
            var other = UUIDv7.make()
            let late = "UPDATE stock.import_turn SET leased_until = now() - interval '1 second'"
            for death in 1...3 {
                other = UUIDv7.make()
                let claim = "SELECT count(*) FROM stock.import_claim('\(other)', interval '30 seconds', 3)"
                #expect(try await importer.ask(sql: claim) == "1")
                // As long as its time is not over it is nobody else's.
                #expect(try await importer.worker.serveNext() == false)
                try await importer.database.psql(late)
                guard death == 3 else { continue }
                #expect(try await importer.worker.serveNext() == false)
                let aside = await importer.read(path)
                #expect(aside["status"].string == "quarantined" && aside["deaths"].int == 3, "\(aside)")
                #expect(aside["error"].string?.contains("3 times") == true)
            }
            _ = await importer.send(.post, "\(path)/resume")
            #expect(
                try await importer.ask(
                    sql: "SELECT count(*) FROM stock.import_claim('\(other)', interval '30 seconds', 3)"
                ) == "1"
            )
            try await importer.database.psql(late)
            try await importer.work()
            let ended = await importer.read(path)
            #expect(ended["status"].string == "completed" && ended["deaths"].int == 1, "\(ended)")
        }
    }

    @Test("what the database interrupts is given back and no death, and fails with the reason once that leads nowhere")
    func interruptions() async throws {
        try await Self.open { importer in
            try await importer.database.psql(
                """
                CREATE FUNCTION public.stumble() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION USING ERRCODE = 'out_of_memory'; END $$;
                CREATE TRIGGER stumble BEFORE INSERT ON stock.product
                    FOR EACH STATEMENT EXECUTE FUNCTION public.stumble();
                """
            )
            let path = try await importer.begin(Self.products, "sku,name,price\nA,Apples,1\nB,,1\n")
            let rested = "UPDATE stock.import_turn SET leased_until = now() - interval '1 second'"
            for attempt in 1...10 {
                #expect(try await importer.worker.serveNext())
                let state = await importer.read(path)
                #expect(state["status"].string == (attempt < 10 ? "queued" : "failed"), "\(attempt): \(state)")
                #expect(state["deaths"].int == 0)
                guard attempt < 10 else { continue }
                // It is not tried again at once.
                #expect(try await importer.worker.serveNext() == false)
                try await importer.database.psql(rested)
            }
            let failed = await importer.read(path)
            #expect(failed["error"].string?.contains("10 times") == true, "\(failed)")
            #expect(failed["error"].string?.contains("53200") == true, "\(failed)")
            // A row was rejected, and not kept: an empty file would say that none was.
            let rows = await importer.send(.get, "\(path)/rejected")
            #expect(rows.json["code"].string == "invalid_state", "\(rows.text)")

            // Resumed it has as many tries as at first, and one that succeeds ends it.
            _ = await importer.send(.post, "\(path)/resume")
            #expect(try await importer.worker.serveNext())
            #expect(await importer.read(path)["status"].string == "queued")
            try await importer.database.psql("DROP TRIGGER stumble ON stock.product; \(rested)")
            try await importer.work()
            let ended = await importer.read(path)
            #expect(ended["status"].string == "completed_with_errors" && ended["created"].int == 1, "\(ended)")
            #expect(ended["deaths"].int == 0 && ended["error"] == .null)
            #expect(await importer.send(.get, "\(path)/rejected").text.contains("B,,1,3,name_missing"))
        }
    }

    @Test("a trial that fails says that nothing was written, however it has failed")
    func failedTrials() async throws {
        try await Self.open { importer in
            try await importer.database.psql(
                """
                CREATE FUNCTION public.stumble() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER stumble BEFORE INSERT ON stock.product
                    FOR EACH STATEMENT EXECUTE FUNCTION public.stumble();
                """
            )
            // One that is tried again until that leads nowhere, and one that is not.
            for fault in ["out_of_memory", "division_by_zero"] {
                try await importer.database.psql(
                    """
                    CREATE OR REPLACE FUNCTION public.stumble() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION USING ERRCODE = '\(fault)'; END $$
                    """
                )
                for (isTrial, rest) in [(true, "nothing was written."), (false, "what was written stays.")] {
                    let path = try await importer.begin(
                        #"{"kind":"products","dry_run":\#(isTrial)}"#,
                        "sku,name,price\nA,Äpfel,1\n"
                    )
                    // It has been given back nine times, and never came so far.
                    try await importer.database.psql(
                        "UPDATE stock.import_request SET interruptions = 9, reached = 1000000 WHERE status = 'queued'"
                    )
                    #expect(try await importer.worker.serveNext())
                    let failed = await importer.read(path)
                    #expect(failed["status"].string == "failed", "\(fault): \(failed)")
                    #expect(failed["error"].string?.lowercased().hasSuffix(rest) == true, "\(fault): \(failed)")
                }
            }
        }
    }

    @Test("an import that the database interrupts, and that is cancelled while it waits, does not come again")
    func cancelledWhileGivenBack() async throws {
        try await Self.open { importer in
            let path = try await importer.begin(Self.products, "sku,name,price\nA,Apples,1\n")
            let id = path.split(separator: "/").last.map(String.init) ?? ""
            // As long as it comes further its tries begin anew, and the pause with them.
            let claim = "SELECT count(*) FROM stock.import_claim('\(id)', interval '30 seconds', 3)"
            for (reached, count) in [(5, 1), (5, 2), (9, 1), (7, 2)] {
                try await importer.database.psql("UPDATE stock.import_turn SET leased_until = '-infinity'")
                #expect(try await importer.ask(sql: claim) == "1")
                let given = try await importer.ask(
                    sql: """
                        SELECT set_config('stock.tenant_id', r.tenant_id::text, false) IS NULL FROM stock.import_request r;
                        SELECT stock.import_give_back('\(id)', '\(id)', 'nothing', \(reached), 10, 0, 0, 0, 0, 0, 0);
                        SELECT interruptions, status FROM stock.import_request
                        """
                )
                #expect(given.hasSuffix("t\n\(count)|queued"), "\(given)")
            }
            #expect(await importer.send(.post, "\(path)/cancel").json["status"].string == "cancelled")
            try await importer.database.psql("UPDATE stock.import_turn SET leased_until = '-infinity'")
            #expect(try await importer.worker.serveNext() == false)
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.product") == "0")
        }
    }

    @Test("the file of rejected rows says how its letters are written")
    func charsets() async throws {
        try await Self.open { importer in
            for (encoding, charset) in [("utf-8", "utf-8"), ("cp1252", "windows-1252")] {
                let body = #"{"kind":"products","mapping":{"encoding":"\#(encoding)"}}"#
                let path = try await importer.begin(body, "sku,name,price\nA,,1\n")
                try await importer.work()
                let type = await importer.send(.get, "\(path)/rejected")["content-type"]
                #expect(type == "text/csv; charset=\(charset); header=present")
            }
        }
    }

    @Test("tenants take turns, of each one import runs, and none sees anything of another's")
    func tenants() async throws {
        try await Self.open { importer in
            let signup = await importer.shop.send(
                .post,
                "/v1/signup",
                body: """
                    {"tenant_name":"Other","slug":"other","email":"di@example.com","password":"a long enough one",\
                    "currency":"EUR","timezone":"Europe/Berlin"}
                    """
            )
            let other = try #require(signup.json["access_token"].string)
            let file = "sku,name,price\nA,Apples,1\n"
            var paths: [String] = []
            for _ in 0..<3 { paths.append(try await importer.begin(Self.products, file)) }
            let theirs = try await importer.begin(Self.products, file, as: other)
            // Of three that came before it, one goes before it.
            for _ in 0..<2 { #expect(try await importer.worker.serveNext()) }
            #expect(await importer.read(paths[0])["status"].string == "completed")
            #expect(await importer.read(theirs, as: other)["status"].string == "completed")
            #expect(await importer.read(paths[1])["status"].string == "queued")

            #expect(await importer.send(.get, theirs).status == .notFound)
            #expect(await importer.send(.get, "\(theirs)/rejected").status == .notFound)
            #expect(await importer.part(theirs, 1, [1]).status == .notFound)
            #expect(await importer.send(.get, "/v1/imports", as: other).json["data"].elements.count == 1)

            // While one of a tenant runs, no second one does.
            let claim = "SELECT count(*) FROM stock.import_claim(gen_random_uuid(), interval '30 seconds', 3)"
            #expect(try await importer.ask(sql: claim) == "1")
            #expect(try await importer.worker.serveNext() == false)
        }
    }

    @Test("files that nobody goes on with are removed, and imports that ended long ago")
    func swept() async throws {
        try await Self.open { importer in
            let unsent = try await importer.ask(Self.products)
            await importer.part(unsent, 1, [1])
            let failed = try await importer.begin(Self.products, "nonsense\n")
            let done = try await importer.begin(Self.products, "sku,name,price\nA,Apples,1\nB,,1\n")
            try await importer.work()
            func sweep(after days: Int) async throws {
                try await importer.database.psql(
                    """
                    UPDATE stock.import_request SET created_at = created_at - interval '\(days) days',
                        finished_at = finished_at - interval '\(days) days'
                    """
                )
                #expect(try await importer.ask(sql: "SELECT stock.import_sweep(0) IS NULL") == "t")
            }
            try await sweep(after: 2)
            #expect(await importer.read(unsent)["status"].string == "cancelled")
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.import_part") == "1")
            try await sweep(after: 8)
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.import_part") == "0")
            #expect(await importer.send(.post, "\(failed)/resume").json["code"].string == "invalid_state")
            #expect(await importer.read(done)["rejected"].int == 1)
            // A little at a time.
            try await importer.database.psql(
                """
                INSERT INTO stock.import_part (tenant_id, request_id, number, content, sha256)
                SELECT r.tenant_id, r.id, n, 'x', '' FROM stock.import_request r, generate_series(1, 20) n
                WHERE r.status = 'completed_with_errors';
                INSERT INTO stock.import_rejection (tenant_id, request_id, line, code, reason)
                SELECT r.tenant_id, r.id, 1000 + n, 'duplicate', 'again' FROM stock.import_request r, generate_series(1, 20000) n
                WHERE r.status = 'completed_with_errors'
                """
            )
            #expect(try await importer.ask(sql: "SELECT stock.import_sweep(0)") == "0")
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.import_part") == "4")
            try await importer.database.psql(
                "UPDATE stock.import_request SET created_at = now() - interval '91 days', finished_at = now() - interval '91 days'"
            )
            #expect(try await importer.ask(sql: "SELECT stock.import_sweep(0)") == "0")
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.import_rejection") == "8001")
            try await sweep(after: 90)
            #expect(await importer.send(.get, done).status == .notFound)
            #expect(try await importer.ask(sql: "SELECT count(*) FROM stock.import_rejection") == "0")
        }
    }
}
