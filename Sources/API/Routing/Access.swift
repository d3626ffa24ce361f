import Domain
import Kernel

extension Route.Access {
    /// The roles that have a scope, and the keys that carry it.
    static func scope(_ scope: Scope) -> Route.Access {
        .members(Set(Role.allCases.filter { $0.scopes.contains(scope) }), scope: scope)
    }

    /// These roles alone; keys only with the scope, if one is given.
    static func roles(_ roles: Role..., scope: Scope? = nil) -> Route.Access {
        .members(Set(roles), scope: scope)
    }
}
