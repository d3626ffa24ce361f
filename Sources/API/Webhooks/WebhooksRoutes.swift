import HTTPTypes
import Kernel
import Services

/// Endpoints to which events are sent.
struct WebhooksRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    private static let access = Route.Access.scope(.webhooksManage)
    private static let answer = Schema.reference("Webhook")

    var routes: [Route] {
        endpoints + [
            act(
                "rotate",
                "rotateWebhookSecret",
                "Give a webhook another secret, shown this once; for 24 hours both sign",
                .none
            ) {
                [webhooks = shop.webhooks] (id, _, context) throws(Problem) in try await webhooks.rotate(id, context)
            },
            act("test", "testWebhook", "Have a test sent, whose answer is among the deliveries", .none, [.invalidState])
            {
                [webhooks = shop.webhooks] (id, _, context) throws(Problem) in try await webhooks.test(id, context)
            },
            act(
                "redeliver",
                "redeliverWebhookEvent",
                "Have an event sent once more, with its own id",
                .event,
                [.invalidState]
            ) {
                [webhooks = shop.webhooks] (id, sequence, context) throws(Problem) in
                try await webhooks.redeliver(id, sequence, context)
            },
            act(
                "skip",
                "skipWebhookEvent",
                "Have an event not sent that waits or was set aside",
                .event,
                [.invalidState]
            ) {
                [webhooks = shop.webhooks] (id, sequence, context) throws(Problem) in
                try await webhooks.skip(id, sequence, context)
            },
            deliveries,
        ]
    }

    private var endpoints: [Route] {
        let (store, webhooks) = (shop.store, shop.webhooks)
        let rule = webhooks.rule
        return [
            Route(
                .get,
                "/v1/webhooks",
                "listWebhooks",
                "Webhooks with how far they are, the first made first",
                area: "webhooks",
                access: Self.access,
                gives: Route.Output(answer: .page(Self.answer))
            ) { call in
                let context = try call.context()
                return try await call.fresh(webhooks.all(context.caller), context, store)
            },
            .post(
                "/v1/webhooks",
                "createWebhook",
                "Have events sent to a server from now on; the secret that signs them is shown this once",
                area: "webhooks",
                access: Self.access,
                body: Body("WebhookRequest") { WebhookDraft.read(&$0, rule) },
                status: .created,
                answer: .reference("NewWebhook"),
                problems: [.invalidState]
            ) { call, draft in try call.reply(await webhooks.make(draft, call.context())) },
            .freshOne(
                "/v1/webhooks/{id}",
                "readWebhook",
                "One webhook with how far it is",
                area: "webhooks",
                access: Self.access,
                store: store,
                answer: Self.answer,
                givesTag: true
            ) { webhooks.one($0, $1) },
            .change(
                "/v1/webhooks/{id}",
                "changeWebhook",
                "Change a webhook; one that is on again goes on from where it was",
                area: "webhooks",
                access: Self.access,
                body: Body("WebhookPatch") { WebhookPatch.read(&$0, rule) },
                answer: Self.answer
            ) { (id, patch, expected, context) throws(Problem) in
                try await webhooks.change(id, patch, expected: expected, context)
            },
            .delete(
                "/v1/webhooks/{id}",
                "deleteWebhook",
                "Delete a webhook; what was not sent is not sent",
                area: "webhooks",
                access: Self.access
            ) { (id, expected, context) throws(Problem) in try await webhooks.delete(id, expected: expected, context) },
        ]
    }

    /// What an action is told: nothing, or the number of an event.
    private enum Told {
        case none
        case event

        var body: Body<Int64> {
            switch self {
            case .none: Body(isOptional: true) { _ in 0 }
            case .event: Body("WebhookEvent") { Int64($0.required("seq", else: 1, .integer(1...Int.max))) }
            }
        }
    }

    private func act(
        _ verb: String,
        _ name: String,
        _ summary: String,
        _ told: Told,
        _ problems: [Problem.Code] = [],
        _ run: @escaping @Sendable (WebhookID, Int64, CallContext) async throws(Problem) -> Answer
    ) -> Route {
        .action(
            "/v1/webhooks/{id}/\(verb)",
            name,
            summary,
            area: "webhooks",
            access: Self.access,
            key: nil,
            store: shop.store,
            body: told.body,
            answer: verb == "rotate" ? .reference("NewWebhook") : Self.answer,
            problems: problems
        ) { (id, sequence, context, _) throws(Problem) in try await run(id, sequence, context) }
    }

    private var deliveries: Route {
        let (store, webhooks) = (shop.store, shop.webhooks)
        let asked: @Sendable (inout Query) -> (WebhookDeliveryStatus?, Page) = {
            ($0.choice("status", "Of these alone."), $0.page())
        }
        return Route(
            .get,
            "/v1/webhooks/{id}/deliveries",
            "listWebhookDeliveries",
            "What was tried to send, and what came of it, the last first",
            area: "webhooks",
            access: Self.access,
            takes: Route.Input(parameters: Query.parameters(of: asked)),
            gives: Route.Output(answer: .page(.reference("WebhookDelivery")), problems: [.cursorMismatch])
        ) { call in
            let (status, page) = try call.query(asked)
            let context = try call.context()
            return try await call.fresh(webhooks.deliveries(call.id(), status, page, context.caller), context, store)
        }
    }
}
