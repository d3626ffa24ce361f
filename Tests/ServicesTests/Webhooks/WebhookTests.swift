import Foundation
import Kernel
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Endpoints over a database and with a receiver, both real; the clock that decides what is due is the test's.
@Suite("Webhooks")
struct WebhookTests {
    /// A shop, a receiver, and a worker between them that works when it is told to.
    private struct Stage {
        let live: LiveShop
        let receiver: Receiver

        var tenant: TenantID { live.owner.tenant.id }

        /// A worker with a sender of its own.
        func worker(
            rule: AddressRule? = nil,
            patience: Duration = .seconds(10),
            lookup: HTTPWebhookSender.Lookup? = nil,
            trust: NIOSSLTrustRoots? = nil,
            _ body: (WebhookWorker) async throws -> Void
        ) async throws {
            let rule = try rule ?? .ofTests
            let sender = HTTPWebhookSender(
                rule: rule,
                lookups: 2,
                patience: patience,
                lookup: lookup ?? { _ in nil },
                trust: trust
            )
            let worker = WebhookWorker(
                postgres: live.postgres,
                sender: sender,
                secrets: WebhookSecrets(of: [Array(repeating: 9, count: 32)]),
                clock: live.clock.wall,
                logger: live.log.logger
            )
            do {
                try await body(worker)
                await sender.stop()
            } catch {
                await sender.stop()
                throw error
            }
        }

        /// Makes an endpoint at the receiver; its id and secret.
        func webhook(
            _ types: [String] = [],
            url: String? = nil,
            by context: CallContext? = nil
        ) async throws -> (id: WebhookID, secret: String) {
            let draft = WebhookDraft(url: try WebhookURL(url ?? receiver.url), types: types, active: true)
            let made = try JSONBody(try await live.shop.webhooks.make(draft, context ?? live.context))
            return (try required(made["id"].flatMap { WebhookID($0) }), try required(made["secret"]))
        }

        /// Something happens so often; waits until it is numbered.
        func happen(_ count: Int, _ type: String = "sale.confirmed") async throws {
            try await live.database.psql(
                """
                SELECT set_config('stock.tenant_id', '\(tenant)', false);
                INSERT INTO stock.domain_event (tenant_id, type, entity_id, payload)
                SELECT \(tenant), '\(type)', gen_random_uuid(), json_build_object('note', 'Ñandú') FROM generate_series(1, \(count))
                """
            )
            try await eventually("events are numbered") {
                try await live.database.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL") == "0"
            }
        }

        func read(_ id: WebhookID) async throws -> JSONBody {
            try JSONBody(try await live.answer(live.shop.webhooks.one(id, live.caller), fresh))
        }

        /// As routes ask, which have nothing of it cached.
        private var fresh: CallContext {
            var context = live.context
            context.bypassCache = true
            return context
        }

        /// What was tried, the first first.
        func deliveries(_ id: WebhookID, _ status: WebhookDeliveryStatus? = nil) async throws -> [[String: String]] {
            let page = Page(limit: 100, cursor: nil)
            let body = try JSONBody(
                try await live.answer(live.shop.webhooks.deliveries(id, status, page, live.caller), fresh)
            )
            return (0..<body.count("data")).reversed().map { place in
                var row: [String: String] = [:]
                for name in [
                    "seq", "status", "outcome", "code", "error", "attempt", "answer", "lost", "type", "next_at",
                ] {
                    row[name] = body["data.\(place).\(name)"]
                }
                return row
            }
        }

        func psql(_ sql: String) async throws -> String { try await live.database.psql(sql) }

        /// The numbers of the events that the audit tells something of.
        func audited(_ action: String) async throws -> String {
            try await psql(
                """
                SELECT string_agg(a.details ->> 'seq', ',' ORDER BY (a.details ->> 'seq')::bigint)
                FROM stock.audit_log a WHERE a.action = '\(action)'
                """
            )
        }
    }

    private static func stage(_ name: String = #function, _ body: (Stage) async throws -> Void) async throws {
        let receiver = try await Receiver.open()
        try await LiveShop.open("webhooks_\(name.prefix { $0 != "(" })") { live in
            try await body(Stage(live: live, receiver: receiver))
        }
        // Some tests close it themselves.
        try? await receiver.close()
    }

    // MARK: What is sent

    @Test("every event is sent once and in order, as the feed has it, with a signature that fits")
    func order() async throws {
        try await Self.stage { stage in
            try await stage.happen(3)
            let (id, secret) = try await stage.webhook()
            try await stage.happen(45)
            try await stage.worker { worker in
                try await worker.serveDue()
                try await worker.serveDue()
                #expect(worker.statistics.delivered == 45 && worker.statistics.failed == 0)
            }
            let received = stage.receiver.received
            #expect(received.map(\.sequence) == Array(4...48))
            let feed = try await stage.live.shop.events.page(
                of: stage.tenant,
                after: 3,
                limit: 100,
                deadline: stage.live.deadline
            )
            #expect(received.map(\.body) == feed.events.map { Array($0.body.readableBytesView) })
            let key = try required(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
            for message in received {
                #expect(message.head.method == .POST && message.head.uri == "/hooks?shop=1")
                #expect(message.id == "\(id)_\(message.sequence)")
                let fitting = WebhookSecret(bytes: Array(key))
                    .signature(id: message.id, timestamp: message.timestamp, body: message.body)
                #expect(message.signatures == [fitting])
                #expect(abs(message.timestamp - Timestamp.now().microsecondsSince1970 / 1_000_000) < 60)
            }
            let read = try await stage.read(id)
            #expect(read["after"] == "48" && read["head"] == "48" && read["failures"] == "0")
        }
    }

    @Test("of some types those alone are sent, and what it does not get is passed over")
    func types() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook(["payment", "stock.low"])
            try await stage.happen(150)
            try await stage.happen(1, "payment.received")
            try await stage.happen(1, "stock.adjusted")
            try await stage.happen(1, "stock.low")
            try await stage.worker { worker in
                try await worker.serveDue()
                #expect(stage.receiver.sequences == [151, 153])
                try await stage.happen(1_200)
                try await worker.serveDue()
            }
            #expect(stage.receiver.sequences == [151, 153])
            #expect(try #require(try await stage.read(id)["after"].flatMap { Int($0) }) > 1_000)
        }
    }

    @Test("an event that fails three times is set aside, those behind it go on, and it comes later with its own id")
    func setAside() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(4)
            stage.receiver.answer { $0.sequence == 2 ? .answer(500, "broken ñ") : .answer(204) }
            try await stage.worker { worker in
                for pause: Duration in [.zero, .seconds(4), .seconds(2), .seconds(34)] {
                    stage.live.clock.advance(by: pause)
                    try await worker.serveDue()
                }
                #expect(stage.receiver.sequences == [1, 2, 2, 2, 3, 4])
                var read = try await stage.read(id)
                #expect(read["set_aside"] == "1" && read["after"] == "4" && read["failing_since"] == nil)
                #expect(worker.statistics.setAside == 1)
                // On the way it fails once more, and then comes through.
                stage.live.clock.advance(by: .seconds(331))
                try await worker.serveDue()
                stage.receiver.answer(200)
                stage.live.clock.advance(by: .seconds(1_981))
                try await worker.serveDue()
                #expect(stage.receiver.sequences == [1, 2, 2, 2, 3, 4, 2, 2])
                read = try await stage.read(id)
                #expect(read["set_aside"] == "0" && read["failing_since"] == nil)
            }
            #expect(Set(stage.receiver.received.filter { $0.sequence == 2 }.map(\.id)).count == 1)
            let tried = try await stage.deliveries(id).filter { $0["seq"] == "2" }
            #expect(tried.map { $0["outcome"] } == ["retried", "retried", "set_aside", "retried", nil])
            #expect(tried.map { $0["attempt"] } == ["1", "2", "3", "4", "5"])
            #expect(tried.map { $0["code"] } == ["500", "500", "500", "500", "200"])
            #expect(tried[0]["answer"] == "broken ñ")
        }
    }

    @Test("an event is skipped by hand, where it is waited for and where it was set aside; nothing else is")
    func skipped() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            let webhooks = stage.live.shop.webhooks
            try await stage.happen(3)
            stage.receiver.answer { $0.sequence == 3 ? .answer(200) : .answer(500) }
            try await stage.worker { worker in
                try await worker.serveDue()
                #expect(try await stage.read(id)["failed_seq"] == "1")
                #expect(await problem { try await webhooks.skip(id, 2, stage.live.context) }?.code == .invalidState)
                #expect(try JSONBody(try await webhooks.skip(id, 1, stage.live.context))["after"] == "1")
                for pause: Duration in [.zero, .seconds(6), .seconds(34)] {
                    stage.live.clock.advance(by: pause)
                    try await worker.serveDue()
                }
                #expect(stage.receiver.sequences == [1, 2, 2, 2, 3])
                #expect(try JSONBody(try await webhooks.skip(id, 2, stage.live.context))["set_aside"] == "0")
                stage.live.clock.advance(by: .seconds(400))
                try await worker.serveDue()
                #expect(stage.receiver.sequences == [1, 2, 2, 2, 3])
                #expect(try await stage.audited("webhook.skipped") == "1,2")
            }
            #expect(try await stage.deliveries(id, .skipped).map { $0["seq"] } == ["1", "2"])
        }
    }

    @Test(
        "a receiver that is down has three events set aside, is off after a day and goes on from there when it is on again"
    )
    func down() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(200)
            stage.receiver.answer(503)
            try await stage.worker { worker in
                for _ in 0..<12 {
                    try await worker.serveDue()
                    stage.live.clock.advance(by: .seconds(40))
                }
                var read = try await stage.read(id)
                #expect(read["active"] == "true" && read["after"] == "3" && read["set_aside"] == "3", "\(read.value)")
                #expect(read["failing_since"] != nil)
                for _ in 0..<30 {
                    stage.live.clock.advance(by: .seconds(3_600))
                    try await worker.serveDue()
                }
                read = try await stage.read(id)
                #expect(read["active"] == "false" && read["disabled_reason"] == "failing" && read["after"] == "3")
                #expect(read["disabled_at"] != nil)
                let tries = stage.receiver.received.count
                #expect(tries < 60, "\(tries)")
                #expect(worker.statistics.disabled == 1)
                stage.live.clock.advance(by: .seconds(86_400))
                try await worker.serveDue()
                #expect(stage.receiver.received.count == tries)
                #expect(
                    try await stage.psql(
                        "SELECT entity_id FROM stock.domain_event WHERE type = 'webhook.disabled'"
                    ) == "\(id)"
                )
                #expect(try await stage.deliveries(id).last?["outcome"] == "disabled")

                stage.receiver.answer(200)
                let patch = WebhookPatch(url: .keep, types: .keep, active: .set(true))
                let on = try JSONBody(
                    try await stage.live.shop.webhooks.change(id, patch, expected: .any, stage.live.context)
                )
                #expect(on["active"] == "true" && on["disabled_at"] == nil && on["after"] == "3")
                for _ in 0..<3 { try await worker.serveDue() }
                let head = try #require(try await stage.read(id)["head"].flatMap { Int64($0) })
                let rest = Array(stage.receiver.sequences.dropFirst(tries))
                #expect(Set(rest) == Set(1...head))
                #expect(rest.filter { $0 > 3 } == Array(4...head))
            }
        }
    }

    @Test("events that are not kept until they are sent are said to be lost")
    func lost() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(10)
            _ = try await stage.psql("DELETE FROM stock.domain_event WHERE seq <= 7")
            try await stage.worker { worker in
                try await worker.serveDue()
                try await eventually("the loss is numbered") {
                    try await stage.psql("SELECT count(*) FROM stock.domain_event WHERE seq IS NULL") == "0"
                }
                try await worker.serveDue()
            }
            #expect(stage.receiver.sequences == [8, 9, 10, 11])
            let told = try await stage.deliveries(id, .lost)
            #expect(told.map { $0["seq"] } == ["1"] && told.map { $0["lost"] } == ["7"])
            #expect(
                stage.receiver.received.last.map { String(decoding: $0.body, as: UTF8.self) }?.contains(
                    "webhook.events_lost"
                ) == true
            )
        }
    }

    @Test("what it does not get is nothing that it loses, and one that was set aside is lost by itself")
    func notLost() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook(["stock.low"])
            try await stage.happen(10)
            try await stage.worker { worker in
                try await worker.serveDue()
                _ = try await stage.psql("SELECT stock.prune_events(0, '0 s', 1000)")
                #expect(try await stage.psql("SELECT min(seq) FROM stock.domain_event") == "10")
                try await stage.happen(1, "stock.low")
                try await worker.serveDue()
                #expect(stage.receiver.sequences == [11])
                #expect(try await stage.deliveries(id, .lost).isEmpty)

                // Three tries of the next one, and then neither it nor some of those behind it are kept.
                stage.receiver.answer(500)
                try await stage.happen(1, "stock.low")
                for pause: Duration in [.zero, .seconds(6), .seconds(34)] {
                    stage.live.clock.advance(by: pause)
                    try await worker.serveDue()
                }
                try await stage.happen(5)
                _ = try await stage.psql("DELETE FROM stock.domain_event WHERE seq <= 15")
                stage.live.clock.advance(by: .seconds(400))
                try await worker.serveDue()
            }
            let told = try await stage.deliveries(id, .lost)
            #expect(told.map { $0["seq"] } == ["13", "12"] && told.map { $0["lost"] } == ["3", "1"])
        }
    }

    @Test("one that is switched on while it is found that nobody has any is looked after")
    func switchedOn() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            let off = WebhookPatch(url: .keep, types: .keep, active: .set(false))
            _ = try await stage.live.shop.webhooks.change(id, off, expected: .any, stage.live.context)
            try await stage.worker { worker in
                // It has done all it does but for the commit, which comes when a worker waits for it, if any does.
                async let switched = stage.psql(
                    """
                    BEGIN;
                    SELECT set_config('stock.tenant_id', '\(stage.tenant)', true);
                    UPDATE stock.webhook SET active = true, disabled_at = NULL, disabled_reason = NULL;
                    SELECT stock.webhook_call();
                    DO $$
                    BEGIN
                        FOR i IN 1..3000 LOOP
                            EXIT WHEN EXISTS (
                                SELECT FROM pg_stat_activity a
                                WHERE a.datname = current_database() AND pg_backend_pid() = ANY (pg_blocking_pids(a.pid)));
                            PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
                        END LOOP;
                    END $$;
                    COMMIT
                    """
                )
                try await eventually("it is about to be on") {
                    try await stage.psql(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event = 'PgSleep'
                        """
                    ) != "0"
                }
                try await worker.serveDue()
                _ = try await switched
                try await stage.happen(1)
                try await worker.serveDue()
            }
            #expect(stage.receiver.sequences == [1])
        }
    }

    @Test("what becomes of a try that is under way changes nothing of what a person has changed meanwhile")
    func overtaken() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(1)
            stage.receiver.answer { _ in .answer(500) }
            try await stage.worker(patience: .seconds(2)) { worker in
                for pause: Duration in [.zero, .seconds(6)] {
                    stage.live.clock.advance(by: pause)
                    try await worker.serveDue()
                }
                stage.receiver.answer { _ in .silence }
                stage.live.clock.advance(by: .seconds(34))
                async let third: Void = worker.serveDue()
                try await eventually("the third try is under way") { stage.receiver.received.count == 3 }
                _ = try await stage.live.shop.webhooks.skip(id, 1, stage.live.context)
                try await third
                let read = try await stage.read(id)
                #expect(read["set_aside"] == "0" && read["after"] == "1")
            }
            #expect(try await stage.deliveries(id).map { $0["status"] } == ["failed", "failed", "skipped"])
        }
    }

    // MARK: Receivers as they are

    @Test("what a receiver does wrong is told, and costs no more than a try may take")
    func faults() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            let webhooks = stage.live.shop.webhooks
            let other = try await Receiver.open()
            let target = other.url
            // Who answers at all is given the time that a busy machine needs.
            let tried: [(patience: Duration, behaviours: [Receiver.Behaviour])] = [
                (.milliseconds(700), [.silence]),
                (
                    .seconds(10),
                    [
                        .hangUp, .goOn, .answer(302, "there", fields: ["location": target]),
                        .answer(200, String(repeating: "é", count: 2_000)), .answer(410, "\0gone"),
                    ]
                ),
            ]
            for (patience, behaviours) in tried {
                try await stage.worker(patience: patience) { worker in
                    for behaviour in behaviours {
                        stage.receiver.answer { _ in behaviour }
                        _ = try await webhooks.test(id, stage.live.context)
                        try await worker.serveDue()
                    }
                }
            }
            #expect(other.received.isEmpty)
            try await other.close()
            try await stage.receiver.close()
            try await stage.worker { worker in
                _ = try await webhooks.test(id, stage.live.context)
                try await worker.serveDue()
            }
            let told = try await stage.deliveries(id)
            #expect(
                told.map { $0["code"] ?? $0["error"] } == [
                    "timeout", "closed", "200", "302", "200", "410", "connection",
                ]
            )
            #expect(told.allSatisfy { $0["seq"] == "0" && $0["type"] == "webhook.test" })
            #expect(told[2]["answer"] == String(repeating: "x", count: 1_024))
            #expect(told[4]["answer"]?.hasPrefix(String(repeating: "é", count: 512)) == true)
            #expect(told[5]["answer"] == "\u{FFFD}gone")
            // A test says nothing of the order.
            let read = try await stage.read(id)
            #expect(read["failing_since"] == nil && read["set_aside"] == "0")
        }
    }

    @Test("the address that is connected to is the one that was looked up and permitted, each time anew")
    func addresses() async throws {
        try await Self.stage { stage in
            let port = stage.receiver.port
            let (id, _) = try await stage.webhook(url: "http://receiver.example:\(port)/")
            let webhooks = stage.live.shop.webhooks
            let answers = Mutex(["127.0.0.1", "10.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "::1"])
            let rule = AddressRule(allowsHTTP: true, exceptions: try [AddressRange](list: "127.0.0.1"))
            let lookup: HTTPWebhookSender.Lookup = { host in
                host == "receiver.example" ? answers.withLock { $0.isEmpty ? nil : IPAddress($0.removeFirst()) } : nil
            }
            try await stage.worker(rule: rule, lookup: lookup) { worker in
                for _ in 0..<6 {
                    _ = try await webhooks.test(id, stage.live.context)
                    try await worker.serveDue()
                }
            }
            let told = try await stage.deliveries(id)
            #expect(
                told.map { $0["error"] ?? "" } == [""] + Array(repeating: "refused_address", count: 4) + ["unresolved"]
            )
            #expect(stage.receiver.received.map { $0.head.headers["host"] } == [["receiver.example:\(port)"]])
            // Nothing is sent without TLS, or to an address of its own, unless it may be.
            try await stage.worker(rule: AddressRule(), lookup: { _ in IPAddress("127.0.0.1") }) { worker in
                _ = try await webhooks.test(id, stage.live.context)
                try await worker.serveDue()
            }
            #expect(try await stage.deliveries(id).last?["error"] == "refused_address")
            for url in [
                "http://example.com/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/",
            ] {
                let text = try JSONValue.parse(Array(#"{"url":"\#(url)"}"#.utf8))
                var reader = try JSONObjectReader(body: text)
                _ = WebhookDraft.read(&reader, AddressRule())
                #expect(reader.errors.list.map(\.code) == [.notAllowed])
            }
        }
    }

    @Test("TLS asks for the name, whatever address it leads to")
    func tls() async throws {
        guard let openssl = ["/usr/bin/openssl", "/bin/openssl"].first(where: FileManager.default.isExecutableFile)
        else {
            print("SKIPPED: openssl is not installed, so no server with TLS was asked")
            return
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("webhooks-\(UUIDv7.make())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (key, certificate) = (folder.appendingPathComponent("key").path, folder.appendingPathComponent("cert").path)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: openssl)
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
            "-out",
            certificate, "-days", "2", "-subj", "/CN=receiver.example", "-addext",
            "subjectAltName=DNS:receiver.example",
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let chain = try NIOSSLCertificate.fromPEMFile(certificate)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            )
        )
        let secure = try await Receiver.open(tls: context)
        try await Self.stage { stage in
            let webhooks = stage.live.shop.webhooks
            let lookup: HTTPWebhookSender.Lookup = { _ in IPAddress("127.0.0.1") }
            for (host, trust, expected) in [
                ("receiver.example", NIOSSLTrustRoots.certificates(chain), "200"),
                ("other.example", .certificates(chain), "tls"),
                ("receiver.example", .default, "tls"),
            ] {
                let (id, _) = try await stage.webhook(url: "https://\(host):\(secure.port)/")
                try await stage.worker(lookup: lookup, trust: trust) { worker in
                    _ = try await webhooks.test(id, stage.live.context)
                    try await worker.serveDue()
                }
                let told = try await stage.deliveries(id)
                #expect(told.map { $0["code"] ?? $0["error"] } == [expected])
            }
            #expect(secure.received.count == 1)
        }
        try await secure.close()
    }

    // MARK: By hand

    @Test("a secret that takes over signs beside the former one for a day, and neither is kept as it is")
    func rotation() async throws {
        try await Self.stage { stage in
            let (id, first) = try await stage.webhook()
            let rotated = try JSONBody(try await stage.live.shop.webhooks.rotate(id, stage.live.context))
            let second = try required(rotated["secret"])
            #expect(first != second && rotated["previous_secret_until"] != nil)
            func fits(_ message: Receiver.Received, _ secret: String) throws -> Bool {
                let bytes = try required(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
                let signature = WebhookSecret(bytes: Array(bytes))
                    .signature(id: message.id, timestamp: message.timestamp, body: message.body)
                return message.signatures.contains(signature)
            }
            try await stage.worker { worker in
                try await stage.happen(1)
                try await worker.serveDue()
                stage.live.clock.advance(by: .seconds(86_401))
                try await stage.happen(1)
                try await worker.serveDue()
            }
            let received = stage.receiver.received
            try #require(received.count == 2)
            #expect(try received[0].signatures.count == 2 && fits(received[0], first) && fits(received[0], second))
            #expect(try received[1].signatures.count == 1 && fits(received[1], second))
            let kept = try await stage.psql(
                """
                SELECT string_agg(t::text, '') FROM stock.webhook_turn t;
                SELECT string_agg(a::text, '') FROM stock.audit_log a WHERE a.subject_type = 'webhook';
                SELECT string_agg(i::text, '') FROM stock.idempotency_record i
                """
            )
            for secret in [first, second] {
                let bytes = try required(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
                #expect(!kept.contains(secret) && !kept.contains(bytes.map { String(format: "%02x", $0) }.joined()))
            }
            #expect(kept.contains("webhook.secret_rotated") && kept.contains("record.created"))
        }
    }

    @Test("a secret is sealed anew by the key that has taken over, and one that no key opens is told")
    func sealedAnew() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            let (old, new) = (Array(repeating: UInt8(9), count: 32), Array(repeating: UInt8(8), count: 32))
            let sender = HTTPWebhookSender(rule: try .ofTests, lookups: 1)
            func worker(_ secrets: [[UInt8]]) -> WebhookWorker {
                WebhookWorker(
                    postgres: stage.live.postgres,
                    sender: sender,
                    secrets: WebhookSecrets(of: secrets),
                    clock: stage.live.clock.wall,
                    logger: stage.live.log.logger
                )
            }
            for (secrets, expected) in [
                ([new], "secret_unreadable"), ([new, old], "200"), ([new], "200"), ([old], "secret_unreadable"),
            ] {
                _ = try await stage.live.shop.webhooks.test(id, stage.live.context)
                try await worker(secrets).serveDue()
                let last = try await stage.deliveries(id).last
                #expect((last?["code"] ?? last?["error"]) == expected)
            }
            await sender.stop()
        }
    }

    @Test("an event is sent again by hand, with its own id; what is not there or not sent there is refused")
    func redelivery() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook(["sale"])
            let webhooks = stage.live.shop.webhooks
            try await stage.happen(2)
            try await stage.happen(1, "payment.received")
            try await stage.worker { worker in
                try await worker.serveDue()
                _ = try await webhooks.redeliver(id, 1, stage.live.context)
                try await worker.serveDue()
                // One that waits in its order is tried at once, and keeps its place.
                stage.receiver.answer(500)
                try await stage.happen(1)
                try await worker.serveDue()
                stage.receiver.answer(200)
                _ = try await webhooks.redeliver(id, 4, stage.live.context)
                try await worker.serveDue()
            }
            #expect(stage.receiver.sequences == [1, 2, 1, 4, 4])
            #expect(Set(stage.receiver.received.filter { $0.sequence == 1 }.map(\.id)).count == 1)
            #expect(try await stage.audited("webhook.redelivered") == "1,4")
            #expect(
                await problem { try await webhooks.redeliver(id, 99, stage.live.context) }?.code == .validationFailed
            )
            #expect(
                await problem { try await webhooks.redeliver(id, 3, stage.live.context) }?.code == .validationFailed
            )
            let off = WebhookPatch(url: .keep, types: .keep, active: .set(false))
            let answer = try JSONBody(try await webhooks.change(id, off, expected: .any, stage.live.context))
            #expect(answer["disabled_reason"] == "by_hand")
            #expect(await problem { try await webhooks.test(id, stage.live.context) }?.code == .invalidState)
            _ = try await webhooks.delete(id, expected: .any, stage.live.context)
            #expect(await problem { try await webhooks.test(id, stage.live.context) }?.code == .notFound)
        }
    }

    @Test("a tenant has twenty, each of types that whoever makes or changes it may read")
    func rights() async throws {
        try await Self.stage { stage in
            var clerk = stage.live.context
            clerk.caller = Caller(tenant: stage.tenant, scopes: [.webhooksManage, .stockRead], name: "Łódź")
            let webhooks = stage.live.shop.webhooks
            #expect(await problem { try await stage.webhook(["sale"], by: clerk) }?.code == .forbidden)
            let (own, _) = try await stage.webhook(by: clerk)
            #expect(try await stage.read(own)["types.0"] == "purchase")
            let (all, _) = try await stage.webhook()
            let elsewhere = WebhookPatch(url: .set(try WebhookURL("http://127.0.0.1:1/")), types: .keep, active: .keep)
            let asked = clerk
            #expect(
                await problem { try await webhooks.change(all, elsewhere, expected: .any, asked) }?.code == .forbidden
            )
            _ = try await webhooks.change(own, elsewhere, expected: .any, asked)
            #expect(
                await problem { try await webhooks.change(own, elsewhere, expected: .oneOf([1]), asked) }?.code
                    == .versionMismatch
            )
            for _ in 0..<18 { _ = try await stage.webhook() }
            #expect(await problem { try await stage.webhook() }?.code == .invalidState)
        }
    }

    // MARK: Workers

    @Test("an endpoint is one worker's; what a dead one had sent and not written down is sent once more")
    func leases() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(5)
            let take = """
                SELECT set_config('stock.tenant_id', '\(stage.tenant)', false);
                SELECT (stock.webhook_take('00000000-0000-7000-8000-00000000dead', interval '30 seconds', now())).id
                """
            #expect(try await stage.psql(take).hasSuffix("\(id)"))
            try await stage.worker { worker in
                try await worker.serveDue()
                #expect(stage.receiver.received.isEmpty)
                _ = try await stage.psql("UPDATE stock.webhook_turn SET leased_until = now() - interval '1 second'")
                try await worker.serveDue()
                #expect(stage.receiver.sequences == [1, 2, 3, 4, 5])
                // The dead one writes nothing any more.
                let late = """
                    SELECT set_config('stock.tenant_id', '\(stage.tenant)', false);
                    SELECT stock.webhook_record('\(id)', '00000000-0000-7000-8000-00000000dead', gen_random_uuid(), now(), 1, 'event',
                        'sale.confirmed', 1, 'retried', now(), 500, NULL, 1, NULL)
                    """
                #expect(try await stage.psql(late).hasSuffix("f"))
            }
            #expect(try await stage.deliveries(id).count == 5)
        }
    }

    @Test(
        "two workers that hear of events as they happen send all of them in order, and a slow receiver holds nobody up"
    )
    func live() async throws {
        try await Self.stage { stage in
            let slow = try await Receiver.open()
            slow.answer { _ in .silence }
            try await stage.worker(patience: .seconds(300)) { first in
                try await stage.worker(patience: .seconds(300)) { second in
                    for worker in [first, second] { worker.follow(stage.live.cache) }
                    let running = [first, second].map { worker in Task { await worker.run() } }
                    let (waiting, _) = try await stage.webhook(url: slow.url)
                    let (id, _) = try await stage.webhook()
                    for _ in 0..<10 { try await stage.happen(7) }
                    try await eventually(within: .seconds(120), "all are sent, while the other waits") {
                        stage.receiver.received.count >= 70
                    }
                    #expect(stage.receiver.sequences == Array(1...70))
                    #expect(slow.received.count == 1)
                    try await eventually("it is written down") { try await stage.read(id)["after"] == "70" }
                    #expect(try await stage.deliveries(waiting).isEmpty)
                    for task in running { task.cancel() }
                    for task in running { await task.value }
                    // What was under way is given back, and was no failure.
                    #expect(
                        try await stage.psql("SELECT count(*) FROM stock.webhook_turn WHERE worker IS NOT NULL") == "0"
                    )
                    #expect(try await stage.deliveries(waiting).isEmpty)
                }
            }
            try await slow.close()
        }
    }

    @Test("what was tried is deleted as events are, the oldest first and step by step")
    func swept() async throws {
        try await Self.stage { stage in
            let (id, _) = try await stage.webhook()
            try await stage.happen(10)
            try await stage.worker { try await $0.serveDue() }
            _ = try await stage.psql("UPDATE stock.webhook_delivery SET at = now() - interval '31 days' WHERE seq <= 6")
            let step = "SELECT coalesce(stock.webhook_sweep(0, interval '30 days', 4)::text, 'done')"
            #expect(try await stage.psql(step) == "0")
            #expect(try await stage.deliveries(id).count == 6)
            #expect(try await stage.psql(step) == "done")
            #expect(try await stage.deliveries(id).map { $0["seq"] } == ["7", "8", "9", "10"])
        }
    }
}
