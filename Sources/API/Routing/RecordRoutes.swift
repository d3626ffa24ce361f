import HTTPTypes
import Kernel
import Services

/// The routes of one kind of record: make, read, change, delete and list, the same for every kind.
struct RecordRoutes<R: Record>: Sendable where R.Fields: RecordFields {
    /// The shape of a record, and the root of the names of its shapes and operations: `Customer`.
    let schema: String
    /// The same of several: `Customers`.
    let plural: String
    /// What one is called in a sentence: `customer`.
    let noun: String
    /// The area it belongs to.
    let area: String
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

    /// The shape of one, as it is answered.
    var answer: Schema {
        .named(
            self.schema,
            .object(
                [.required("id", .id)] + R.Fields.answered + self.figures + [
                    .required("version", .version), .required("created_at", .time), .required("updated_at", .time),
                ]
            )
        )
    }

    /// Makes the routes.
    ///
    /// - Parameters:
    ///   - records: Serves them.
    ///   - store: Keeps refusals.
    ///   - list: Makes the route of the list, where it can be narrowed; by name and whole if nil.
    /// - Returns: The routes.
    func routes(_ records: Records<R>, _ store: Store, list: ((Schema) -> Route)? = nil) -> [Route] {
        let (collection, one) = (R.collection, R.collection + "/{id}")
        let (reads, writes) = (Route.Access.scope(self.reading), Route.Access.scope(self.writing))
        return [
            list?(self.answer)
                ?? .page(
                    collection,
                    "list\(self.plural)",
                    "\(self.plural), by name",
                    area: self.area,
                    access: reads,
                    answer: self.answer,
                    query: { _ in },
                    reading: { (_, page, caller) throws(Problem) in try records.list(page, caller) }
                ),
            .command(
                collection,
                "create\(self.schema)",
                "Make a \(self.noun)",
                area: self.area,
                access: writes,
                key: .accepted,
                store: store,
                body: Body("\(self.schema)Request", R.Fields.made),
                answer: self.answer,
                problems: [.duplicate]
            ) { (fields, context, key) throws(Problem) in try await records.create(fields, context, key: key) },
            .one(one, "read\(self.schema)", "One \(self.noun)", area: self.area, access: reads, answer: self.answer) {
                records.one($0, $1)
            },
            .change(
                one,
                "change\(self.schema)",
                "Change a \(self.noun)",
                area: self.area,
                access: writes,
                body: Body("\(self.schema)Patch", R.Fields.changed),
                answer: self.answer,
                problems: [.duplicate] + self.changeProblems
            ) { (id, fields, expected, context) throws(Problem) in
                try await records.change(id, fields, expected: expected, context)
            },
            .delete(
                one,
                "delete\(self.schema)",
                "Delete a \(self.noun) \(self.deletable)",
                area: self.area,
                access: writes,
                problems: [.inUse]
            ) { (id, expected, context) throws(Problem) in
                try await records.delete(id, expected: expected, context)
            },
        ]
    }
}
