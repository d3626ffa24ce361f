package import Kernel
package import Postgres

/// A new shop and its first owner.
package struct SignupRequest: Sendable, Equatable {
    /// What the shop is called.
    package var tenantName: String
    /// Already folded by `Text.slug`.
    package var slug: String
    /// Already folded by `Text.email`.
    package var email: String
    /// Judged by `PasswordRules`, then hashed; never kept.
    package var password: String
    /// What every amount of the shop is in, fixed by its first document.
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
    /// Already folded by `Text.email`.
    package var email: String
    /// As it was typed.
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
    /// Its number.
    package var id: TenantID
    /// What it is called in a login.
    package var slug: String
    /// What it is called by people.
    package var name: String
    /// The role of the person who asks.
    package var role: Role
}

/// A session that was opened or renewed: what an access token is made of, and the refresh token.
package struct SignedIn: Sendable, Equatable {
    /// The person.
    package var user: UserID
    /// The address of the account.
    package var email: String
    /// The person's name; may be empty.
    package var name: String
    /// Where the session is.
    package var tenant: TenantSummary
    /// The session that the tokens are of.
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
    /// Already folded by `Text.email`.
    package var email: String
    /// May be empty.
    package var name: String
    /// The account's from then on; an account in use is refused.
    package var password: String
    /// What the person may do in this tenant.
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
    /// Already folded by `Text.email`.
    package var email: String
    /// What the person may do once the invitation is taken.
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
    /// What the member may do.
    package var role: Change<Role> = .keep
    /// Whether the member may come in at all.
    package var active: Change<Bool> = .keep
    /// Where the member works; everywhere if empty.
    package var locations: Change<[LocationID]> = .keep

    /// Makes a patch that changes nothing.
    package init() {}
}

/// A new API key.
package struct APIKeyDraft: Sendable, Equatable {
    /// What people know it by.
    package var name: String
    /// What it may do.
    package var scopes: Set<Scope>
    /// When it ends; `nil` is never.
    package var expiresAt: Timestamp?

    /// Makes a draft.
    package init(name: String, scopes: Set<Scope>, expiresAt: Timestamp? = nil) {
        self.name = name
        self.scopes = scopes
        self.expiresAt = expiresAt
    }
}
