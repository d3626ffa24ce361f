/// The words of receipts in one language.
///
/// Each language names all of them, or it is not built.
struct ReceiptWords {
    /// What a sale's receipt is called, before its number.
    let receipt: String
    /// What a return's is called.
    let takenBack: String
    /// Before the number of the sale that a return is of.
    let ofReceipt: String
    let register: String
    let cashier: String
    let customer: String
    let taxNumber: String
    let phone: String
    let subtotal: String
    let discount: String
    /// A tax that the prices contain, before its name.
    let containedTax: String
    /// One that is added to them.
    let addedTax: String
    /// Between a tax and what it is of.
    let taxBase: String
    let total: String
    /// What the total was rounded by, as cash is counted in steps.
    let rounding: String
    let tip: String
    /// What was handed over.
    let tendered: String
    let change: String
    /// What is still to be paid.
    let due: String
    /// What was given back for what came back.
    let refund: String
    /// Behind a sale that was none.
    let cancelled: String
    /// Behind a payment that was given back.
    let reversed: String

    /// The words of a language.
    static func of(_ language: ReceiptLanguage) -> ReceiptWords {
        switch language {
        case .english: english
        case .spanish: spanish
        case .portuguese: portuguese
        case .german: german
        }
    }

    private static let english = ReceiptWords(
        receipt: "Receipt",
        takenBack: "Return",
        ofReceipt: "Of receipt",
        register: "Register",
        cashier: "Cashier",
        customer: "Customer",
        taxNumber: "Tax no.",
        phone: "Phone",
        subtotal: "Subtotal",
        discount: "Discount",
        containedTax: "Tax included",
        addedTax: "Tax",
        taxBase: "on",
        total: "Total",
        rounding: "Rounding",
        tip: "Tip",
        tendered: "Given",
        change: "Change",
        due: "Due",
        refund: "Refund",
        cancelled: "CANCELLED",
        reversed: "reversed"
    )

    private static let spanish = ReceiptWords(
        receipt: "Recibo",
        takenBack: "Devolución",
        ofReceipt: "Del recibo",
        register: "Caja",
        cashier: "Atendido por",
        customer: "Cliente",
        taxNumber: "N.º fiscal",
        phone: "Tel.",
        subtotal: "Subtotal",
        discount: "Descuento",
        containedTax: "Impuesto incluido",
        addedTax: "Impuesto",
        taxBase: "sobre",
        total: "Total",
        rounding: "Redondeo",
        tip: "Propina",
        tendered: "Entregado",
        change: "Cambio",
        due: "Pendiente",
        refund: "Reembolso",
        cancelled: "ANULADO",
        reversed: "revertido"
    )

    private static let portuguese = ReceiptWords(
        receipt: "Recibo",
        takenBack: "Devolução",
        ofReceipt: "Do recibo",
        register: "Caixa",
        cashier: "Atendido por",
        customer: "Cliente",
        taxNumber: "N.º fiscal",
        phone: "Tel.",
        subtotal: "Subtotal",
        discount: "Desconto",
        containedTax: "Imposto incluído",
        addedTax: "Imposto",
        taxBase: "sobre",
        total: "Total",
        rounding: "Arredondamento",
        tip: "Gorjeta",
        tendered: "Entregue",
        change: "Troco",
        due: "Em dívida",
        refund: "Reembolso",
        cancelled: "ANULADO",
        reversed: "estornado"
    )

    private static let german = ReceiptWords(
        receipt: "Beleg",
        takenBack: "Rückgabe",
        ofReceipt: "Zu Beleg",
        register: "Kasse",
        cashier: "Es bediente Sie",
        customer: "Kunde",
        taxNumber: "Steuernr.",
        phone: "Tel.",
        subtotal: "Zwischensumme",
        discount: "Rabatt",
        containedTax: "Enthaltene Steuer",
        addedTax: "Steuer",
        taxBase: "auf",
        total: "Summe",
        rounding: "Rundung",
        tip: "Trinkgeld",
        tendered: "Gegeben",
        change: "Rückgeld",
        due: "Offen",
        refund: "Erstattung",
        cancelled: "STORNIERT",
        reversed: "storniert"
    )
}
