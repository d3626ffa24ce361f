import Testing

@testable import Domain

@Suite("Rows of records")
struct RecordRowReaderTests {
    /// What reading a file gave: its rows, what was refused, and the documents that its rows are of.
    private struct Outcome {
        var rows: [RecordRow] = []
        var rejections: [RowRejection] = []
        var documents: [[String]?] = []
    }

    private func read(_ shape: RecordShape, _ lines: [String]) throws -> Outcome {
        let mapping = ImportMapping()
        var outcome = Outcome()
        var reader: RecordRowReader?
        var parser = CSVParser(dialect: mapping.dialect)
        func add(_ record: borrowing FileRecord) throws {
            guard let known = reader else {
                reader = try RecordRowReader(shape, mapping: mapping, header: record)
                return
            }
            outcome.documents.append(known.document(of: record))
            do throws(RowRejection) {
                outcome.rows.append(try known.read(record))
            } catch {
                outcome.rejections.append(error)
            }
        }
        try parser.consume(Array((lines.joined(separator: "\n") + "\n").utf8), add)
        try parser.finish(add)
        return outcome
    }

    @Test("who is named is called as customers and suppliers are", arguments: ["José  Pérez", "می\u{200C}نا"])
    func names(name: String) throws {
        let purchases = [
            "reference,supplier,occurred_at,sku,quantity,unit_cost", "r,\(name),2026-02-01,A,1,1",
            "r,\(name),2026-02-01,A,none,1",
        ]
        let bought = try read(.purchases, purchases)
        #expect(bought.rows.map { $0.texts["supplier"] } == [name])
        // The row that can not be read is of the same document.
        #expect(bought.documents == [[name, "r"], [name, "r"]])
        let expenses = ["external_id,occurred_at,category,amount,method,supplier", "1,2026-02-01,rent,1,cash,\(name)"]
        #expect(try read(.expenses, expenses).rows.map { $0.texts["supplier"] } == [name])
        let payments = ["external_id,occurred_at,amount,method,customer", "1,2026-02-01,1,cash,\(name)"]
        #expect(try read(.payments, payments).rows.map { $0.texts["customer"] } == [name])
    }

    @Test("what is made of marks alone is an empty field")
    func marks() throws {
        let customers = try read(.customers, ["name,external_id", "\u{200E},1", "\u{200E},"])
        #expect(customers.rows.map { $0.texts["name"] } == [nil])
        #expect(customers.rejections.map(\.reason) == ["name and external_id are empty"])
        let expenses = ["external_id,occurred_at,category,amount,method", "1,2026-02-01,\u{200E},1,cash"]
        #expect(try read(.expenses, expenses).rejections.map(\.reason) == ["category is empty"])
    }
}
