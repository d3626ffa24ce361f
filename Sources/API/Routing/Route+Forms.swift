import HTTPTypes
import Kernel
import Services

// The forms that routes have. What a route takes follows from its form and from what its readers ask for, so that neither a check
// nor the document can forget it.

extension Route {
    /// A GET that is answered from the cache, by what its query asks for.
    ///
    /// `query` reads what is asked for, and so says which parameters there are; `reading` says which read answers.
    static func read<Asked>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema? = nil,
        problems: [Problem.Code] = [],
        query: @escaping @Sendable (inout Query) -> Asked,
        reading: @escaping @Sendable (Asked, Caller) throws(Problem) -> CachedRead
    ) -> Route {
        Route(
            .get,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(parameters: Query.parameters(of: query)),
            gives: Route.Output(answer: answer, problems: problems),
            service: .read { call, caller in try reading(call.query(query), caller) }
        )
    }

    /// A list, by pages, from the cache.
    ///
    /// `answer` is the shape of its members, `query` reads what it may be narrowed to, `reading` says which read answers; `selecting`, if
    /// there is one, says the same of what is asked for by ids, and if `hasChanges`, by when it was changed.
    static func page<Filter>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema,
        query: @escaping @Sendable (inout Query) -> Filter,
        hasChanges: Bool = false,
        selecting: (@Sendable (Selected, Filter, Page, Caller) throws(Problem) -> CachedRead)? = nil,
        reading: @escaping @Sendable (Filter, Page, Caller) throws(Problem) -> CachedRead
    ) -> Route {
        .read(
            path,
            name,
            summary,
            area: area,
            access: access,
            answer: .page(answer),
            problems: [.cursorMismatch],
            query: { asked in
                (query(&asked), asked.page(), selecting == nil ? nil : asked.selected(hasChanges: hasChanges))
            },
            reading: { (asked, caller) throws(Problem) in
                if let selected = asked.2, let selecting {
                    return try selecting(selected, asked.0, asked.1, caller)
                }
                return try reading(asked.0, asked.1, caller)
            }
        )
    }

    /// A list of what belongs to one thing, by pages, from the cache; as ``page(_:_:_:area:access:answer:query:reading:)``.
    static func parts<Filter, Kind>(
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
            gives: Route.Output(answer: .page(answer), problems: [.cursorMismatch]),
            service: .read { call, caller in
                let (filter, page) = try call.query(asked)
                return try reading(try call.id(), filter, page, caller)
            }
        )
    }

    /// One thing, from the cache: `answer` is its shape, `reading` says which read answers.
    static func one<Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema,
        reading: @escaping @Sendable (ID<Kind>, Caller) -> CachedRead
    ) -> Route {
        .read(path, name, summary, area: area, access: access, answer: answer) { call, caller in
            reading(try call.id(), caller)
        }
    }

    /// One thing, from the cache, by what its query asks for; as ``one(_:_:_:area:access:answer:reading:)``.
    static func one<Asked, Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        answer: Schema,
        query: @escaping @Sendable (inout Query) -> Asked,
        reading: @escaping @Sendable (ID<Kind>, Asked, Caller) -> CachedRead
    ) -> Route {
        Route(
            .get,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(parameters: Query.parameters(of: query)),
            gives: Route.Output(answer: answer),
            service: .read { call, caller in
                let asked = try call.query(query)
                return reading(try call.id(), asked, caller)
            }
        )
    }

    /// One thing that is never cached, from the database; `givesTag` says whether it has the entity tag by which it is changed.
    static func freshOne<Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        store: Store,
        answer: Schema,
        givesTag: Bool = false,
        reading: @escaping @Sendable (ID<Kind>, Caller) -> CachedRead
    ) -> Route {
        Route(
            .get,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(),
            gives: Route.Output(answer: answer, givesTag: givesTag)
        ) { call in
            let context = try call.context()
            return try await call.fresh(reading(try call.id(), context.caller), context, store, isTagged: givesTag)
        }
    }

    /// A list that is never cached, by pages, from the database; as ``page(_:_:_:area:access:answer:query:reading:)``.
    static func freshPage<Filter>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        store: Store,
        answer: Schema,
        query: @escaping @Sendable (inout Query) -> Filter,
        reading: @escaping @Sendable (Filter, Page, Caller) throws(Problem) -> CachedRead
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
            gives: Route.Output(answer: .page(answer), problems: [.cursorMismatch])
        ) { call in
            let (filter, page) = try call.query(asked)
            let context = try call.context()
            return try await call.fresh(reading(filter, page, context.caller), context, store)
        }
    }

    /// A POST that is a command: done once for its key, its refusals kept beside it by the store.
    ///
    /// What is created has a place that success names, unless `namesResource` says otherwise, and an entity tag, unless `givesTag` does.
    static func command<Value: Sendable>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        key: KeyDemand,
        store: Store,
        body: Body<Value>,
        status: HTTPResponse.Status = .created,
        answer: Schema,
        namesResource: Bool? = nil,
        givesTag: Bool? = nil,
        problems: [Problem.Code] = [],
        run: @escaping @Sendable (Value, CallContext, IdempotencyKey?) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            .post,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(body: body.schema, key: key),
            gives: Route.Output(
                status: status,
                answer: answer,
                namesResource: namesResource,
                givesTag: givesTag,
                problems: problems
            )
        ) { call in
            let (value, key) = try await call.keyedBody(body, key)
            return try await call.command(store, key) { (context) throws(Problem) in
                try await run(value, context, key)
            }
        }
    }

    /// A POST that is a command to one thing: `/v1/sales/{id}/cancel`.
    ///
    /// With a key it is done once, its refusals kept beside the key by the store; without, doing it again is the same. It changes
    /// the thing, and answers it, unless `status` and `answer` say that it makes something; `givesTag` says whether the answer has
    /// an entity tag, as the thing itself has.
    static func action<Value: Sendable, Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        key: KeyDemand? = .required,
        store: Store,
        body: Body<Value>,
        status: HTTPResponse.Status = .ok,
        answer: Schema,
        givesTag: Bool = true,
        problems: [Problem.Code] = [],
        run: @escaping @Sendable (ID<Kind>, Value, CallContext, IdempotencyKey?) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            .post,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(body: body.schema, isBodyOptional: body.isOptional, key: key),
            gives: Route.Output(status: status, answer: answer, givesTag: givesTag, problems: problems)
        ) { call in
            guard let key else {
                let (id, value): (ID<Kind>, Value) = (try call.id(), try await call.body(body))
                return try call.reply(await run(id, value, call.context(), nil))
            }
            let (value, given) = try await call.keyedBody(body, key)
            let id: ID<Kind> = try call.id()
            return try await call.command(store, given) { (context) throws(Problem) in
                try await run(id, value, context, given)
            }
        }
    }

    /// A POST that does something else with its body.
    static func post<Value: Sendable>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        throttle: Throttle? = nil,
        body: Body<Value>,
        status: HTTPResponse.Status = .ok,
        answer: Schema? = nil,
        namesResource: Bool? = nil,
        setsCookie: Bool = false,
        problems: [Problem.Code] = [],
        serve: @escaping @Sendable (Call, Value) async throws -> Reply
    ) -> Route {
        Route(
            .post,
            path,
            name,
            summary,
            area: area,
            access: access,
            throttle: throttle,
            takes: Route.Input(body: body.schema, isBodyOptional: body.isOptional),
            gives: Route.Output(
                status: status,
                answer: answer,
                namesResource: namesResource,
                setsCookie: setsCookie,
                problems: problems
            )
        ) { call in try await serve(call, try await call.body(body)) }
    }

    /// A PATCH of one thing, whose version the client has read; `answer` is the thing as it is then.
    static func change<Value: Sendable, Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        body: Body<Value>,
        answer: Schema,
        problems: [Problem.Code] = [],
        run: @escaping @Sendable (ID<Kind>, Value, ExpectedVersion, CallContext) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            .patch,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(body: body.schema, version: .matched),
            gives: Route.Output(answer: answer, problems: problems)
        ) { call in
            let expected = try call.expectedVersion()
            let value = try await call.body(body)
            return try call.reply(await run(call.id(), value, expected, call.context()))
        }
    }

    /// A DELETE of one thing, whose version the client has read.
    static func delete<Kind>(
        _ path: String,
        _ name: String,
        _ summary: String,
        area: String,
        access: Access,
        problems: [Problem.Code] = [],
        run: @escaping @Sendable (ID<Kind>, ExpectedVersion, CallContext) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            .delete,
            path,
            name,
            summary,
            area: area,
            access: access,
            takes: Route.Input(version: .matched),
            gives: Route.Output(status: .noContent, problems: problems)
        ) { call in try call.reply(await run(call.id(), call.expectedVersion(), call.context())) }
    }
}
