/// In which form a receipt is asked for.
package enum ReceiptForm: Sendable, Equatable {
    /// What receipts are made of, as JSON: it has no words.
    case data
    /// Lines of text.
    case text(ReceiptStyle)
    /// A page to be printed.
    case page(ReceiptStyle)
}

/// How wide a receipt is, and whose words it is written in.
package struct ReceiptStyle: Sendable, Equatable {
    /// What a receipt is printed on.
    package enum Width: String, Sendable, CaseIterable {
        /// A roll of 58 mm.
        case narrowRoll = "58"
        /// A roll of 80 mm.
        case wideRoll = "80"
        /// A sheet of A4.
        case sheet = "a4"

        /// How many characters stand in a line of text: those of the usual font of such printers.
        var columns: Int {
            switch self {
            case .narrowRoll: 32
            case .wideRoll: 48
            case .sheet: 80
            }
        }
    }

    /// What it is printed on.
    package var width: Width
    /// The language; the tenant's if nil.
    package var language: ReceiptLanguage?

    /// Makes a style.
    package init(width: Width = .wideRoll, language: ReceiptLanguage? = nil) {
        self.width = width
        self.language = language
    }
}
