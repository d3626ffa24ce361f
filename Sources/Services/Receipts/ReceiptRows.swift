import Kernel

/// A row of a receipt, before it is known what it is printed on.
enum ReceiptRow: Equatable {
    /// The shop's name.
    case title(String)
    /// Lines in the middle: an address, a footer.
    case centred(String)
    /// That something was none.
    case notice(String)
    /// What it is, and a figure or nothing.
    case pair(String, String)
    /// The figure that it is all about.
    case total(String, String)
    /// What belongs to the row above.
    case detail(String, String)
    /// Between parts.
    case rule
}

/// A receipt in words: the one place that says what stands on it, in which order.
struct ReceiptRows {
    private(set) var rows: [ReceiptRow] = []
    /// What it is called: `Receipt 2985`.
    private(set) var title = ""
    /// Whose words these are.
    let language: ReceiptLanguage

    private let receipt: Receipt
    private let words: ReceiptWords
    private let numbers: NumberSeparators

    /// Puts a receipt into words.
    ///
    /// - Parameters:
    ///   - receipt: What it is made of.
    ///   - language: Whose words; the tenant's if nil.
    init(_ receipt: Receipt, in language: ReceiptLanguage?) {
        let locale = receipt.head.object("shop")?.text("locale") ?? ""
        let language = language ?? ReceiptLanguage(of: locale)
        self.receipt = receipt
        self.language = language
        words = .of(language)
        numbers = language.separators(in: locale)
        writeHead()
        rows.append(.rule)
        if receipt.isReturn { writeReturn() } else { writeSale() }
        if let footer = receipt.head.object("shop")?.text("receipt_footer") { rows += [.rule, .centred(footer)] }
    }

    // MARK: Parts

    private mutating func writeHead() {
        let (head, document) = (receipt.head, receipt.document)
        let (shop, place) = (head.object("shop"), head.object("location"))
        rows.append(.title(shop?.text("name") ?? ""))
        // Where it was sold; the shop's own address, if the place has none.
        if let address = place?.text("address") ?? shop?.text("address") { rows.append(.centred(address)) }
        if let number = shop?.text("tax_id") { rows.append(.centred("\(words.taxNumber) \(number)")) }
        if let phone = shop?.text("phone") { rows.append(.centred("\(words.phone) \(phone)")) }
        rows.append(.rule)
        title = "\(receipt.isReturn ? words.takenBack : words.receipt) \(document.text("number") ?? "")"
        rows.append(.pair(title, time(head.text("local_time") ?? "")))
        if let number = head.text("sale_number") { rows.append(.pair(words.ofReceipt, number)) }
        if let register = head.text("register") { rows.append(.pair(words.register, register)) }
        if let cashier = head.text("cashier") { rows.append(.pair(words.cashier, cashier)) }
        if let customer = head.object("customer") {
            rows.append(.pair(words.customer, customer.text("name") ?? ""))
            if let number = customer.text("tax_id") { rows.append(.pair(words.taxNumber, number)) }
        }
        if document.text("status") == "cancelled" { rows.append(.notice(words.cancelled)) }
    }

    private mutating func writeSale() {
        let sale = receipt.document
        for line in sale.objects("lines") { write(line) }
        rows.append(.rule)
        if !sale.money("discount").isZero {
            rows.append(.pair(words.subtotal, figure(sale, "subtotal")))
            rows.append(.pair(words.discount, negative(sale.text("discount") ?? "")))
        }
        let taxes = sale.objects("tax_breakdown").filter { $0.text("rate") != "0" || !$0.money("amount").isZero }
        let areContained = receipt.head.object("shop")?.isTrue("prices_include_tax") == true
        if !areContained { write(taxes, as: words.addedTax) }
        rows.append(.total("\(words.total) \(currency)", figure(sale, "total")))
        if areContained { write(taxes, as: words.containedTax) }
        if !sale.money("rounding").isZero { rows.append(.pair(words.rounding, figure(sale, "rounding"))) }
        for payment in sale.objects("payments") { write(payment: payment) }
        for back in sale.objects("returns") {
            let number = "\(words.takenBack) \(back.text("number") ?? "")"
            rows.append(.pair(number, negative(back.text("total") ?? "")))
        }
        if !sale.money("due").isZero { rows.append(.total(words.due, figure(sale, "due"))) }
    }

    private mutating func writeReturn() {
        let back = receipt.document
        for line in back.objects("lines") { write(line, amount: "amount") }
        rows.append(.rule)
        rows.append(.total("\(words.total) \(currency)", figure(back, "total")))
        if !back.money("rounding").isZero { rows.append(.pair(words.rounding, figure(back, "rounding"))) }
        for payment in back.objects("payments") { write(payment: payment, givesBack: true) }
        if back.objects("payments").isEmpty, !back.money("refund").isZero {
            rows.append(.pair(words.refund, figure(back, "refund")))
        }
    }

    /// What was sold: how much of it at which price, and what was let off.
    private mutating func write(_ line: Receipt.Row) {
        rows.append(.pair(line.text("name") ?? "", ""))
        let (total, discount) = (line.money("total"), line.money("discount"))
        // What quantity and price come to: before the discount, and before a tax that is added.
        let isTaxAdded = receipt.head.object("shop")?.isTrue("prices_include_tax") != true
        let tax = isTaxAdded ? line.money("tax") : .zero
        let gross = Money(rawValue: total.rawValue - tax.rawValue + discount.rawValue)
        let decimals = line.text("total")?.split(separator: ".").dropFirst().first?.count ?? 0
        rows.append(.detail(quantity(line), numbers.write(gross.text(minimumDecimals: decimals))))
        if !discount.isZero { rows.append(.detail(words.discount, negative(line.text("discount") ?? ""))) }
    }

    /// What came back, and what it was worth.
    private mutating func write(_ line: Receipt.Row, amount: String) {
        rows.append(.pair(line.text("name") ?? "", ""))
        rows.append(.detail(quantity(line), figure(line, amount)))
    }

    private mutating func write(_ taxes: [Receipt.Row], as word: String) {
        for tax in taxes {
            let name = "\(word) \(tax.text("name") ?? "") \(words.taxBase) \(figure(tax, "base"))"
            rows.append(.pair(name, figure(tax, "amount")))
        }
    }

    private mutating func write(payment: Receipt.Row, givesBack: Bool = false) {
        var name = receipt.methodName(payment.text("method") ?? "")
        if payment.text("status") == "reversed" { name += " (\(words.reversed))" }
        let isOut = givesBack || payment.text("direction") == "out"
        let paid = payment.text("amount") ?? ""
        rows.append(.pair(name, isOut ? negative(paid) : numbers.write(paid)))
        if !payment.money("tip").isZero { rows.append(.detail(words.tip, figure(payment, "tip"))) }
        if payment.text("tendered") != nil, !payment.money("change").isZero {
            rows.append(.detail(words.tendered, figure(payment, "tendered")))
            rows.append(.detail(words.change, figure(payment, "change")))
        }
    }

    // MARK: Figures

    private var currency: String { receipt.head.object("shop")?.text("currency") ?? "" }

    private func figure(_ row: Receipt.Row, _ name: String) -> String { numbers.write(row.text(name) ?? "") }

    private func negative(_ number: String) -> String {
        numbers.write(number.hasPrefix("-") ? String(number.dropFirst()) : "-\(number)")
    }

    /// How much at which price: `2 kg × 12.50`.
    private func quantity(_ line: Receipt.Row) -> String {
        "\(figure(line, "quantity")) \(line.text("unit") ?? "") \u{D7} \(figure(line, "unit_price"))"
    }

    /// Day and minute of a time without a zone, `2026-01-31T17:05:00`.
    private func time(_ text: String) -> String {
        let parts = text.split(separator: "T")
        guard parts.count == 2 else { return text }
        return "\(language.date(parts[0])) \(parts[1].prefix(5))"
    }
}
