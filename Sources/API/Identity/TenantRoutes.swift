import HTTPTypes
import Kernel
import Services

/// The tenant's own settings.
struct TenantRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            .read(
                "/v1/tenant",
                "readTenant",
                "The tenant of the credential",
                area: "identity",
                access: .authenticated,
                answer: .reference("Tenant")
            ) { _, caller in shop.tenants.get(caller) },
            Route(
                .patch,
                "/v1/tenant",
                "changeTenant",
                "Change the tenant's settings",
                area: "identity",
                access: .scope(.admin),
                takes: Route.Input(body: Self.patch.schema, version: .matched),
                gives: Route.Output(answer: .reference("Tenant"), problems: [.invalidState, .inUse])
            ) { call in
                let expected = try call.expectedVersion()
                let patch = try await call.body(Self.patch)
                return try call.reply(await shop.tenants.update(patch, expected: expected, call.context()))
            },
        ]
    }

    private static let patch = Body("TenantPatch") { TenantPatch.read(&$0) }
}
