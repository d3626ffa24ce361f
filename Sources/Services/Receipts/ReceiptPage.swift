/// A receipt as a page of HTML, to be printed.
///
/// No script, no picture, nothing from elsewhere: whoever serves it may forbid all of that but the one style.
package enum ReceiptPage {
    /// The style of all receipts, the same to the byte, so that its digest can be allowed.
    package static let style = """
        body{margin:0 auto;font:12px/1.35 sans-serif;color:#000;background:#fff;overflow-wrap:anywhere}
        .w58{width:48mm}.w80{width:72mm}.wa4{width:170mm;font-size:11pt;page:sheet}
        h1{font-size:1.3em;margin:.3em 0;text-align:center}
        p{margin:.1em 0}.c{text-align:center;white-space:pre-line}
        .n{text-align:center;font-weight:bold;font-size:1.3em}
        .r{display:flex;justify-content:space-between;gap:1em}
        .r span+span{white-space:nowrap;font-variant-numeric:tabular-nums}
        .d{padding-left:1em}.t{font-weight:bold;font-size:1.15em}
        hr{border:0;border-top:1px dashed #000}
        @page{margin:0}@page sheet{size:A4;margin:15mm}
        """

    /// Writes a receipt.
    ///
    /// - Parameters:
    ///   - receipt: The receipt in words.
    ///   - width: What it is printed on.
    /// - Returns: A page that is complete.
    static func write(_ receipt: ReceiptRows, width: ReceiptStyle.Width) -> String {
        var page = """
            <!DOCTYPE html>
            <html lang="\(receipt.language.rawValue)">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>\(escaped(receipt.title))</title>
            <style>\(style)</style>
            </head>
            <body class="w\(width.rawValue)">

            """
        for row in receipt.rows { page += markup(of: row) + "\n" }
        return page + "</body>\n</html>\n"
    }

    private static func markup(of row: ReceiptRow) -> String {
        switch row {
        case .title(let text): "<h1>\(escaped(text))</h1>"
        case .centred(let text): "<p class=\"c\">\(escaped(text))</p>"
        case .notice(let text): "<p class=\"n\">\(escaped(text))</p>"
        case .pair(let left, let right): pair("r", left, right)
        case .total(let left, let right): pair("r t", left, right)
        case .detail(let left, let right): pair("r d", left, right)
        case .rule: "<hr>"
        }
    }

    private static func pair(_ style: String, _ left: String, _ right: String) -> String {
        "<p class=\"\(style)\"><span>\(escaped(left))</span><span>\(escaped(right))</span></p>"
    }

    /// A text as it may stand in an element or a quoted attribute.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
