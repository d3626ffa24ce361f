import Foundation
import Kernel
import Testing

@testable import Domain

@Suite("What is proposed for a file")
struct ImportSnifferTests {
    private static let sales = ImportSniffer(.sales)
    private static let products = ImportSniffer(.products)

    private func example(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).appending(path: "../../../../examples").standardizedFileURL
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    @Test("of the examples reads them as the mappings beside them do")
    func examples() throws {
        let till = try Self.sales.propose(example("till-sales.csv"), isWhole: true)
        #expect(till.remarks == [])
        #expect(
            String(decoding: till.json, as: UTF8.self) == """
                {
                    "delimiter": ";",
                    "decimal": ",",
                    "time_format": "dd.MM.yyyy HH:mm",
                    "columns": {"occurred_at":"Datum","payment_method":"Zahlart","quantity":"Menge","sale":"Bon","sku":"Artikelnr","time_of_day":"Uhrzeit","unit_price":"Einzelpreis"}
                }

                """
        )
        let shelves = try Self.products.propose(example("till-products.csv"), isWhole: true)
        #expect(shelves.remarks == [])
        #expect(
            shelves.mapping.columns == [
                "sku": "Artikelnr", "name": "Bezeichnung", "price": "Preis", "tax_rate": "MwSt", "unit": "Einheit",
                "barcodes": "EAN", "min_stock": "Meldebestand",
            ]
        )
        let invoices = try Self.sales.propose(example("online-retail.csv"), isWhole: true)
        #expect(invoices.mapping.times == .iso && invoices.mapping.numbers.decimal == .point)
        #expect(invoices.remarks == ["not read: CustomerID, Country"])
    }

    @Test("says which days and decimals may be read two ways, and what was not found")
    func doubts() throws {
        let file = "Receipt;Code;Qty;Date\n1;A;1.250;03/04/2026\n"
        let proposal = try Self.sales.propose(Array(file.utf8), isWhole: true)
        #expect(
            proposal.remarks == [
                "nothing was found for sku: name its column under \"columns\"",
                "nothing was found for unit_price: name its column under \"columns\"",
                "not read: Code",
                "numbers like 1.250 may have a decimal point or a decimal comma; a point was taken",
                "times fit dd/MM/yyyy and MM/dd/yyyy: look whether the days are right",
            ]
        )
    }

    @Test("one value that can be read one way only settles it for all")
    func settled() throws {
        let file = "sale;sku;quantity;price;date\n1;A;1.250;1,5;03/04/2026 9:05 PM\n1;A;1;2;04/13/2026 9:05 PM\n"
        let proposal = try Self.sales.propose(Array(file.utf8), isWhole: true)
        #expect(proposal.remarks == [])
        #expect(proposal.mapping.numbers.decimal == .comma)
        #expect(proposal.mapping.times == TimeFormat(pattern: "MM/dd/yyyy h:mm a"))
    }

    @Test(
        "tells encodings apart, and says where it is a guess",
        arguments: [
            (Array("sku,name\nA,Ñandú\n".utf8), TextEncoding.utf8, 0),
            ([0x73, 0x6B, 0x75, 0x2C, 0x6E, 0x61, 0x6D, 0x65, 0x0A, 0x41, 0x2C, 0xD1, 0x0A], .windows1252, 1),
            (UTF16Transcoder.encode(Array("sku,name\nA,Ñ\n".utf8), as: .utf16), .utf16, 0),
            (
                Array(UTF16Transcoder.encode(Array("sku,name\nA,N\n".utf8), as: .utf16LittleEndian).dropFirst(2)),
                .utf16LittleEndian, 0
            ),
        ]
    )
    func encodings(bytes: [UInt8], encoding: TextEncoding, remarks: Int) throws {
        let proposal = try Self.products.propose(bytes, isWhole: true)
        #expect(proposal.mapping.encoding == encoding)
        #expect(proposal.remarks.count == remarks)
    }

    @Test("a letter that the end of the sample cuts does not make another encoding of it")
    func cut() throws {
        let bytes = Array("sku,name\nA,Ñandú\nB,Ñ".utf8.dropLast())
        #expect(try Self.products.propose(bytes, isWhole: false).mapping.encoding == .utf8)
    }

    @Test("of a file with an object to a line finds the members of all of them")
    func objects() throws {
        let file = #"{"SKU":"A"}"# + "\n" + #"{"sku":"B","title":"Hat"}"# + "\n"
        let proposal = try Self.products.propose(Array(file.utf8), isWhole: true)
        #expect(proposal.mapping.format == .ndjson)
        #expect(proposal.mapping.columns["name"] == "title")
    }

    @Test("an empty file is told")
    func empty() {
        #expect(throws: ImportMapping.Fault.self) { try Self.products.propose(Array("\n \n".utf8), isWhole: true) }
    }

    @Test("rows are shown as they would be read, rejections included")
    func preview() throws {
        let file = Array(
            """
            sale,sku,quantity,unit_price,occurred_at
            1,A,-2,1.5,2026-03-01T10:00
            1,A,x,1,2026-03-01

            """.utf8
        )
        let lines = try ImportShape.sales.preview(3, of: file, ImportMapping())
        #expect(lines.count == 2)
        let clock = "2026-03-01T10:00:00.000000 by the shop's clock"
        #expect(lines.first == "sale 1, sku A, quantity -2, unit_price 1.5, occurred_at \(clock)")
        #expect(lines.last?.hasPrefix("rejected, quantity_invalid: quantity is 'x'") == true)
    }
}
