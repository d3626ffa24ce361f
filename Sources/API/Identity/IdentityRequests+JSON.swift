import Domain
import Kernel
import Services

extension SignupRequest {
    /// Reads the body of `POST /v1/signup`.
    ///
    /// - Returns: `nil` only after a fault was noted, as no currency can stand in for a wrong one.
    static func read(_ reader: inout JSONObjectReader) -> SignupRequest? {
        let email = reader.required("email", else: "", .email)
        let password = reader.required("password", else: "", .password(email: email))
        let name = reader.text("tenant_name")
        let slug = reader.required("slug", else: "", .slug)
        let currency = reader.required(
            "currency",
            else: nil,
            FieldReading<Currency>.currency.map { .success($0 as Currency?) }
        )
        let timezone = reader.text("timezone", maximum: 64)
        let owner = reader.optionalText("name") ?? ""
        guard let currency else { return nil }
        return SignupRequest(
            tenantName: name,
            slug: slug,
            email: email,
            password: password,
            currency: currency,
            timezone: timezone,
            name: owner
        )
    }
}

extension LoginRequest {
    /// Reads the body of `POST /v1/auth/login`.
    ///
    /// A password is only bounded here: what today's rules would refuse may have been accepted once.
    static func read(_ reader: inout JSONObjectReader) -> LoginRequest {
        let password = reader.required("password", else: "", .string)
        if password.unicodeScalars.count > 1024 {
            reader.fail("password", "too_long", "Must have at most 1024 characters.")
        }
        return LoginRequest(
            email: reader.required("email", else: "", .email),
            password: password,
            tenant: reader.optionalText("tenant")
        )
    }
}

extension MemberDraft {
    /// Reads the body of `POST /v1/users`.
    static func read(_ reader: inout JSONObjectReader) -> MemberDraft {
        let email = reader.required("email", else: "", .email)
        return MemberDraft(
            email: email,
            name: reader.optionalText("name") ?? "",
            password: reader.optional("password", .password(email: email)),
            role: reader.choice("role", else: .viewer)
        )
    }
}

extension MemberPatch {
    /// Reads the body of `PATCH /v1/users/{id}`.
    static func read(_ reader: inout JSONObjectReader) -> MemberPatch {
        var patch = MemberPatch()
        patch.role = reader.change("role", .oneOf())
        patch.active = reader.change("active", .bool)
        return patch
    }
}

extension APIKeyDraft {
    /// Reads the body of `POST /v1/api-keys`.
    static func read(_ reader: inout JSONObjectReader) -> APIKeyDraft {
        APIKeyDraft(
            name: reader.text("name"),
            scopes: Set(reader.values("scopes", count: 1...Scope.allCases.count, .oneOf())),
            expiresAt: reader.optionalTimestamp("expires_at")
        )
    }
}

extension TenantPatch {
    /// Reads the body of `PATCH /v1/tenant`.
    static func read(_ reader: inout JSONObjectReader) -> TenantPatch {
        var patch = TenantPatch()
        patch.name = reader.change("name", .text(maximum: 200))
        patch.timezone = reader.change("timezone", .text(maximum: 64))
        patch.locale = reader.change("locale", .text(maximum: 35))
        patch.currency = reader.change("currency", .currency)
        patch.pricesIncludeTax = reader.change("prices_include_tax", .bool)
        patch.oversell = reader.change("oversell", .oneOf())
        patch.managerDiscountLimit = reader.clearableChange("manager_discount_limit", .decimal(.notNegative))
        patch.cashierDiscountLimit = reader.clearableChange("cashier_discount_limit", .decimal(.notNegative))
        patch.closedUntil = reader.clearableChange("closed_until", .date)
        return patch
    }
}

extension FieldReading where Value == String {
    /// A new password, by the rules of the domain.
    fileprivate static func password(email: String) -> FieldReading {
        FieldReading.string.map { text in
            PasswordRules.fault(of: text, email: email).map { .failure($0) } ?? .success(text)
        }
    }

    /// A slug, folded.
    fileprivate static var slug: FieldReading {
        FieldReading.text(maximum: 63).map { text in
            Text.slug(text).map { .success($0) }
                ?? .failure(
                    ReadingFault("format", "Must have a to z, 0 to 9 and hyphens between, like \"corner-shop\".")
                )
        }
    }
}
