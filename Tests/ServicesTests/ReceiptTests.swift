import Kernel
import Testing

@testable import Services

@Suite("Receipts")
struct ReceiptTests {
    /// A sale of two lines with all that a receipt can show.
    private static func sale(
        locale: String = "de-DE",
        product: String = "Kaffeebohnen Äthiopien",
        status: String = "confirmed",
        includesTax: Bool = true
    ) -> String {
        """
        {"shop":{"name":"Eckladen","address":"Hafenstraße 3\\n20457 Hamburg","tax_id":"DE123","phone":"+49 40 1",\
        "receipt_footer":"Vielen Dank!\\nAuf Wiedersehen","logo":null,"locale":"\(locale)","currency":"EUR",\
        "prices_include_tax":\(includesTax)},"location":{"name":"Main","address":null},"register":"Kasse 2",\
        "cashier":"Jürgen","customer":{"name":"Ana <b>","tax_id":null},"local_time":"2026-01-31T18:05:59",\
        "timezone":"Europe/Berlin","methods":[{"code":"cash","name":"Bar"},{"code":"card","name":"Karte"}],\
        "sale":{"number":2985,"status":"\(status)","lines":[{"name":"\(product)","unit":"kg","quantity":"1.5",\
        "unit_price":"1200.00","discount":"100.00","tax":"111.21","total":"1700.00"},{"name":"Tasse","unit":"St",\
        "quantity":"2","unit_price":"5.00","discount":"0.00","tax":"1.60","total":"10.00"}],"subtotal":"1810.00",\
        "discount":"100.00","tax":"112.81","total":"1710.00","tax_breakdown":[{"name":"7 %","rate":"7",\
        "base":"1588.79","amount":"111.21"},{"name":"19 %","rate":"19","base":"8.40","amount":"1.60"},\
        {"name":"0 %","rate":"0","base":"0.00","amount":"0.00"}],"rounding":"-0.02","payments":[{"method":"card",\
        "direction":"in","amount":"1000.00","tip":"5.00","tendered":null,"change":null,"status":"reversed"},\
        {"method":"cash","direction":"in","amount":"700.00","tip":"0.00","tendered":"720.00","change":"20.00",\
        "status":"confirmed"}],"returns":[{"number":12,"total":"5.00"}],"due":"9.98"}}
        """
    }

    private static func rows(_ body: String, _ language: ReceiptLanguage? = nil) throws -> ReceiptRows {
        ReceiptRows(try Receipt(Array(body.utf8)), in: language)
    }

    @Test("a roll of 58 mm has 32 columns, in the language of the shop")
    func narrow() throws {
        let text = ReceiptText.write(try Self.rows(Self.sale()), columns: 32)
        #expect(
            text == """
                            Eckladen
                         Hafenstraße 3
                         20457 Hamburg
                        Steuernr. DE123
                         Tel. +49 40 1
                --------------------------------
                Beleg 2985      31.01.2026 18:05
                Kasse                    Kasse 2
                Es bediente Sie           Jürgen
                Kunde                    Ana <b>
                --------------------------------
                Kaffeebohnen Äthiopien
                  1,5 kg × 1.200,00     1.800,00
                  Rabatt                 -100,00
                Tasse
                  2 St × 5,00              10,00
                --------------------------------
                Zwischensumme           1.810,00
                Rabatt                   -100,00
                Summe EUR               1.710,00
                Enthaltene Steuer 7 % auf
                1.588,79                  111,21
                Enthaltene Steuer 19 % auf
                8,40                        1,60
                Rundung                    -0,02
                Karte (storniert)       1.000,00
                  Trinkgeld                 5,00
                Bar                       700,00
                  Gegeben                 720,00
                  Rückgeld                 20,00
                Rückgabe 12                -5,00
                Offen                       9,98
                --------------------------------
                          Vielen Dank!
                        Auf Wiedersehen

                """
        )
    }

    @Test("what is added to prices stands before the total, and lines come to what is in their own figures")
    func added() throws {
        let rows = try Self.rows(Self.sale(status: "cancelled", includesTax: false), .english).rows
        #expect(rows.contains(.detail("1.5 kg \u{D7} 1,200.00", "1,688.79")))
        let tax = try #require(rows.firstIndex(of: .pair("Tax 7 % on 1,588.79", "111.21")))
        let total = try #require(rows.firstIndex(of: .total("Total EUR", "1,710.00")))
        #expect(tax < total)
        #expect(rows.contains(.notice("CANCELLED")))
    }

    @Test("each language has its words, dates and separators, which follow the region of the shop")
    func languages() throws {
        for (locale, language, title, time, total, figure) in [
            ("de", nil, "Beleg 2985", "31.01.2026 18:05", "Summe EUR", "1.710,00"),
            ("es-UY", nil, "Recibo 2985", "31/01/2026 18:05", "Total EUR", "1.710,00"),
            ("es-MX", nil, "Recibo 2985", "31/01/2026 18:05", "Total EUR", "1,710.00"),
            ("pt-BR", nil, "Recibo 2985", "31/01/2026 18:05", "Total EUR", "1.710,00"),
            ("pt-PT", nil, "Recibo 2985", "31/01/2026 18:05", "Total EUR", "1\u{A0}710,00"),
            ("de-CH", nil, "Beleg 2985", "31.01.2026 18:05", "Summe EUR", "1\u{2019}710.00"),
            ("zh-Hans-SG", nil, "Receipt 2985", "2026-01-31 18:05", "Total EUR", "1,710.00"),
            ("de-CH", .portuguese, "Recibo 2985", "31/01/2026 18:05", "Total EUR", "1.710,00"),
            ("es-MX", .english, "Receipt 2985", "2026-01-31 18:05", "Total EUR", "1,710.00"),
        ] as [(String, ReceiptLanguage?, String, String, String, String)] {
            let rows = try Self.rows(Self.sale(locale: locale), language).rows
            #expect(rows.contains(.pair(title, time)), "\(locale)")
            #expect(rows.contains(.total(total, figure)), "\(locale)")
        }
    }

    @Test(
        "digits are moved between separators, whatever decimals the currency has",
        arguments: [
            ("0", "0"), ("999", "999"), ("1000", "1.000"), ("-1234567.5", "-1.234.567,5"), ("12.345", "12,345"),
            ("99999999999999.9999", "99.999.999.999.999,9999"), ("-0.01", "-0,01"), ("", ""),
        ]
    )
    func numbers(number: String, written: String) {
        #expect(NumberSeparators(decimal: ",", group: ".").write(number) == written)
    }

    @Test(
        "columns are counted as terminals do: wide characters are two, marks none, a picture two",
        arguments: [
            ("Kaffee", 6), ("é", 1), ("e\u{301}", 1), ("ñandú", 5), ("コーヒー", 8), ("ｶﾌｪ", 3), ("커피", 4),
            ("\u{1112}\u{1161}\u{11AB}", 2), ("咖啡 1", 6), ("👨‍👩‍👧", 2), ("🇩🇪", 2), ("☕️", 2), ("a\u{200B}b", 2),
            ("שלום", 4), ("ก็", 1), ("", 0), ("Ａ", 2), ("x\u{0}y", 2),
        ]
    )
    func widths(text: String, columns: Int) {
        #expect(TextColumns.width(of: text) == columns)
    }

    @Test("no line is wider than the paper, whatever names are like, and every name is there whole")
    func fits() throws {
        let names = [
            "コーヒー豆エチオピア産シングルオリジン五百グラム", "Donaudampfschifffahrtsgesellschaftskapitänsmützenkordel",
            "👨‍👩‍👧🇩🇪☕️ kleine Tüte für die ganze Familie", "e\u{301}" + String(repeating: "e\u{301}", count: 70), "x",
        ]
        for name in names {
            for language in ReceiptLanguage.allCases {
                let rows = try Self.rows(Self.sale(product: name), language)
                for width in ReceiptStyle.Width.allCases {
                    let text = ReceiptText.write(rows, columns: width.columns)
                    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                        #expect(TextColumns.width(of: line) <= width.columns, "\(line)")
                        #expect(!line.hasSuffix(" "))
                    }
                    let joined = text.filter { !$0.isWhitespace }
                    #expect(joined.contains(name.filter { !$0.isWhitespace }), "\(text)")
                }
            }
        }
    }

    @Test("what commands a printer does not reach it")
    func printer() throws {
        let text = ReceiptText.write(try Self.rows(Self.sale(product: "A\\u001b@B\\u0007")), columns: 32)
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
        #expect(text.contains("A @B"))
    }

    @Test("a page is escaped, names its paper, and asks for nothing from elsewhere")
    func page() throws {
        let name = "<script>alert('1')</script> & \\\"Ñ\\\""
        for width in ReceiptStyle.Width.allCases {
            let page = ReceiptPage.write(try Self.rows(Self.sale(product: name)), width: width)
            #expect(page.contains("<body class=\"w\(width.rawValue)\">") && page.contains("<html lang=\"de\">"))
            #expect(
                page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;Ñ&quot;"),
                "\(page)"
            )
            #expect(page.contains("<span>Ana &lt;b&gt;</span>"))
            for forbidden in ["<script", "http", "src=", "href=", "url(", "@import", "onload"] {
                #expect(!page.contains(forbidden), "\(forbidden)")
            }
            #expect(page.contains("<style>\(ReceiptPage.style)</style>"))
        }
    }

    @Test("a return says what came back, of which sale, and what was given back")
    func takenBack() throws {
        let body = """
            {"shop":{"name":"Tienda Ñ","address":null,"locale":"es","currency":"CLP","prices_include_tax":true},\
            "location":{"name":"Sur","address":"Calle 2"},"register":"Caja","cashier":null,"customer":null,\
            "local_time":"2026-02-28T00:00:00","timezone":"America/Santiago","methods":[],"sale_number":7,\
            "return":{"number":1,"lines":[{"name":"Té","unit":"u","quantity":"1","unit_price":"1990","amount":"1990"}],\
            "total":"1990","refund":"1990","rounding":"10","payments":[{"method":"cash","amount":"2000"}]}}
            """
        let rows = try Self.rows(body).rows
        #expect(
            rows == [
                .title("Tienda Ñ"), .centred("Calle 2"), .rule, .pair("Devolución 1", "28/02/2026 00:00"),
                .pair("Del recibo", "7"), .pair("Caja", "Caja"), .rule, .pair("Té", ""),
                .detail("1 u \u{D7} 1.990", "1.990"), .rule, .total("Total CLP", "1.990"), .pair("Redondeo", "10"),
                .pair("cash", "-2.000"),
            ]
        )
    }
}
