import Cache
import HTTPTypes
import Kernel
import NIOCore
import Services

/// The table of routes: every route there is, area by area.
enum Routes {
    /// The areas of the shop, in the order of the document: the one list that a new one is added to.
    static let areas: [any Area.Type] = [
        TenantRoutes.self,
        TaxesRoutes.self,
        CatalogRoutes.self,
        LocationsRoutes.self,
        StockRoutes.self,
        CountsRoutes.self,
        TransfersRoutes.self,
        SalesRoutes.self,
        ReturnsRoutes.self,
        ReceiptsRoutes.self,
        QuotesRoutes.self,
        PaymentsRoutes.self,
        CashRoutes.self,
        CustomersRoutes.self,
        SuppliersRoutes.self,
        PurchasesRoutes.self,
        PaymentMethodsRoutes.self,
        MoneyEntriesRoutes.self,
        BalanceRoutes.self,
        ReportsRoutes.self,
        EventsRoutes.self,
        ExportsRoutes.self,
        ImportsRoutes.self,
        WebhooksRoutes.self,
        CacheRoutes.self,
    ]

    /// Makes the table.
    ///
    /// - Parameters:
    ///   - shop: serves what is asked.
    ///   - tokens: signs what a login gives.
    ///   - rates: throttles logins.
    ///   - origins: the pages of other origins that may use the cookie of a session.
    ///   - health: tells how the instance is.
    ///   - version: the program's version, for the OpenAPI document.
    /// - Returns: all routes, the OpenAPI document of the others among them.
    static func all(
        shop: Shop,
        tokens: AccessTokens,
        rates: RateLimits,
        origins: CrossOrigin,
        health: HealthRoutes,
        version: String
    ) -> [Route] {
        var routes: [Route] = []
        routes += IdentityRoutes(shop: shop, tokens: tokens, rates: rates, origins: origins).routes
        for area in areas { routes += area.init(shop: shop).routes }
        routes += health.routes
        routes += explanations(of: routes)
        routes.append(openAPI(of: routes, version: version))
        return routes
    }

    /// The pages that the `type` of problems leads to.
    ///
    /// - Parameter routes: what answers with problems.
    /// - Returns: the list of codes, and the page of each.
    private static func explanations(of routes: [Route]) -> [Route] {
        let pages = ProblemPages(of: routes)
        let (index, list) = (ByteBuffer(bytes: pages.index), ByteBuffer(bytes: ProblemPages.json))
        return [
            Route(
                .get,
                "/problems",
                "explainProblems",
                "What the codes of problems mean, for people and for programs",
                area: "operations",
                access: .open,
                gives: Route.Output(answer: .text, type: .html, others: [(.json, ProblemPages.schema)])
            ) { call in
                let type = try call.answerType()
                return Reply(.ok, body: type == .json ? list : index, type: type)
            },
            Route(
                .get,
                "/problems/{code}",
                "explainProblem",
                "What one code means, what to do about it, and who answers with it, for people",
                area: "operations",
                access: .open,
                takes: Route.Input(segments: ["code": .choice(Problem.Code.allCases.map(\.rawValue))]),
                gives: Route.Output(answer: .text, type: .html)
            ) { call in
                guard let code = Problem.Code(rawValue: String(call.segments[0])) else { throw Problem.notFound }
                return Reply(.ok, body: ByteBuffer(bytes: pages[code]), type: .html)
            },
        ]
    }

    /// The route that describes all of them, itself included.
    ///
    /// - Parameters:
    ///   - routes: the table.
    ///   - version: the program's version.
    /// - Returns: the route.
    static func openAPI(of routes: [Route], version: String) -> Route {
        func route(_ handler: @escaping Route.Handler) -> Route {
            Route(
                .get,
                "/openapi.json",
                "openAPI",
                "This document",
                area: "operations",
                access: .open,
                gives: Route.Output(answer: .anyObject(description: "An OpenAPI 3.1 document."), type: .openAPI),
                handler: handler
            )
        }
        let described = routes + [route { _ in Reply(.noContent) }]
        let document = ByteBuffer(bytes: OpenAPIDocument.make(routes: described, version: version))
        return route { _ in Reply(.ok, body: document, type: .openAPI) }
    }
}
