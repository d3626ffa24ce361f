import Domain
import Kernel
import Testing

@Suite("The limit of discounts")
struct DiscountRuleTests {
    private func sale(
        _ lines: [(quantity: String, list: String, price: String, discount: String)],
        discount: String = "0"
    ) throws -> (PricedSale, Money, [DiscountRule.ListedLine]) {
        let documentDiscount = try Money(discount)
        let priced = try PricedSale(
            lines: lines.map {
                LineToPrice(
                    quantity: try Quantity($0.quantity),
                    unitPrice: try Price($0.price),
                    discount: try Money($0.discount)
                )
            },
            documentDiscount: documentDiscount,
            rules: PricingRules(exponent: 2, pricesIncludeTax: true)
        )
        let listed = try lines.map {
            DiscountRule.ListedLine(price: try Price($0.list), quantity: try Quantity($0.quantity))
        }
        return (priced, documentDiscount, listed)
    }

    private func pointers(
        _ limit: String,
        _ lines: [(quantity: String, list: String, price: String, discount: String)],
        discount: String = "0"
    ) throws -> [String] {
        let (priced, documentDiscount, listed) = try self.sale(lines, discount: discount)
        return DiscountRule(limit: try Percent(limit), exponent: 2)
            .faults(in: priced, documentDiscount: documentDiscount, listed: listed)
            .map(\.pointer)
    }

    @Test("nothing off is within every limit, whatever rounding does to the amount")
    func listPrice() throws {
        for quantity in ["1", "0.333", "3.005", "0.001"] {
            #expect(try self.pointers("0", [(quantity, "1.005", "1.005", "0")]) == [])
            #expect(try self.pointers("0", [(quantity, "0", "7", "0")]) == [])
        }
    }

    @Test("the share is rounded as amounts are, half away from zero")
    func rounding() throws {
        #expect(try self.pointers("5", [("1", "0.10", "0.09", "0")]) == [], "half a cent is a cent")
        #expect(try self.pointers("4.99", [("1", "0.10", "0.09", "0")]) == ["/lines/0/unit_price"])
        #expect(try self.pointers("100", [("2", "10", "0", "0")]) == [])
    }

    @Test("each line is held by itself, and the discount on the whole against the whole")
    func lines() throws {
        let two = [("1", "10", "9", "0"), ("1", "10", "10", "1.01")]
        #expect(try self.pointers("10", two) == ["/lines/1/discount"])
        // A share of the whole may fall on one line more than on another: only the sum counts.
        let small = [("1", "0.05", "0.05", "0"), ("1", "0.05", "0.05", "0")]
        #expect(try self.pointers("10", small, discount: "0.01") == [])
        #expect(try self.pointers("10", [("1", "10", "9.5", "0")], discount: "0.51") == ["/discount"])
        #expect(try self.pointers("10", [("1", "10", "9.5", "0")], discount: "0.50") == [])
        #expect(try self.pointers("0", [("1", "10", "20", "0")], discount: "1") == ["/discount"])
    }

    @Test("a list price beyond what a sale can hold is still compared")
    func wide() throws {
        #expect(
            try self.pointers("10", [("100000000", "999999999999", "0.01", "0")]) == ["/lines/0/unit_price"]
        )
    }

    @Test(
        "what rounding gives to one line, a thousand lines do not get",
        arguments: [("5", "0.10", "0.09"), ("50", "0.01", "0")]
    )
    func manyRoundedLines(limit: String, list: String, price: String) throws {
        func lines(_ count: Int) -> [(quantity: String, list: String, price: String, discount: String)] {
            Array(repeating: ("1", list, price, "0"), count: count)
        }
        #expect(try self.pointers(limit, lines(1)) == [])
        #expect(try self.pointers(limit, lines(1_000)) == ["/lines"])
    }

    @Test("a till that rounds its share of every line is within the limit")
    func roundedByTheLine() throws {
        #expect(try self.pointers("5", Array(repeating: ("1", "0.99", "0.94", "0"), count: 40)) == [])
        #expect(try self.pointers("10", Array(repeating: ("1", "1.99", "1.99", "0.20"), count: 30)) == [])
    }

    @Test("quantities whose amounts round to nothing are worth together what they are", arguments: ["0", "10", "99"])
    func nothings(limit: String) throws {
        #expect(try self.pointers(limit, [("0.004", "1", "1", "0")]) == [])
        #expect(try self.pointers(limit, Array(repeating: ("0.004", "1", "1", "0"), count: 1_000)) == ["/lines"])
        let paid = [("4", "1", "1", "0")] + Array(repeating: ("0.004", "1", "1", "0"), count: 1_000)
        #expect(try self.pointers(limit, paid) == (limit == "99" ? [] : ["/lines"]))
        #expect(try self.pointers("100", paid) == [])
    }

    @Test("what something is paid for is not among what rounds to nothing, though its amount by the list does")
    func paidNothings() throws {
        let dearer = ("0.004", "1", "2", "0")
        #expect(try self.pointers("0", [dearer, dearer, ("0.004", "1", "1", "0")]) == [])
        #expect(try self.pointers("0", [dearer, ("0.004", "1", "1", "0"), ("0.004", "1", "1", "0")]) == ["/lines"])
    }
}
