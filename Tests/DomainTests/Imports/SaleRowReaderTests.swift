import Testing

@testable import Domain

@Suite struct SaleRowReaderTests {
    private static let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    private static let columns = [
        "sale": "InvoiceNo", "sku": "StockCode", "name": "Description", "quantity": "Quantity",
        "occurred_at": "InvoiceDate", "unit_price": "UnitPrice",
    ]

    /// What reading a file gave: its rows, and what was refused.
    private struct Outcome {
        var rows: [SaleRow] = []
        var rejections: [RowRejection] = []
        var unused: [String] = []
    }

    private func read(
        _ lines: [String],
        header: String = Self.header,
        mapping: ImportMapping = ImportMapping(columns: Self.columns)
    ) throws -> Outcome {
        var outcome = Outcome()
        var reader: SaleRowReader?
        var parser = CSVParser(dialect: mapping.dialect)
        func add(_ record: borrowing FileRecord) throws {
            guard let reader else {
                reader = try SaleRowReader(mapping: mapping, header: record)
                outcome.unused = reader?.unusedColumns ?? []
                return
            }
            do throws(RowRejection) {
                outcome.rows.append(try reader.read(record))
            } catch {
                outcome.rejections.append(error)
            }
        }
        let text = ([header] + lines).joined(separator: "\r\n") + "\r\n"
        try parser.consume(Array(text.utf8), add)
        try parser.finish(add)
        return outcome
    }

    @Test(
        "signs of quantity and price make a sale line, a free line or a return line",
        arguments: [
            ("6", "2.55", SaleRow.Kind.sale), ("56", "0.0", .free), ("-1", "27.5", .goodsReturned),
        ]
    )
    func kinds(quantity: String, price: String, kind: SaleRow.Kind) throws {
        let outcome = try read(["1,A,NAME,\(quantity),2010-12-01T08:26:00,\(price),,UK"])
        let row = try #require(outcome.rows.first)
        #expect(row.kind == kind)
        #expect(row.quantity > 0)
        #expect(outcome.rejections.isEmpty)
    }

    @Test(
        "what is no sale and no return is rejected with its code",
        arguments: [
            ("0", "1", RowRejection.Code.quantityZero), ("0", "0", .quantityZero), ("-3", "0", .returnWithoutPrice),
            ("3", "-1", .priceNegative), ("-3", "-1", .priceNegative), ("x", "1", .quantityInvalid),
            ("1", "", .priceInvalid),
            ("999999999999", "999999999999", .amountTooLarge),
        ]
    )
    func rejected(quantity: String, price: String, code: RowRejection.Code) throws {
        let outcome = try read(["1,A,NAME,\(quantity),2010-12-01T08:26:00,\(price),,UK"])
        #expect(outcome.rejections.map(\.code) == [code])
        #expect(outcome.rejections.first?.line == 2)
        #expect(outcome.rows.isEmpty)
    }

    @Test("everything wrong with a row is told at once, and the next row is read")
    func everything() throws {
        let outcome = try read([",,N,one,yesterday,2.5.5,,UK", "1,A,N,1,2010-12-01,1,,UK"])
        let rejection = try #require(outcome.rejections.first)
        #expect(rejection.code == .saleMissing)
        for field in ["sale", "sku", "quantity", "unit_price", "occurred_at"] {
            #expect(rejection.reason.contains(field))
        }
        #expect(outcome.rows.count == 1)
    }

    @Test("a row of another width is rejected")
    func width() throws {
        #expect(try read(["1,A,N,1"]).rejections.map(\.code) == [.columnCount])
    }

    @Test("a file of another country is read by its declared formats")
    func declared() throws {
        var mapping = ImportMapping()
        try mapping.set("delimiter", to: ";")
        try mapping.set("decimal", to: ",")
        try mapping.set("time_format", to: "dd.MM.yyyy HH:mm")
        let outcome = try read(
            ["1;A;1,5;01.12.2010 08:26;1.234,56"],
            header: "sale;sku;quantity;occurred_at;unit_price",
            mapping: mapping
        )
        #expect(outcome.rows.first?.unitPrice == 1_234_560_000)
        #expect(outcome.rows.first?.quantity == 1_500_000)
        #expect(outcome.rows.first?.name == [])
    }

    @Test("a header without a needed column stops the import and names it")
    func missingColumn() {
        #expect(throws: ImportMapping.Fault.self) { try read([], header: "InvoiceNo,StockCode") }
        #expect(throws: ImportMapping.Fault.self) {
            try read([], mapping: ImportMapping(columns: Self.columns.merging(["colour": "X"]) { first, _ in first }))
        }
        var mapping = ImportMapping()
        #expect(throws: ImportMapping.Fault.self) { try mapping.set("decimal", to: "x") }
        #expect(throws: ImportMapping.Fault.self) { try mapping.set("colour", to: "x") }
    }

    @Test("rows of one sale need not stand together; a return of the same name is a document of its own")
    func grouping() throws {
        let outcome = try read([
            "7,a1,,2,2010-12-01T08:26:00,1.5,,UK",
            "8,B,BALL,1,2010-12-01T09:00:00,2,,UK",
            "7,A1,APPLE,1,2010-12-01T08:27:00,9,,UK",
            "7,B,,-1,2010-12-01T08:28:00,2,,UK",
            "7,a1,PEAR,1,2010-12-01T08:28:00,2,,UK",
        ])
        var grouping = SaleGrouping()
        let places = try outcome.rows.map { try grouping.place($0) }
        #expect(places.map(\.document) == [0, 1, 0, 2, 0])
        #expect(places.map(\.sku) == [0, 1, 2, 1, 0])
        #expect(grouping.documents.map(\.kind) == [.sale, .sale, .goodsReturned])
        #expect(grouping.documents.map(\.firstLine) == [2, 3, 5])
        #expect(grouping.skus[0].firstPrice == 1_500_000)
        #expect(grouping.skus[0].name == Array("PEAR".utf8))
        #expect(grouping.skus[0].nameLine == 6)
    }

    @Test("a line without a time has that of its sale if the mapping says so, and none if there is no earlier line")
    func inheritedTime() throws {
        var mapping = ImportMapping(columns: Self.columns)
        let lines = ["1,A,N,1,2010-12-01,1,,UK", "1,B,N,1,,1,,UK", "1,C,N,-1,,1,,UK", "2,D,N,1,,1,,UK"]
        #expect(try read(lines, mapping: mapping).rejections.map(\.code) == [.timeInvalid, .timeInvalid, .timeInvalid])
        try mapping.set("empty_time", to: "inherit")
        let outcome = try read(lines, mapping: mapping)
        #expect(outcome.rejections == [])
        var grouping = SaleGrouping()
        var refused: [Int] = []
        for row in outcome.rows {
            do { _ = try grouping.place(row) } catch { refused.append(error.line) }
        }
        #expect(refused == [5])
        #expect(grouping.documents.allSatisfy { $0.time == grouping.documents.first?.time })
    }

    @Test("a line that makes its document too large is refused, as one that is too large by itself")
    func largeDocument() throws {
        let outcome = try read([
            "1,A,N,1000000,2010-12-01,99999999,,UK", "1,B,N,1000000,2010-12-01,1,,UK", "2,B,N,1000000,2010-12-01,1,,UK",
            "3,A,N,1000000,2010-12-01,100000000,,UK",
        ])
        #expect(outcome.rejections.map(\.code) == [.amountTooLarge])
        var grouping = SaleGrouping()
        var refused: [RowRejection.Code] = []
        for row in outcome.rows {
            do { _ = try grouping.place(row) } catch { refused.append(error.code) }
        }
        #expect(refused == [.amountTooLarge])
    }

    @Test("a line too many of a document is refused, and a method too many that it is paid by")
    func longDocument() throws {
        let header = "sale,sku,quantity,unit_price,occurred_at,payment_method,paid"
        let lines = (1...1_001).map { "1,A,1,1,2010-12-01,,\($0 == 1 ? "1" : "")" } + ["2,A,1,1,2010-12-01,,1"]
        let methods = (1...21).map { "3,A,1,1,2010-12-01,m\($0),1" } + ["3,A,1,1,2010-12-01,m20,1"]
        let outcome = try read(lines + methods, header: header, mapping: ImportMapping())
        #expect(outcome.rejections == [])
        var grouping = SaleGrouping()
        var refused: [Int: RowRejection.Code] = [:]
        for row in outcome.rows {
            do { _ = try grouping.place(row) } catch { refused[error.line] = error.code }
        }
        #expect(refused == [1_002: .valueInvalid, 1_024: .valueInvalid])
    }

    @Test("date and time may stand in two columns, and a sale may name how it was paid")
    func twoColumns() throws {
        var mapping = ImportMapping()
        try mapping.set("time_format", to: "MM/dd/yyyy h:mm a")
        let header = "sale,sku,quantity,unit_price,occurred_at,time_of_day,payment_method,Till"
        let outcome = try read(
            [
                "1,A,1,1,12/01/2010,8:26 am,card,3", "2,A,1,1,12/01/2010,8:26 am,,3",
                "3,A,1,1,12/01/2010,8:26 am,Müscheln,3",
            ],
            header: header,
            mapping: mapping
        )
        #expect(outcome.rows.map(\.time) == Array(repeating: .wallClock(microseconds: 1_291_191_960_000_000), count: 2))
        #expect(outcome.rows.map(\.method) == [.card, nil])
        #expect(outcome.rejections.map(\.code) == [.valueInvalid])
        #expect(outcome.rejections.first?.reason.contains("accepted: the code of a method") == true)
        #expect(outcome.unused == ["Till"])
        mapping.unreadFields = ["payment_method"]
        #expect(try read(["1,A,1,1,12/01/2010,8:26 am,Müscheln,3"], header: header, mapping: mapping).rejections == [])
    }

    @Test("two lines of a sale cannot be paid in two ways")
    func twoMethods() throws {
        let outcome = try read(
            ["1,A,1,1,2010-12-01,card", "1,B,1,1,2010-12-01,", "1,C,1,1,2010-12-01,cash"],
            header: "sale,sku,quantity,unit_price,occurred_at,payment_method",
            mapping: ImportMapping()
        )
        var grouping = SaleGrouping()
        #expect(try outcome.rows.prefix(2).map { try grouping.place($0).document } == [0, 0])
        #expect(throws: RowRejection.self) { try grouping.place(outcome.rows[2]) }
        #expect(grouping.documents.map(\.method) == [.card])
    }

    @Test("a header that does not fit is shown as it was read, with the delimiter that would fit")
    func delimiterHint() throws {
        do {
            _ = try read([], header: "sale;sku;quantity;unit_price;occurred_at", mapping: ImportMapping())
            Issue.record("a header without commas was read by commas")
        } catch let fault as ImportMapping.Fault {
            #expect(fault.description.contains("'sale;sku;quantity;unit_price;occurred_at'"))
            #expect(fault.description.contains("with ';' as delimiter it would have 5 columns"))
        }
    }

    @Test("rejected rows stand as in their file, and are imported again with the same mapping")
    func rejectedRows() throws {
        var mapping = ImportMapping()
        try mapping.set("delimiter", to: ";")
        try mapping.set("encoding", to: "cp1252")
        func write(_ file: [UInt8], _ rejections: [Int: RowRejection]) -> [UInt8] {
            var rows = RejectedRows(mapping)
            var parser = CSVParser(dialect: mapping.dialect)
            var isHeader = true
            func take(_ record: borrowing FileRecord) {
                if isHeader {
                    rows.header(record)
                } else if let found = rejections[record.line] {
                    rows.row(record, found)
                }
                isHeader = false
            }
            parser.consume(file, take)
            parser.finish(take)
            return rows.drain()
        }
        func latin(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }
        let file = latin("sale;sku;Café\n1;\"A;1\";x\n2;B;\"say \"\"é\"\"\"\n")
        let rejection = RowRejection(line: 3, code: .quantityZero, reason: "quantity is \"0\"; zero €")
        let once = write(file, [3: rejection])
        let header = "sale;sku;Café;line;code;reason\r\n2;B;\"say \"\"é\"\"\";"
        #expect(once == latin(header + "3;quantity_zero;\"quantity is \"\"0\"\"; zero \u{80}\"\r\n"))
        // What was rejected again has the three columns once.
        let again = write(once, [2: RowRejection(line: 2, code: .duplicate, reason: "plain")])
        #expect(again == latin(header + "2;duplicate;plain\r\n"))
        var read: ImportHeader?
        var parser = CSVParser(dialect: mapping.dialect)
        try parser.consume(once) { if read == nil { read = try ImportHeader($0, mapping: mapping) } }
        #expect(read?.ownWidth == 3)
        #expect(read?.width == 6)
        #expect(read?.unusedColumns == ["sale", "sku", "Café"])
    }

    @Test("rejected rows of a file that names its delimiter do so too, so that the same mapping reads them")
    func rejectedDelimiter() throws {
        let copy = RejectedCopy(ImportMapping(), fields: SaleRowReader.fields)
        let rejection = RowRejection(line: 4, code: .duplicate, reason: "plain")
        var bytes: [UInt8] = []
        try copy.read(Array("sep=;\nsale;sku\n1;A\n2;B\n".utf8), { $0 == 4 ? rejection : nil }, { bytes += $1 })
        try copy.finish({ $0 == 4 ? rejection : nil }, { bytes += $1 })
        let written = "sep=;\r\nsale;sku;line;code;reason\r\n2;B;4;duplicate;plain\r\n"
        #expect(String(decoding: bytes, as: UTF8.self) == written)
    }

    @Test("a rejected return without a time has that of its sale, which is not among the rejected rows")
    func rejectedTimes() throws {
        var mapping = ImportMapping()
        try mapping.set("empty_time", to: "inherit")
        let copy = RejectedCopy(mapping, fields: SaleRowReader.fields)
        let file = """
            sale,sku,quantity,unit_price,occurred_at,time_of_day
            X,A,1,2,2026-03-01,10:00
            X,B,-1,2,,
            Y,A,1,2,2026-03-02,11:00
            Y,B,1,2,,

            """
        func rejection(_ line: Int) -> RowRejection? {
            [3, 4, 5].contains(line) ? RowRejection(line: line, code: .skuUnknown, reason: "none") : nil
        }
        var bytes: [UInt8] = []
        try copy.read(Array(file.utf8), rejection, { bytes += $1 })
        try copy.finish(rejection, { bytes += $1 })
        // The other document is there whole, as it stands in its file.
        let rows = [
            "sale,sku,quantity,unit_price,occurred_at,time_of_day,line,code,reason",
            "X,B,-1,2,2026-03-01,10:00,3,sku_unknown,none", "Y,A,1,2,2026-03-02,11:00,4,sku_unknown,none",
            "Y,B,1,2,,,5,sku_unknown,none",
        ]
        #expect(String(decoding: bytes, as: UTF8.self) == rows.map { $0 + "\r\n" }.joined())
    }

    @Test(
        "a file of rejected rows is told from every other",
        arguments: [
            ("sku,line,code,reason\r\n", true), ("\u{FEFF}sku\tline\tcode\treason", true),
            ("sku;\"a\nb\";line;code;reason\r\nB;x;3;duplicate;no\r\n", true),
            ("sep=;\r\nsku;line;code;reason\r\n", true),
            ("{\"sku\":\"B\",\"line\":2,\"code\":\"duplicate\",\"reason\":\"no\"}\n{", true),
            ("sku,name,price\nline,code,reason\n", false), ("line,code,reason\n", false), ("a note", false),
            ("{\"sku\":\"B\"}\n", false), ("", false),
        ]
    )
    func filesOfRejectedRows(text: String, isOne: Bool) {
        let bytes = Array(text.utf8)
        #expect(RejectedRows.areIn(fileBeginning: bytes) == isOne)
        for encoding in [TextEncoding.utf16LittleEndian, .utf16BigEndian] {
            let encoded = RejectedCopy.encoded(bytes, as: encoding, isFirst: true)
            #expect(RejectedRows.areIn(fileBeginning: encoded) == isOne)
        }
    }

    @Test("of columns that nothing is read from the beginnings of their names are told, and not of any number")
    func longNames() throws {
        let header = "sale,sku,quantity,unit_price,occurred_at"
        let long = try read([], header: header + "," + String(repeating: "x", count: 200), mapping: ImportMapping())
        #expect(long.unused == [String(repeating: "x", count: 100) + "…"])
        let many = (0..<2_000).map { ",c\($0)" }.joined()
        #expect(try read([], header: header + many, mapping: ImportMapping()).unused.count == 1_000)
    }

    @Test(
        "who bought is called as customers are, and no code",
        arguments: ["José  Pérez", "Ana\u{A0}B", "می\u{200C}نا"]
    )
    func customers(name: String) throws {
        let header = "sale,sku,quantity,unit_price,occurred_at,customer"
        let row = try read(["1,A,1,2.50,2026-03-01,\(name)"], header: header, mapping: ImportMapping()).rows.first
        #expect(row?.customer == Array(name.utf8))
    }

    @Test(
        "codes of a sales file are read as those of products are",
        arguments: [("B\u{A0} 7", "A  1"), ("B 7", "A\u{2009}1")]
    )
    func codes(sale: String, sku: String) throws {
        let row = try #require(try read(["\(sale),\(sku),N,1,2010-12-01,1,,UK"]).rows.first)
        #expect(row.externalID == Array("B 7".utf8))
        #expect(row.sku == Array("A 1".utf8))
    }

    @Test(
        "what a spreadsheet made of a code, or nobody sees, is refused",
        arguments: [
            ("5.36365E+05", "A"), ("536365.0", "A"), ("1", "4.00638E+12"), ("1", "'4006381"), ("1", "A\u{FEFF}1"),
        ]
    )
    func brokenCodes(sale: String, sku: String) throws {
        let outcome = try read(["\(sale),\(sku),N,1,2010-12-01,1,,UK"])
        #expect(outcome.rejections.map(\.code) == [.valueInvalid])
    }

    @Test("a way to pay is spelled as in a body, and may be the shop's own")
    func methods() throws {
        let header = Self.header + ",payment_method"
        #expect(try read(["1,A,N,1,2010-12-01,1,,UK,card"], header: header).rows.first?.method == .card)
        let rejection = try read(["1,A,N,1,2010-12-01,1,,UK,CARD"], header: header).rejections.first
        #expect(rejection?.reason.contains("accepted: the code of a method") == true)
        let own = try read(["1,A,N,1,2010-12-01,1,,UK,vale_comida"], header: header).rows.first?.method
        #expect(own?.rawValue == "vale_comida")
        #expect(try read(["1,A,N,1,2010-12-01,1,,UK,all"], header: header).rejections.count == 1)
    }
}
