import Domain
import Kernel
import TestSupport
import Testing

@testable import Services

/// What the audit says of records; of accounts and rights it is tested with them.
@Suite("The audit of records")
struct AuditTests {
    private func entries(
        _ live: LiveShop,
        of subject: EntityID? = nil,
        _ action: AuditAction? = nil
    ) async throws -> JSONBody {
        var filter = AuditFilter()
        filter.subject = subject
        filter.action = action
        return try JSONBody(try await live.shop.identity.audit(filter, Page(limit: 200), live.context).body)
    }

    @Test("tells of each change who made it, from where, and what each field was and is")
    func life() async throws {
        try await LiveShop.open { live in
            let suppliers = live.shop.records(Supplier.self)
            var fields = SupplierFields()
            fields.name = .set("Ñandú & Söhne")
            fields.phone = .set("099 123")
            (fields.taxID, fields.contact, fields.email) = (.set(nil), .set(nil), .set(nil))
            (fields.active, fields.externalID) = (.set(true), .set(nil))
            let id: ID<Supplier> = .make()
            _ = try await suppliers.create(fields, id: id, live.context)
            var patch = SupplierFields()
            patch.name = .set("Ñandú 🐦")
            patch.phone = .set(nil)
            _ = try await suppliers.change(id, patch, expected: .any, live.context)
            // What changes nothing is not told.
            _ = try await suppliers.change(id, patch, expected: .any, live.context)
            _ = try await suppliers.delete(id, expected: .any, live.context)

            let told = try await entries(live, of: id.entity)
            #expect(told.texts("data", "action") == ["record.deleted", "record.changed", "record.created"])
            for place in 0..<3 {
                #expect(told["data.\(place).actor.id"] == live.owner.user.description)
                #expect(told["data.\(place).actor.name"] == "ana@example.com")
                #expect(told["data.\(place).subject.type"] == "supplier")
                #expect(told["data.\(place).request_id"] == "test")
                #expect(told["data.\(place).address"] == "192.0.2.1")
            }
            #expect(told["data.2.details.name.to"] == "Ñandú & Söhne")
            #expect(told["data.2.details.name.from"] == nil)
            #expect(told["data.1.details.name.from"] == "Ñandú & Söhne")
            #expect(told["data.1.details.name.to"] == "Ñandú 🐦")
            #expect(told["data.1.details.phone.from"] == "099 123")
            #expect(told["data.1.details.phone.to"] == nil)
            #expect(told["data.0.details.name.from"] == "Ñandú 🐦")
            // Neither what follows from the name nor what tells of the row alone.
            let members = try await live.database.psql(
                """
                SELECT string_agg(DISTINCT k, ',' ORDER BY k) FROM stock.audit_log a, json_object_keys(a.details) k
                WHERE a.subject_id = '\(id)'
                """
            )
            #expect(members == "active,name,phone")
        }
    }

    @Test("tells figures as text, of many made at once their number, and of each of many that change")
    func batches() async throws {
        try await LiveShop.open { live in
            func batch(_ price: String) throws -> [ProductUpsert] {
                try (1...3).map { number in
                    var upsert = ProductUpsert(sku: "S\(number)")
                    (upsert.name, upsert.price) = ("P\(number)", try Price(price))
                    return upsert
                }
            }
            _ = try await live.shop.products.upsert(batch("12.50"), live.context)
            _ = try await live.shop.products.upsert(batch("13.00"), live.context)
            _ = try await live.shop.products.upsert(batch("13.00"), live.context)
            let made = try await entries(live, .recordsCreated)
            #expect(made["data.0.details.count"] == "3")
            #expect(made["data.0.subject.type"] == "product")
            #expect(made["data.0.actor.id"] == live.owner.user.description)
            let changed = try await entries(live, .recordChanged)
            #expect(changed.count("data") == 3)
            #expect(changed["data.0.details.price.from"] == "12.5")
            #expect(changed["data.0.details.price.to"] == "13")
        }
    }
}
