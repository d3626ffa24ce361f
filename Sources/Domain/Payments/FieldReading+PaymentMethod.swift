package import Kernel

extension FieldReading where Value == PaymentMethodCode {
    /// The code of a payment method, by its shape: which ones a tenant has is its own.
    package static var paymentMethod: FieldReading {
        let schema = Schema.pattern(
            PaymentMethodCode.pattern,
            description: "The code of a payment method; every shop begins with cash, card and transfer."
        )
        return FieldReading<String>.string.described(as: schema).map { text in
            PaymentMethodCode(rawValue: text).map { .success($0) }
                ?? .failure(ReadingFault(.format, PaymentMethodCode.rule))
        }
    }
}
