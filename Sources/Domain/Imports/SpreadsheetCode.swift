/// What spreadsheets make of codes that they take for numbers.
///
/// Such a code is still a text, and often the same text for many things: it would be taken over as it is, and nothing would ever
/// find it by what is printed on the thing.
enum SpreadsheetCode {
    /// What a spreadsheet has made of a code, as the end of a sentence.
    ///
    /// - Parameter code: UTF-8, as it stands in the file.
    /// - Returns: the fault; nil for a code.
    static func fault(of code: [UInt8]) -> String? {
        // Most codes have neither apostrophe nor separator.
        let separator = code.firstIndex { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ",") }
        guard separator != nil || code.first == UInt8(ascii: "'") else { return nil }
        func isNumber(_ part: ArraySlice<UInt8>) -> Bool { part.allSatisfy { $0.digitValue != nil } }
        if code.first == UInt8(ascii: "'") {
            return code.count > 1 && isNumber(code.dropFirst())
                ? "the apostrophe is a spreadsheet's mark of text and no part of the code" : nil
        }
        guard let separator, separator > 0, isNumber(code[..<separator]) else { return nil }
        let decimals = code[(separator + 1)...]
        if let mark = decimals.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }), mark > separator + 1,
            isNumber(decimals[..<mark]), code.count > mark + 2, code[mark + 1] == UInt8(ascii: "+"),
            isNumber(code[(mark + 2)...])
        {
            return "a spreadsheet rounded this code to a number; its column must be text before it is filled"
        }
        if separator >= 6, !decimals.isEmpty, decimals.allSatisfy({ $0 == UInt8(ascii: "0") }) {
            return "the decimals are a spreadsheet's, which took the code for a number"
        }
        return nil
    }
}
