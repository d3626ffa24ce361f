import Cache
import HTTPTypes
import Kernel
import Services

/// What an owner may see of the tenant's cache, and do to it.
struct CacheRoutes {
    let shop: Shop

    var routes: [Route] {
        let shop = self.shop
        let access = Route.Access.roles(.owner, scope: .admin)
        let done = Schema.object([.required("status", .choice(["ok"]))])
        return [
            Route(
                .get,
                "/v1/cache/stats",
                "readCacheStatistics",
                "What this instance's cache holds and did for the tenant",
                area: "cache",
                access: access,
                answer: .anyObject(description: "The numbers of each module.")
            ) { call in
                try call.noQuery()
                return Self.reply(shop.cache.statistics(try call.context()))
            },
            Route(
                .post,
                "/v1/cache/invalidate",
                "invalidateCache",
                "Retire a module of the tenant on every instance",
                area: "cache",
                access: access,
                body: .object([
                    .required("module", .choice(Module.allCases.map(\.rawValue))), .optional("key", .text),
                ]),
                answer: done
            ) { call in
                try call.noQuery()
                let (module, key) = try await call.body { reader in
                    (reader.choice("module", else: Module.products), reader.optionalText("key"))
                }
                try await shop.cache.invalidate(module, key: key, call.context())
                return .json { $0.object { $0.member("status", "ok") } }
            },
            Route(
                .post,
                "/v1/cache/clear",
                "clearCache",
                "Retire all that is cached of the tenant, on every instance",
                area: "cache",
                access: access,
                answer: done
            ) { call in
                try call.noQuery()
                _ = try await call.optionalBody { _ in true }
                try await shop.cache.invalidate(nil, call.context())
                return .json { $0.object { $0.member("status", "ok") } }
            },
            Route(
                .post,
                "/v1/cache/test",
                "testCache",
                "Read, read again, retire, read: where each answer came from",
                area: "cache",
                access: access,
                answer: .anyObject(description: "status, usable and the steps.")
            ) { call in
                try call.noQuery()
                _ = try await call.optionalBody { _ in true }
                return Self.reply(try await shop.cache.test(call.context()))
            },
        ]
    }

    private static func reply(_ statistics: CacheStatistics) -> Reply {
        .json { writer in
            writer.object { writer in
                writer.member("tenant", Int(statistics.tenant))
                writer.name("modules")
                writer.array { writer in
                    for module in statistics.modules {
                        writer.object { writer in
                            writer.member("module", module.module.rawValue)
                            writer.member("l1_hits", Int(clamping: module.l1Hits))
                            writer.member("l2_hits", Int(clamping: module.l2Hits))
                            writer.member("misses", Int(clamping: module.misses))
                            writer.member("bypasses", Int(clamping: module.bypasses))
                            writer.member("entries", module.entries)
                            writer.member("bytes", module.bytes)
                            writer.member("evictions", Int(clamping: module.evictions))
                            writer.member("refused_stores", Int(clamping: module.refusedStores))
                            writer.member("version", Int(clamping: module.version))
                        }
                    }
                }
            }
        }
    }

    private static func reply(_ report: CacheService.TestReport) -> Reply {
        .json { writer in
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
    }
}
