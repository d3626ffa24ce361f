import Kernel

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
}
