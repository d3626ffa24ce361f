package import Kernel

/// A new shop and its first owner.
package struct SignupRequest: Sendable, Equatable {
    package var tenantName: String
    /// Already folded by `Text.slug`.
    package var slug: String
    /// Already folded by `Text.email`.
    package var email: String
    package var password: String
    package var currency: Currency
    /// An IANA name; PostgreSQL decides whether there is such a zone.
    package var timezone: String
    /// The owner's name; may be empty.
    package var name: String

    /// Makes a request.
    package init(
        tenantName: String,
        slug: String,
        email: String,
        password: String,
        currency: Currency,
        timezone: String,
        name: String = ""
    ) {
        self.tenantName = tenantName
        self.slug = slug
        self.email = email
        self.password = password
        self.currency = currency
        self.timezone = timezone
        self.name = name
    }
}

/// Who wants in, and where.
package struct LoginRequest: Sendable, Equatable {
    package var email: String
    package var password: String
    /// The slug or number of a tenant; `nil` takes the first one of the person.
    package var tenant: String?

    /// Makes a request.
    package init(email: String, password: String, tenant: String? = nil) {
        self.email = email
        self.password = password
        self.tenant = tenant
    }
}

/// A tenant as its members see it when they choose one.
package struct TenantSummary: Sendable, Equatable {
    package var id: TenantID
    package var slug: String
    package var name: String
    package var role: Role
}

/// A session that was opened or renewed: what an access token is made of, and the refresh token.
package struct SignedIn: Sendable, Equatable {
    package var user: UserID
    package var email: String
    package var name: String
    package var tenant: TenantSummary
    package var session: SessionID
    /// 256 random bits as text; shown once, only its SHA-256 is stored.
    package var refreshToken: String
    /// Every tenant the person may switch to.
    package var tenants: [TenantSummary]
    /// The value of `Stock-Consistency`, where more was written than a session.
    package var consistency: String?
}

/// A new member of the caller's tenant.
package struct MemberDraft: Sendable, Equatable {
    package var email: String
    package var name: String
    /// Required for a person who has no account yet, ignored for one who has.
    package var password: String?
    package var role: Role

    /// Makes a draft.
    package init(email: String, name: String = "", password: String? = nil, role: Role) {
        self.email = email
        self.name = name
        self.password = password
        self.role = role
    }
}

/// What a client wants changed about a membership.
package struct MemberPatch: Sendable, Equatable {
    package var role: Change<Role> = .keep
    package var active: Change<Bool> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// A new API key.
package struct APIKeyDraft: Sendable, Equatable {
    package var name: String
    package var scopes: Set<Scope>
    package var expiresAt: Timestamp?

    /// Makes a draft.
    package init(name: String, scopes: Set<Scope>, expiresAt: Timestamp? = nil) {
        self.name = name
        self.scopes = scopes
        self.expiresAt = expiresAt
    }
}
