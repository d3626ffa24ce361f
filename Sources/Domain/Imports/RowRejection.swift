import Kernel

/// A row of a file that was not taken over, and why.
package struct RowRejection: Error, Sendable, Equatable {
    /// What is wrong with a row, as programs read it.
    package enum Code: String, Sendable, CaseIterable {
        // What the file alone shows.
        case csvInvalid = "csv_invalid"
        case jsonInvalid = "json_invalid"
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
        case paymentExceedsDue = "payment_exceeds_due"
        case duplicate
        /// Another line of the same sale or return was refused: a document goes in whole or not at all.
        case documentRejected = "document_rejected"
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
}

extension RowRejection {
    /// A record that cannot be read.
    init(_ record: borrowing FileRecord, fault: FileRecord.Fault, limits: CSVLimits) {
        var code = Code.csvInvalid
        let reason: String
        switch fault {
        case .recordTooLong:
            reason = "the record is longer than \(limits.recordBytes) bytes"
        case .tooManyColumns:
            reason = "the record has more than \(limits.columns) fields"
        case .textAfterQuote(let column):
            reason = "field \(column + 1) goes on behind its closing quote; a quote inside quotes is written twice"
        case .unterminatedQuote(let column):
            reason = "the quote that opens field \(column + 1) is not closed"
        case .noJSON(let what):
            code = .jsonInvalid
            reason = what
        }
        self.init(line: record.line, code: code, reason: reason + record.span)
    }

    /// A record that has not as many fields as the header.
    init(_ record: borrowing FileRecord, width: Int) {
        let reason = "the row has \(record.count) fields, the header has \(width)"
        self.init(line: record.line, code: .columnCount, reason: reason + record.span)
    }
}

/// The faults of one row, collected so that all are told at once.
struct RowFaults {
    private var code: RowRejection.Code?
    private var reasons: [String] = []

    /// How many there are.
    var count: Int { reasons.count }

    mutating func add(_ code: RowRejection.Code, _ reason: String) {
        if self.code == nil { self.code = code }
        reasons.append(reason)
    }

    /// A field's text, trimmed and within its rule, empty if nobody sees anything of it; nil after its fault was noted.
    ///
    /// A code is held against what spreadsheets make of codes as well. The guard before what looks like a formula is taken off,
    /// unless the text stands where none is put.
    mutating func text(_ field: String, _ text: String, _ rule: TextRule, isGuarded: Bool = true) -> String? {
        if isGuarded, case .code = rule.kind, let fault = SpreadsheetCode.fault(of: Array(text.utf8)) {
            add(.valueInvalid, "\(field) holds \(excerpt(Array(text.utf8)[...])): \(fault)")
            return nil
        }
        switch rule.read(isGuarded ? FormulaGuard.unguarded(text) : text) {
        case .success(let text):
            // What is made of marks alone looks empty, and is. Hardly any begins with one.
            guard let first = text.unicodeScalars.first, Text.isInvisible(first) else { return text }
            return text.unicodeScalars.allSatisfy(Text.isInvisible) ? "" : text
        case .failure(let fault) where fault.code == .tooLong:
            add(.textTooLong, "\(field) is longer than \(rule.maximum) characters")
        case .failure(let fault):
            // A sentence about a field, without its subject and its stop.
            add(.valueInvalid, "\(field) \(fault.detail.prefix(1).lowercased())\(fault.detail.dropFirst().dropLast())")
        }
        return nil
    }

    /// One of the names of an enumeration, spelled as bodies spell it; nil after its fault was noted.
    mutating func oneOf<Value: RawRepresentable & CaseIterable>(_ field: String, _ text: String) -> Value?
    where Value.RawValue == String {
        if let value = Value(rawValue: text) { return value }
        let accepted = Value.allCases.map(\.rawValue).joined(separator: ", ")
        add(.valueInvalid, "\(field) is \(excerpt(Array(text.utf8)[...])); accepted: \(accepted)")
        return nil
    }

    /// The rejection of a record, if anything was found wrong with it.
    func rejection(of record: borrowing FileRecord) -> RowRejection? {
        guard let code else { return nil }
        return RowRejection(line: record.line, code: code, reason: reasons.joined(separator: "; ") + record.span)
    }
}

/// A field's text for a reason: quoted, cut where it grows long, and what is not seen or looks like a space named.
func excerpt(_ field: ArraySlice<UInt8>) -> String {
    let limit = 40
    let text = String(decoding: field.prefix(limit * 4), as: UTF8.self)
    var shown = ""
    for scalar in text.prefix(limit).unicodeScalars {
        if scalar != " ", Text.isControl(scalar) || scalar.properties.isWhitespace || Text.isInvisible(scalar) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            shown += "\\u{" + code + "}"
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return text.count > limit ? "'\(shown)...'" : "'\(shown)'"
}
