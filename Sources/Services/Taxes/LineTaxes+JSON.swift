import Domain
import Kernel
import Postgres

extension LineTaxes {
    /// Reads what `stock.group_taxes` gives.
    init(json text: String) throws(PostgresError) {
        guard case .array(let elements)? = try? JSONValue.parse([UInt8](text.utf8)) else { throw Self.unreadable }
        var taxes: [LineTax] = []
        var included: Bool?
        for element in elements {
            guard case .object(let tax) = element,
                case .string(let name)? = tax["name"],
                case .string(let kindText)? = tax["kind"], let kind = TaxKind(rawValue: kindText),
                case .string(let rateText)? = tax["rate"], let rate = try? Price(rateText),
                case .bool(let isCompound)? = tax["compound"]
            else { throw Self.unreadable }
            if case .bool(let value)? = tax["included"] { included = value }
            taxes.append(LineTax(name: name, kind: kind, rate: rate, isCompound: isCompound))
        }
        self.init(taxes, isIncluded: included)
    }

    private static var unreadable: PostgresError {
        PostgresError(.decoding, "a group of taxes is not what the database makes of one", outcome: .failed)
    }
}

extension LineTaxPart {
    /// Writes a part as a line keeps it, and as `stock.line_taxes` computes it.
    func write(to writer: inout JSONWriter, isIncluded: Bool, exponent: Int) {
        writer.beginObject()
        writer.member("name", tax.name)
        writer.member("kind", tax.kind.rawValue)
        writer.member("rate", tax.rate.text())
        writer.member("included", isIncluded)
        writer.member("compound", tax.isCompound)
        switch base {
        case .amount(let base): writer.member("base", base.text(minimumDecimals: exponent))
        case .quantity(let base): writer.member("base", base.text())
        }
        writer.member("amount", amount.text(minimumDecimals: exponent))
        writer.endObject()
    }
}

extension PricedCart {
    /// The parts of each line's tax as JSON, nil where a rate says it all; nothing where it does of every line.
    var taxParts: [String?] {
        guard priced.lines.contains(where: { $0.taxes != nil }) else { return [] }
        return zip(lines, priced.lines).map { line, priced in
            guard let parts = priced.taxes else { return nil }
            let isIncluded = line.product.taxes?.isIncluded ?? rules.pricesIncludeTax
            var writer = JSONWriter()
            writer.beginArray()
            for part in parts { part.write(to: &writer, isIncluded: isIncluded, exponent: Int(rules.exponent)) }
            writer.endArray()
            return String(decoding: writer.bytes, as: UTF8.self)
        }
    }
}
