import Cache
import HTTPTypes
import Kernel
import Services

/// What an owner may see of the tenant's cache, and do to it.
struct CacheRoutes: Area {
    static let records: [any Record.Type] = []

    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        let access = Route.Access.roles(.owner, scope: .admin)
        let done = Schema.reference("Acknowledgement")
        return [
            Route(
                .get,
                "/v1/cache/stats",
                "readCacheStatistics",
                "What this instance's cache holds and did for the tenant",
                area: "cache",
                access: access,
                gives: Route.Output(answer: CacheReports.statistics)
            ) { call in
                let context = try call.context()
                return CacheReports.reply(shop.cache.statistics(context), shop.cache.health(), tenant: context.tenant)
            },
            Route(
                .get,
                "/v1/cache/explain",
                "explainCacheKey",
                "Where a key of the tenant would be answered from, and why; fills and refreshes nothing",
                area: "cache",
                access: access,
                takes: Route.Input(parameters: Query.parameters(of: Self.named)),
                gives: Route.Output(answer: CacheReports.explanation)
            ) { call in
                let (module, key) = try call.query(Self.named)
                return CacheReports.reply(await shop.cache.explain(module, key: key, try call.context()))
            },
            .post(
                "/v1/cache/invalidate",
                "invalidateCache",
                "Retire a module of the tenant on every instance",
                area: "cache",
                access: access,
                body: Body { ($0.choice("module", else: Module.products), $0.optionalText("key")) },
                answer: done
            ) { call, asked in
                let (module, key) = asked
                let consistency = try await shop.cache.invalidate(module, key: key, call.context())
                return .json { $0.object { $0.member("status", "ok") } }.with(consistency: consistency)
            },
            .post(
                "/v1/cache/clear",
                "clearCache",
                "Retire all that is cached of the tenant, on every instance",
                area: "cache",
                access: access,
                body: Body(isOptional: true) { _ in },
                answer: done
            ) { call, _ in
                let consistency = try await shop.cache.invalidate(nil, call.context())
                return .json { $0.object { $0.member("status", "ok") } }.with(consistency: consistency)
            },
            .post(
                "/v1/cache/test",
                "testCache",
                "Read, read again, retire, read: where each answer came from",
                area: "cache",
                access: access,
                body: Body(isOptional: true) { _ in },
                answer: .reference("CacheTest")
            ) { call, _ in
                Self.reply(try await shop.cache.test(call.context()))
            },
        ]
    }

    @Sendable private static func named(_ query: inout Query) -> (Module, String) {
        (query.requiredChoice("module", else: Module.products, "The key's module."), query.cacheKey("key"))
    }

    private static func reply(_ report: CacheService.TestReport) -> Reply {
        let reply = Reply.json { writer in
            writer.object { writer in
                writer.member("status", report.isGood ? "ok" : "failed")
                writer.member("usable", report.isUsable)
                writer.name("steps")
                writer.array { writer in
                    for step in report.steps {
                        writer.object { writer in
                            writer.member("step", step.name)
                            writer.member("cache_status", step.status)
                            writer.member("ok", step.isGood)
                        }
                    }
                }
            }
        }
        return reply.with(consistency: report.consistency)
    }
}

extension Query {
    /// The name of a cached answer behind its module, as it stands in Redis.
    fileprivate mutating func cacheKey(_ name: String) -> String {
        let description = "The key, as it stands in Redis behind the module."
        guard let key = text(name, description, isRequired: true) else { return "" }
        let isName = key.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "="),
                UInt8(ascii: "-"), UInt8(ascii: "%"), UInt8(ascii: ":"), UInt8(ascii: "*"):
                true
            default: false
            }
        }
        if !isName || key.hasPrefix("_") {
            fail(name, .format, "Must be of letters, digits and . _ = - % : *, and must not begin with _.")
        }
        return key
    }
}
