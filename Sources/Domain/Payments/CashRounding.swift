package import Kernel

/// In what steps cash is counted: prices may be finer than the coins there are.
package struct CashRounding: Sendable, Hashable {
    /// What cash is a multiple of; zero where every amount can be paid.
    package let step: Money

    /// Every amount can be paid in cash.
    package static let none = CashRounding(step: .zero)

    /// Makes the rule.
    ///
    /// - Parameter step: What cash is a multiple of; zero or below where every amount can be paid.
    package init(step: Money) { self.step = step }

    /// What of an amount is paid in cash: the nearest multiple of the step, half away from zero.
    ///
    /// - Parameter amount: What is due; zero or more.
    /// - Returns: The multiple.
    /// - Throws: ``NumberError/outOfRange`` if no column holds it.
    package func rounded(_ amount: Money) throws(NumberError) -> Money {
        guard step.rawValue > 0 else { return amount }
        let steps = Rounding.divide(Int128(amount.rawValue), by: Int128(step.rawValue))
        return try Money(checking: steps * Int128(step.rawValue))
    }
}
