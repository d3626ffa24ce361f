import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

@Suite("Types of events")
struct EventTypeTests {
    /// A caller with some scopes.
    private func caller(_ scopes: Set<Scope>) -> Caller {
        Caller(tenant: TenantID(rawValue: 1), scopes: scopes, name: "Ñandú")
    }

    @Test("every type that a function writes has a topic, and so somebody who may read it")
    func emitted() async throws {
        let database = try await PostgresServer.shared().database(named: "types_of_events")
        // What stands between the insertion and the end of its statement, of words with a dot.
        let types = try await database.psql(
            """
            SELECT DISTINCT t.parts[1]
            FROM pg_proc f,
                 regexp_matches(f.prosrc, '(?:INSERT INTO stock\\.domain_event|stock\\.quote_told\\()[^;]*', 'g') AS i (parts),
                 regexp_matches(i.parts[1], '''([a-z_]+\\.[a-z_]+)''', 'g') AS t (parts)
            WHERE f.pronamespace = 'stock'::regnamespace
            """
        ).split(separator: "\n")
        #expect(types.count >= 20, "\(types)")
        for type in types {
            let topic = EventTopic(ofType: type)
            #expect(topic != nil, "\(type): make a case of EventTopic for it")
        }
        let topics = Set(types.compactMap { EventTopic(ofType: $0) })
        #expect(topics == Set(EventTopic.allCases), "nothing writes the others")
        try await database.drop()
    }

    @Test("are read with the scope of their topic, and all of them by whoever has every scope")
    func filtered() throws {
        for topic in EventTopic.allCases {
            let filter = try EventFilter(for: caller([topic.scope]))
            for other in EventTopic.allCases {
                #expect(filter.contains("\(other.rawValue).happened") == (other.scope == topic.scope))
            }
            #expect(!filter.contains("new.kind"))
        }
        let all = try EventFilter(for: caller(Set(Scope.allCases)))
        #expect(all.contains("new.kind") && all.contains("sale.confirmed"))
        let asked = try EventFilter(for: caller([.salesRead]), asked: ["sale", "payment.made"])
        #expect(asked.contains("sale.cancelled") && asked.contains("payment.made"))
        #expect(!asked.contains("payment.received") && !asked.contains("sales.made"))
    }
}
