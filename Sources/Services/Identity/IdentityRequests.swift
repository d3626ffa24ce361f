package import Kernel
package import Postgres

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
    /// `nil` takes the first tenant of the person.
    package var tenant: TenantReference?

    /// Makes a request.
    package init(email: String, password: String, tenant: TenantReference? = nil) {
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

/// Which tenant is meant.
///
/// A slug may be made of digits, so that a text never means a number: ids are named as such.
package enum TenantReference: Sendable, Equatable {
    case slug(String)
    case id(TenantID)

    /// A slug as somebody typed it.
    package static func slug(typed text: String) -> TenantReference { .slug(Text.trimmed(text).lowercased()) }

    /// Whether this names the tenant.
    func names(_ tenant: TenantSummary) -> Bool {
        switch self {
        case .slug(let slug): tenant.slug == slug
        case .id(let id): tenant.id == id
        }
    }

    /// The tenant, looked up; `nil` if there is none.
    ///
    /// - Parameters:
    ///   - postgres: Made with the statements of ``Shop``, or preparing as it goes.
    ///   - deadline: When the caller gives up.
    /// - Returns: Its number.
    /// - Throws: What kept the database from answering.
    package func find(
        in postgres: PostgresClient,
        deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> TenantID? {
        try await postgres.query(FindTenant(reference: self), tenant: nil, on: .shared, deadline: deadline).first?
            .tenant
    }
}

/// A person whom an operator makes a member, with the password of the account.
package struct MemberDraft: Sendable, Equatable {
    package var email: String
    package var name: String
    package var password: String
    package var role: Role

    /// Makes a draft.
    package init(email: String, name: String = "", password: String, role: Role) {
        self.email = email
        self.name = name
        self.password = password
        self.role = role
    }
}

/// A membership offered to an address.
package struct InvitationDraft: Sendable, Equatable {
    /// Folded by `Text.email`.
    package var email: String
    package var role: Role

    /// Makes a draft.
    package init(email: String, role: Role) {
        self.email = email
        self.role = role
    }
}

/// An invitation whose token somebody has shown.
package struct ShownInvitation: Sendable {
    let tenant: TenantID
    let id: InvitationID
    let hash: [UInt8]
    let role: Role

    /// The address it is for, to count attempts by; not for the answer.
    package let email: String
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
