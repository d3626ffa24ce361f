import HTTPTypes
import Kernel
import Services

extension Schema {
    /// A page of a list below figures of its own.
    static func page(_ head: [Member], _ member: Schema) -> Schema {
        .object(head + [.required("data", .array(member)), .required("next_cursor", .nullable(.text))])
    }
}

extension Route {
    /// A list below figures of its own, by pages, from the cache; as ``page(_:_:_:area:access:answer:query:reading:)``.
    static func headed<Filter>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema,
        query: @escaping @Sendable (inout Query) -> Filter,
        reading: @escaping @Sendable (Filter, Page, Caller) throws(Problem) -> CachedRead
    ) -> Route {
        .read(
            path,
            name,
            summary,
            area: area,
            access: access,
            answer: answer,
            problems: [.cursorMismatch],
            query: { (query(&$0), $0.page()) },
            reading: { (asked, caller) throws(Problem) in try reading(asked.0, asked.1, caller) }
        )
    }

    /// The same of what belongs to one thing.
    static func headedParts<Filter, Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema,
        query: @escaping @Sendable (inout Query) -> Filter,
        reading: @escaping @Sendable (ID<Kind>, Filter, Page, Caller) throws(Problem) -> CachedRead
    ) -> Route {
        let asked: @Sendable (inout Query) -> (Filter, Page) = { (query(&$0), $0.page()) }
        return Route(
            .get,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(parameters: Query.parameters(of: asked)),
            gives: Route.Output(answer: answer, problems: [.cursorMismatch]),
            service: .read { call, caller in
                let (filter, page) = try call.query(asked)
                return try reading(try call.id(), filter, page, caller)
            }
        )
    }
}
