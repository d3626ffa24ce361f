import Kernel
import Services

/// The shapes of reports.
enum ReportSchemas {
    private typealias Field = Schema.Member

    /// What is due by age, in days behind the day it was due.
    static let ages: [Schema.Member] = [
        .required("current", .money), .required("days_1_30", .money), .required("days_31_60", .money),
        .required("days_61_90", .money), .required("days_over_90", .money), .required("total", .money),
    ]

    /// What a customer owes by age.
    static let ageing = Schema.named(
        "CustomerAgeing",
        .object(
            [.required("customer_id", .id), .required("date", .day), .required("currency", .text)] + ages
        )
    )

    /// What changed a customer's balance.
    static let statement = Schema.named(
        "CustomerStatement",
        .page(
            [
                .required("customer_id", .id), .required("from", .nullable(.day)), .required("to", .nullable(.day)),
                .required("currency", .text), .required("opening", .money), .required("closing", .money),
            ],
            .named("StatementEntry", statementEntry)
        )
    )
    private static let statementEntry = Schema.object([
        Field.required("type", .choice(["sale", "return", "payment", "refund", "reversal", "cancellation"])),
        Field.required("id", .id), Field.required("number", .nullable(.integer(minimum: 1))),
        Field.required("sale_id", .nullable(.id)), Field.required("method", .nullable(Schemas.method)),
        Field.required("occurred_at", .time), Field.required("business_day", .day), Field.required("change", .money),
        Field.required("balance", .money),
    ])

    /// Who owes what, below what is owed in all.
    static let receivables = Schema.named(
        "Receivables",
        .page(
            [Field.required("date", .day), .required("currency", .text)] + ages
                + [.required("without_customer", .money)],
            .named(
                "CustomerDebt",
                .object([Field.required("customer_id", .id), .required("name", .text)] + ages)
            )
        )
    )

    /// Whom we owe what, below what we owe in all.
    static let payables = Schema.named(
        "Payables",
        .page(
            [Field.required("date", .day), .required("currency", .text)] + ages,
            .named(
                "SupplierDebt",
                .object([Field.required("supplier_id", .id), .required("name", .text)] + ages)
            )
        )
    )

    private static let percent = Schema.nullable(
        .pattern(#"^-?\d{1,20}\.\d{2}$"#, description: "Percent of the revenue; null if there is none.")
    )
    private static let range: [Schema.Member] = [
        .required("from", .day), .required("to", .day), .required("currency", .text),
    ]
    private static let earned: [Schema.Member] = [
        .required("revenue", .money), .required("cost", .money), .required("margin", .money),
        .required("margin_percent", percent),
    ]

    /// What sold most.
    static let topProducts = Schema.named(
        "TopProducts",
        .object(
            range + [
                .required("by", .choice(TopRank.allCases.map(\.rawValue))),
                .required(
                    "data",
                    .array(
                        .named(
                            "TopProduct",
                            .object(
                                [
                                    Field.required("product_id", .id), .required("sku", .nullable(.text)),
                                    .required("name", .text), .required("quantity", .quantity),
                                    .required("returned", .quantity),
                                ] + earned
                            )
                        )
                    )
                ),
            ]
        )
    )

    /// What was left of what came in.
    static let margins = Schema.named(
        "Margins",
        .object(
            range + earned + [
                .required(
                    "data",
                    .array(
                        .named(
                            "CategoryMargin",
                            .object(
                                [
                                    Field.required("category_id", .nullable(.id)),
                                    .required("name", .nullable(.text)),
                                ] + earned
                            )
                        )
                    )
                )
            ]
        )
    )

    /// What was sold by tax.
    static let taxes = Schema.named(
        "TaxReport",
        .object(range + [.required("payable", .money), .required("data", .array(.named("TaxReportLine", taxLine)))])
    )
    private static let taxLine = Schema.object([
        Field.required("name", .text), .required("kind", .choice(["percent", "amount_per_unit"])),
        .required("rate", .price), .required("base", .taxBase), .required("amount", .money),
        .required("deducted_base", .taxBase), .required("deducted_amount", .money), .required("payable", .money),
    ])

    /// What stock is worth.
    static let stockValue = Schema.named(
        "StockValue",
        .object([
            Field.required("date", .day), .required("currency", .text), .required("since", .nullable(.day)),
            .required("value", .nullable(.money)),
        ])
    )

    /// What is not sold any more.
    static let deadStock = Schema.named(
        "DeadStock",
        .page(
            [.required("sold_before", .day), .required("currency", .text)],
            .named(
                "UnsoldProduct",
                .object([
                    Field.required("product_id", .id), .required("sku", .nullable(.text)), .required("name", .text),
                    .required("on_hand", .quantity), .required("cost", .price), .required("value", .money),
                    .required("last_sold_on", .nullable(.day)),
                ])
            )
        )
    )
}
