import HTTPTypes
import Kernel
import Services

/// The tenant's own settings, and its registers.
struct TenantRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        return [
            Route.read(
                "/v1/tenant",
                "readTenant",
                "The tenant of the credential",
                area: "identity",
                access: .authenticated,
                answer: .reference("Tenant")
            ) { call, caller in
                try call.noQuery()
                return shop.tenants.get(caller)
            },
            Route(
                .patch,
                "/v1/tenant",
                "changeTenant",
                "Change the tenant's settings",
                area: "identity",
                access: .scope(.admin),
                needsMatch: true,
                body: .reference("TenantPatch"),
                answer: .reference("Tenant"),
                problems: [.invalidState, .inUse]
            ) { call in
                try call.noQuery()
                let expected = try call.expectedVersion()
                let patch = try await call.body { TenantPatch.read(&$0) }
                return try call.reply(await shop.tenants.update(patch, expected: expected, call.context()))
            },
            Route.read(
                "/v1/registers",
                "listRegisters",
                "Registers",
                area: "cash",
                access: .scope(.salesRead),
                answer: .page("Register")
            ) { call, caller in
                try call.noQuery()
                return shop.tenants.registers(caller)
            },
        ]
    }
}
