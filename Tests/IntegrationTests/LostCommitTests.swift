import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A connection lost at COMMIT")
    struct LostCommitTests {
        /// Where the sale's backend is when it is ended.
        enum Moment: CaseIterable {
            /// Committing, but nothing is committed yet: a deferred trigger keeps it there.
            case before
            /// Committed, but the answer is not sent: it waits for a standby that does not exist.
            case after

            /// The wait that shows it in pg_stat_activity.
            var waitEvent: String {
                switch self {
                case .before: "PgSleep"
                case .after: "SyncRep"
                }
            }
        }

        @Test("the same key gives one sale, whether it had been committed or not", arguments: Moment.allCases)
        func oneSale(moment: Moment) async throws {
            let deployment = try await Deployment.start(ownPostgres: true)
            let tenant = try await deployment.tenant()
            let product = try await tenant.product(sku: "LOST", price: "1.00", onHand: 5)
            for instance in [Tenant.Instance.a, .b] {
                #expect(try await tenant.incomeToday(from: instance).income == "0.00")
            }
            try await deployment.settles(for: tenant)
            let database = deployment.database
            switch moment {
            case .before:
                try await database.psql(
                    """
                    CREATE SEQUENCE public.attempts;
                    GRANT USAGE ON SEQUENCE public.attempts TO PUBLIC;
                    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        -- Only the first attempt: a sequence keeps its value whatever becomes of the transaction.
                        IF nextval('public.attempts') = 1 THEN PERFORM pg_sleep(60); END IF;
                        RETURN NULL;
                    END $$;
                    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON stock.sale DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION public.dawdle();
                    """
                )
            case .after:
                try await database.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
                try await database.psql("SELECT pg_reload_conf()")
                try await eventually("the server waits for a standby") {
                    try await database.psql("SHOW synchronous_standby_names") == "nobody"
                }
            }

            let key = UUID().uuidString
            let sale = Tenant.sale([(product, 1)], total: "1.00")
            let answer = try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                group.addTask { try await tenant.post("/v1/sales", key: key, sale) }
                try await eventually("the sale's backend was ended at COMMIT") {
                    // The sale is known by the lock on its key; the relay may wait for the standby as well.
                    let ended = try await database.psql(
                        """
                        SELECT count(pg_terminate_backend(a.pid))
                        FROM pg_stat_activity a
                        WHERE a.datname = current_database() AND a.wait_event = '\(moment.waitEvent)'
                          AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory')
                        """
                    )
                    return ended != "0"
                }
                if moment == .after {
                    // Whoever else waits for the standby may go on; the sale's answer is lost for good.
                    try await database.psql("ALTER SYSTEM RESET synchronous_standby_names")
                    try await database.psql("SELECT pg_reload_conf()")
                }
                guard let answer = try await group.next() else { throw CancellationError() }
                return answer
            }
            #expect(answer.status == 201, "\(answer.status) \(answer.text)")
            #expect(answer[header: "Idempotency-Replayed"] == (moment == .after ? "true" : nil))
            let consistency = try #require(answer[header: "Stock-Consistency"])

            // The instance that ran it shows it at once, the other one to whoever holds the token.
            #expect(try await tenant.incomeToday(from: .a).income == "1.00")
            let peer = try await tenant.incomeToday(from: .b, headers: ["Stock-Consistency": consistency])
            #expect(peer.income == "1.00")

            for instance in [Tenant.Instance.a, .b] {
                let again = try await tenant.post("/v1/sales", to: instance, key: key, sale)
                #expect(again.status == 201)
                #expect(again[header: "Idempotency-Replayed"] == "true")
                #expect(again.body == answer.body)
            }
            #expect(try await database.psql("SELECT count(*) FROM stock.sale") == "1")
            #expect(try await tenant.onHand(product) == "4")
            try await deployment.expectHealthy()
            try await deployment.stop()
        }
    }
}
