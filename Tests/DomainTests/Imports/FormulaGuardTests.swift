import Testing

@testable import Domain

@Suite("Cells that begin like formulas")
struct FormulaGuardTests {
    @Test(
        "stand behind an apostrophe and come back as they were",
        arguments: ["", "=1+1", "+34", "-5", "@x", "\tx", "\rx", "'", "''", "'=x", "'Neil", "Ñ", "1", "'-'"]
    )
    func roundTrip(text: String) {
        let written = String(decoding: FormulaGuard.guarded(text.utf8), as: UTF8.self)
        #expect(FormulaGuard.unguarded(written) == text)
        #expect(!"=+-@\t\r".unicodeScalars.contains { $0 == written.unicodeScalars.first })
    }

    @Test("an apostrophe that guards nothing is a part of the text", arguments: ["'s-Hertogenbosch", "'Neil"])
    func apostrophe(text: String) {
        #expect(FormulaGuard.unguarded(text) == text)
    }

    @Test(
        "barcodes come back from their cell",
        arguments: [["4006381333931"], ["-1", "'2", "=3"], ["A B", "C"], ["[x]"], []]
    )
    func barcodes(codes: [String]) {
        let (read, areGuarded) = BarcodeCell.codes(of: BarcodeCell.text(of: codes))
        #expect(read.map { areGuarded ? FormulaGuard.unguarded($0) : $0 } == codes)
    }

    @Test("fields are quoted where they must be, and only there")
    func quoting() {
        var writer = CSVWriter()
        for field in ["a", "b,c", "d\"e", "f\ng", "", " h"] { writer.field(field.utf8) }
        writer.endRecord()
        #expect(String(decoding: writer.drain(), as: UTF8.self) == "a,\"b,c\",\"d\"\"e\",\"f\ng\",, h\r\n")
        #expect(writer.drain() == [])
    }
}
