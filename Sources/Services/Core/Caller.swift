package import Cache
package import Kernel

/// Who asks.
///
/// A member of a tenant, or one of its API keys. The tenant comes from the credential alone.
package struct Caller: Sendable, Equatable {
    /// Whose data is asked for.
    package var tenant: TenantID

    /// The member, unless an API key asks.
    package var user: UserID?

    /// The API key, unless a member asks.
    package var apiKey: APIKeyID?

    /// The session the member came with.
    package var session: SessionID?

    /// The member's role; `nil` for an API key.
    package var role: Role?

    /// What the caller may do.
    package var scopes: Set<Scope>

    /// Where the caller works.
    package var workplaces: Workplaces

    /// The name the audit log shows.
    package var name: String

    /// When the API key ends; `nil` where none does, and for a session, whose token says it.
    package var expiresAt: Timestamp?

    /// Makes a caller.
    package init(
        tenant: TenantID,
        user: UserID? = nil,
        apiKey: APIKeyID? = nil,
        session: SessionID? = nil,
        role: Role? = nil,
        scopes: Set<Scope>,
        workplaces: Workplaces = .everywhere,
        name: String,
        expiresAt: Timestamp? = nil
    ) {
        self.tenant = tenant
        self.user = user
        self.apiKey = apiKey
        self.session = session
        self.role = role
        self.scopes = scopes
        self.workplaces = workplaces
        self.name = name
        self.expiresAt = expiresAt
    }

    /// Whether the caller may do something.
    package func may(_ scope: Scope) -> Bool { scopes.contains(scope) }
}

/// Where a request came from, as log lines and the audit tell it.
package struct Origin: Sendable, Equatable {
    /// The id answered in `X-Request-Id`.
    package var requestID: String

    /// The client's address; `nil` for the command line.
    package var address: String?

    /// As limits and turns count it: the address, of IPv6 its network; empty for the command line.
    package var network: String

    /// Makes an origin.
    package init(requestID: String, address: String? = nil, network: String? = nil) {
        self.requestID = requestID
        self.address = address
        self.network = network ?? address ?? ""
    }
}

/// One request's circumstances, handed down to every service.
package struct CallContext: Sendable {
    /// Who asks.
    package var caller: Caller

    /// When the client gives up; both stores are told.
    package var deadline: ContinuousClock.Instant

    /// Where the request came from.
    package var origin: Origin

    /// Whether the client asked for `Cache-Control: no-cache`.
    package var bypassCache: Bool

    /// What the client has written and seen before, if it sent `Stock-Consistency`.
    package var token: ConsistencyToken?

    /// Makes a context.
    package init(
        caller: Caller,
        deadline: ContinuousClock.Instant,
        requestID: String,
        address: String? = nil,
        bypassCache: Bool = false,
        token: ConsistencyToken? = nil
    ) {
        self.caller = caller
        self.deadline = deadline
        origin = Origin(requestID: requestID, address: address)
        self.bypassCache = bypassCache
        self.token = token
    }

    /// The tenant of the caller.
    package var tenant: TenantID { caller.tenant }
}
