import HTTPTypes
import Kernel
import Services

/// The routes of one kind of record: make, read, change, delete and list, the same for every kind.
///
/// What they are called follows from what the record is: `prices.list`, a "price list" under `/v1/price-lists`, is a `PriceList` of
/// the area `prices`, and several are `PriceLists`.
struct RecordRoutes<R: Record>: Sendable where R.Fields: RecordFields {
    /// Who may read them.
    let reading: Scope
    /// Who may write them.
    let writing: Scope
    /// When one may be deleted: `no document names`.
    let deletable: String
    /// What an answer holds beside id, fields, version and times: figures that follow from other records.
    var figures: [Schema.Member] = []
    /// What a change may be refused for, beside what every record's may.
    var changeProblems: [Problem.Code] = []

    /// What one is called in a sentence.
    private var noun: String { R.nounText }
    /// The words for several.
    private var several: [Substring] { R.collection.split(separator: "/").last?.split(separator: "-") ?? [] }
    /// The shape of a record, and the root of the names of its shapes and operations.
    private var schema: String { noun.split(separator: " ").map(Self.capitalized).joined() }
    /// The same of several.
    private var plural: String { several.map(Self.capitalized).joined() }
    /// The area it belongs to.
    private var area: String { String(R.name.prefix { $0 != "." }) }

    private static func capitalized(_ word: some StringProtocol) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }

    /// What one holds, as it is answered.
    var members: [Schema.Member] {
        [.required("id", .id)] + R.Fields.answered + figures + [
            .required("version", .version), .required("created_at", .time), .required("updated_at", .time),
        ]
    }

    /// The shape of one, as it is answered.
    var answer: Schema { .named(schema, .object(members)) }

    /// Makes the routes.
    ///
    /// - Parameters:
    ///   - records: Serves them.
    ///   - store: Keeps refusals.
    ///   - list: Makes the route of the list, of the shape of one.
    /// - Returns: The routes.
    func routes(_ records: Records<R>, _ store: Store, list: (Schema) -> Route) -> [Route] {
        let (collection, one) = (R.collection, R.collection + "/{id}")
        let (reads, writes) = (Route.Access.scope(reading), Route.Access.scope(writing))
        return [
            list(answer),
            .command(
                collection,
                "create\(schema)",
                "Make a \(noun)",
                area: self.area,
                access: writes,
                key: .accepted,
                store: store,
                body: Body("\(schema)Request", R.Fields.made),
                answer: self.answer,
                problems: [.duplicate]
            ) { (fields, context, key) throws(Problem) in try await records.create(fields, context, key: key) },
            .one(one, "read\(schema)", "One \(noun)", area: self.area, access: reads, answer: self.answer) {
                records.one($0, $1)
            },
            .change(
                one,
                "change\(schema)",
                "Change a \(noun)",
                area: self.area,
                access: writes,
                body: Body("\(schema)Patch", R.Fields.changed),
                answer: self.answer,
                problems: [.duplicate] + changeProblems
            ) { (id, fields, expected, context) throws(Problem) in
                try await records.change(id, fields, expected: expected, context)
            },
            .delete(
                one,
                "delete\(schema)",
                "Delete a \(noun) \(deletable)",
                area: self.area,
                access: writes,
                problems: [.inUse]
            ) { (id, expected, context) throws(Problem) in
                try await records.delete(id, expected: expected, context)
            },
        ]
    }
}

extension RecordRoutes where R: ListedByName {
    /// Makes the routes, with a list by name.
    ///
    /// - Parameters:
    ///   - records: Serves them.
    ///   - store: Keeps refusals.
    /// - Returns: The routes.
    func routes(_ records: Records<R>, _ store: Store) -> [Route] {
        routes(records, store) { answer in
            .page(
                R.collection,
                "list\(plural)",
                "\(Self.capitalized(several.joined(separator: " "))), by name",
                area: area,
                access: .scope(reading),
                answer: answer,
                query: { _ in },
                hasChanges: true,
                selecting: { (selected, _, page, caller) throws(Problem) in
                    try records.list(selected, page, caller)
                },
                reading: { (_, page, caller) throws(Problem) in try records.list(page, caller) }
            )
        }
    }
}
