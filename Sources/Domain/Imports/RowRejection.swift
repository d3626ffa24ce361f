import Kernel

/// A row of a file that was not taken over, and why.
package struct RowRejection: Error, Sendable, Equatable {
    /// What is wrong with a row, as programs read it.
    package enum Code: String, Sendable, CaseIterable {
        // What the file alone shows.
        case csvInvalid = "csv_invalid"
        case columnCount = "column_count"
        case encodingInvalid = "encoding_invalid"
        case textTooLong = "text_too_long"
        case saleMissing = "sale_missing"
        case skuMissing = "sku_missing"
        case nameMissing = "name_missing"
        case quantityInvalid = "quantity_invalid"
        case quantityZero = "quantity_zero"
        case priceInvalid = "price_invalid"
        case priceNegative = "price_negative"
        case returnWithoutPrice = "return_without_price"
        case timeInvalid = "time_invalid"
        case amountTooLarge = "amount_too_large"
        case valueInvalid = "value_invalid"
        // What shows against the tenant's data.
        case skuUnknown = "sku_unknown"
        case unitUnknown = "unit_unknown"
        case categoryUnknown = "category_unknown"
        case productInactive = "product_inactive"
        case quantityPrecision = "quantity_precision"
        case timeInFuture = "time_in_future"
        case periodClosed = "period_closed"
        case insufficientStock = "insufficient_stock"
        case duplicate
    }

    /// The line of the file the row begins at.
    package var line: Int
    /// The first thing found wrong; rejected rows are counted by it.
    package var code: Code
    /// Everything found wrong, as sentences for people: the field, what it holds, what is accepted.
    package var reason: String

    package init(line: Int, code: Code, reason: String) {
        self.line = line
        self.code = code
        self.reason = reason
    }

    /// The row as a record of `FILE.rejected.csv`, its line break included.
    package var csv: String {
        var field = reason
        if reason.contains(where: { $0 == "\"" || $0 == "," || $0.isNewline }) {
            let parts = reason.split(separator: "\"", omittingEmptySubsequences: false)
            field = "\"" + parts.joined(separator: "\"\"") + "\""
        }
        return "\(line),\(code.rawValue),\(field)\r\n"
    }

    /// The first record of `FILE.rejected.csv`.
    package static let csvHeader = "line,code,reason\r\n"
}

extension RowRejection {
    init(line: Int, fault: CSVRecord.Fault, limits: CSVLimits) {
        let reason =
            switch fault {
            case .recordTooLong:
                "the record is longer than \(limits.recordBytes) bytes"
            case .fieldTooLong(let column):
                "field \(column + 1) is longer than \(limits.fieldBytes) bytes"
            case .tooManyColumns:
                "the record has more than \(limits.columns) fields"
            case .textAfterQuote(let column):
                "field \(column + 1) goes on behind its closing quote; a quote inside quotes is written twice"
            case .unterminatedQuote:
                "a quote is opened and never closed"
            }
        self.init(line: line, code: .csvInvalid, reason: reason)
    }
}

/// The faults of one row, collected so that all are told at once.
struct RowFaults {
    private var code: RowRejection.Code?
    private var reasons: [String] = []

    mutating func add(_ code: RowRejection.Code, _ reason: String) {
        if self.code == nil { self.code = code }
        reasons.append(reason)
    }

    /// A field's text, trimmed and within its rule; nil after its fault was noted.
    mutating func text(_ field: String, _ text: String, _ rule: TextRule) -> String? {
        switch rule.read(text) {
        case .success(let text):
            return text
        case .failure(let fault) where fault.code == "too_long":
            add(.textTooLong, "\(field) is longer than \(rule.maximum) characters")
        case .failure:
            add(.valueInvalid, "\(field) holds control characters")
        }
        return nil
    }

    func rejection(line: Int) -> RowRejection? {
        code.map { RowRejection(line: line, code: $0, reason: reasons.joined(separator: "; ")) }
    }
}

/// A field's text for a reason: quoted, and cut where it grows long.
func excerpt(_ field: ArraySlice<UInt8>) -> String {
    let limit = 40
    let text = String(decoding: field.prefix(limit * 4), as: UTF8.self)
    let shown = text.prefix(limit).filter { $0 != "\0" && !$0.isNewline }
    return shown.count < text.count ? "'\(shown)...'" : "'\(shown)'"
}
