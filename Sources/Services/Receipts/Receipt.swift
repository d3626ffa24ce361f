import Kernel

/// What a receipt is made of, read from the body that the database made: texts and figures as they stand there.
struct Receipt {
    /// A row of a list: its texts by name.
    typealias Row = JSONObject

    /// The head: shop, place, register, who sold to whom, when.
    let head: JSONObject
    /// The sale, or the return.
    let document: JSONObject
    /// Whether it is a return.
    let isReturn: Bool

    /// Reads a body.
    ///
    /// - Parameter bytes: What `stock.sale_receipt` or `stock.return_receipt` made.
    /// - Throws: `internal_error` if it is something else, which is a defect.
    init(_ bytes: [UInt8]) throws(Problem) {
        guard case .object(let head) = try? JSONValue.parse(bytes),
            let document = head.object("sale") ?? head.object("return")
        else { throw Problem(.internalError, "A receipt has no document.") }
        self.head = head
        self.document = document
        isReturn = head.object("sale") == nil
    }

    /// What a payment method is called; its code if it is gone.
    func methodName(_ code: String) -> String {
        head.objects("methods").first { $0.text("code") == code }?.text("name") ?? code
    }
}

extension JSONObject {
    /// A text, or the digits of a number; nil for anything else.
    func text(_ name: String) -> String? {
        switch self[name] {
        case .string(let text), .number(let text): text
        default: nil
        }
    }

    /// An amount, read exactly; nothing for what is none.
    func money(_ name: String) -> Money { text(name).flatMap { try? Money($0) } ?? .zero }

    /// Whether a member is true.
    func isTrue(_ name: String) -> Bool { self[name] == .bool(true) }

    /// An object.
    func object(_ name: String) -> JSONObject? {
        guard case .object(let object)? = self[name] else { return nil }
        return object
    }

    /// The objects of an array.
    func objects(_ name: String) -> [JSONObject] {
        guard case .array(let members)? = self[name] else { return [] }
        return members.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }
}
