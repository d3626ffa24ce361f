import Cache
import Kernel
import Testing

@testable import Postgres
@testable import Services

@Suite("Columns of records")
struct ColumnTests {
    private struct Priced: Record {
        struct Fields: Sendable { var currency: Change<Currency> = .keep }

        static let name = "tests.priced"
        static let collection = "/v1/priced"
        static let module = Module.products
        static let table: SQL = "stock.priced"
        static let noun: SQL = "priced"
        static let body: SQL = "stock.priced_body"
        static let columns: [Column<Fields>] = [.currency("currency", \.currency)]

        let id: ID<Priced>

        init(_ id: ID<Priced>) { self.id = id }
    }

    /// The texts of the parameters of a change, behind the id.
    private static func changed(_ fields: Priced.Fields) throws -> [[UInt8]] {
        var parameters = Parameters()
        parameters.begin(UpdateRecord<Priced>.parameterTypes)
        try UpdateRecord(record: Priced(.make()), fields: fields).bind(&parameters)
        return parameters.places.dropFirst().map { place in
            place.length < 0 ? [] : Array(parameters.arena[Int(place.offset)..<Int(place.offset + place.length)])
        }
    }

    @Test("a currency is kept, or written as its code")
    func currency() throws {
        #expect(try Self.changed(Priced.Fields()) == [[0], []])
        let peso = try #require(Currency(code: "uyu"))
        #expect(try Self.changed(Priced.Fields(currency: .set(peso))) == [[1], Array("UYU".utf8)])
    }
}
