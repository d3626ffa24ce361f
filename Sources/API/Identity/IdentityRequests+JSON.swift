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
        let timezone = reader.text("timezone", .timezone)
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
        let password = reader.required("password", else: "", .boundedPassword)
        return LoginRequest(
            email: reader.required("email", else: "", .email),
            password: password,
            tenant: TenantReference.read(&reader)
        )
    }
}

extension TenantReference {
    /// Reads `tenant`, a slug, or `tenant_id`; `nil` if there is neither.
    static func read(_ reader: inout JSONObjectReader) -> TenantReference? {
        let slug = reader.optionalText("tenant")
        let id = reader.optional("tenant_id", isShown: false, .integer(1...Int.max))
        switch (slug, id) {
        case (let slug?, nil): return .slug(typed: slug)
        case (nil, let id?): return .id(TenantID(rawValue: Int64(id)))
        case (nil, nil): return nil
        case (.some, .some):
            reader.fail("tenant_id", .conflict, "Give either tenant or tenant_id.")
            return nil
        }
    }
}

extension TenantReference {
    /// As ``read(_:)``, where one must be named.
    static func required(_ reader: inout JSONObjectReader) -> TenantReference? {
        let before = reader.errors.list.count
        let reference = read(&reader)
        // Refused, it is not missing.
        if reference == nil, reader.errors.list.count == before {
            reader.fail("tenant", .required, "Give a slug, or tenant_id.")
        }
        return reference
    }
}

extension JSONObjectReader {
    /// Reads `cookie`: whether the refresh token is kept in the browser's cookie, and not by whoever asks.
    mutating func usesCookie() -> Bool { optional("cookie", isShown: false, .bool) ?? false }
}

/// The body of `POST /v1/auth/refresh`.
struct RefreshRequest {
    /// The token, if the client keeps it itself.
    let token: String?
    /// Whether a cookie has it.
    let usesCookie: Bool

    static func read(_ reader: inout JSONObjectReader) -> RefreshRequest {
        let before = reader.errors.list.count
        let request = RefreshRequest(
            token: reader.optionalText("refresh_token", .token),
            usesCookie: reader.usesCookie()
        )
        switch (request.token, request.usesCookie) {
        case (.some, true):
            reader.fail("cookie", .conflict, "Give either refresh_token or cookie.")
        case (nil, false) where reader.errors.list.count == before:
            reader.fail("refresh_token", .required, "Give the refresh token, or cookie where the browser keeps it.")
        default:
            break
        }
        return request
    }
}

/// The body of `POST /v1/invitations/accept`.
struct AcceptRequest {
    let token: String
    let password: String
    let name: String

    static func read(_ reader: inout JSONObjectReader) -> AcceptRequest {
        AcceptRequest(
            token: reader.text("token", .token),
            // What it must be is said once the address is known.
            password: reader.required("password", else: "", .boundedPassword),
            name: reader.optionalText("name") ?? ""
        )
    }
}

/// The body of `POST /v1/auth/reset`.
struct ResetRequest {
    let token: String
    let password: String

    static func read(_ reader: inout JSONObjectReader) -> ResetRequest {
        ResetRequest(
            token: reader.text("token", .token),
            password: reader.required("password", else: "", .boundedPassword)
        )
    }
}

/// The body of `POST /v1/me/password`.
struct PasswordChange {
    let current: String
    let new: String

    static func read(_ reader: inout JSONObjectReader) -> PasswordChange {
        PasswordChange(
            current: reader.required("current_password", else: "", .boundedPassword),
            new: reader.required("new_password", else: "", .boundedPassword)
        )
    }
}

extension InvitationDraft {
    /// Reads the body of `POST /v1/users`.
    static func read(_ reader: inout JSONObjectReader) -> InvitationDraft {
        InvitationDraft(
            email: reader.required("email", else: "", .email),
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
        if reader.contains("location_ids") || reader.isRecording {
            let before = reader.errors.list.count
            if let locations: [LocationID] = reader.optionalValues("location_ids", count: 0...1000, .id()) {
                patch.locations = .set(locations)
            } else if !reader.isRecording, reader.errors.list.count == before {
                // Nothing said is not everywhere.
                reader.fail("location_ids", .required, "Name the locations; an empty list is everywhere.")
            }
        }
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
        patch.name = reader.change("name", .text(.name))
        patch.timezone = reader.change("timezone", .text(.timezone))
        patch.locale = reader.change("locale", .locale)
        patch.address = reader.clearableText("address", .address)
        patch.taxID = reader.clearableText("tax_id", .taxID)
        patch.phone = reader.clearableText("phone", .phone)
        patch.receiptFooter = reader.clearableText("receipt_footer", .receiptFooter)
        if case .set(let logo) = reader.clearableChange("logo", FieldReading<String?>.logo) {
            patch.logo = .set(logo ?? nil)
        }
        patch.currency = reader.change("currency", .currency)
        patch.pricesIncludeTax = reader.change("prices_include_tax", .bool)
        patch.oversell = reader.change("oversell", .oneOf())
        patch.managerDiscountLimit = reader.clearableChange("manager_discount_limit", .decimal(.notNegative))
        patch.cashierDiscountLimit = reader.clearableChange("cashier_discount_limit", .decimal(.notNegative))
        patch.managerCreditLimit = reader.clearableChange("manager_credit_limit", .decimal(.notNegative))
        patch.managerReturnLimit = reader.clearableChange("manager_return_limit", .decimal(.notNegative))
        patch.cashierReturnLimit = reader.clearableChange("cashier_return_limit", .decimal(.notNegative))
        patch.cashRounding = reader.change("cash_rounding", .decimal(.notNegative))
        patch.returnsWithoutSale = reader.change("returns_without_sale", .oneOf())
        patch.onPriceChange = reader.change("on_price_change", .oneOf())
        patch.draftReservationMinutes = reader.clearableChange("draft_reservation_minutes", .draftReservation)
        patch.quoteReservationDays = reader.clearableChange("quote_reservation_days", .quoteReservation)
        patch.closedUntil = reader.clearableChange("closed_until", .date)
        return patch
    }
}

extension FieldReading where Value == Int {
    /// For how many minutes a draft holds its goods back: a week at most, as it is a cart.
    static var draftReservation: FieldReading { .integer(1...10_080) }
    /// For how many days a quote that was accepted does.
    static var quoteReservation: FieldReading { .integer(1...365) }
}

extension FieldReading where Value == String? {
    /// The picture of a letterhead: where everybody finds it, or what the shop's own programs call it.
    fileprivate static var logo: FieldReading {
        FieldReading.blankable(.logo).map { text in
            guard let text else { return .success(nil) }
            let isURL = text.wholeMatch(of: /https:\/\/[!-~]+/) != nil
            let isName = text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._\/\-]*/) != nil
            return isURL || isName
                ? .success(text)
                : .failure(
                    ReadingFault(
                        .format,
                        "Must be a URL that begins with https://, or a name of letters, digits, dots, dashes and slashes."
                    )
                )
        }
    }
}

extension FieldReading where Value == String {
    /// A new password, by the rules of the domain.
    fileprivate static func password(email: String) -> FieldReading {
        FieldReading.string.map { text in
            PasswordRules.fault(of: text, email: email).map { .failure($0) } ?? .success(text)
        }
    }

    /// A password that is only bounded here, as hashing takes it whole.
    fileprivate static var boundedPassword: FieldReading {
        FieldReading.string.map { text in
            text.unicodeScalars.count <= 1024
                ? .success(text) : .failure(ReadingFault(.tooLong, "Must have at most 1024 characters."))
        }
    }

    /// A language tag.
    fileprivate static var locale: FieldReading {
        FieldReading.text(.locale).map { text in
            LanguageTag.isWellFormed(text)
                ? .success(text)
                : .failure(ReadingFault(.format, "Must be a language tag of BCP 47 like \"en\" or \"es-UY\"."))
        }
    }

    /// A slug, folded.
    fileprivate static var slug: FieldReading {
        FieldReading.text(.slug).map { text in
            Text.slug(text).map { .success($0) }
                ?? .failure(
                    ReadingFault(
                        .format,
                        "Must have a to z, 0 to 9 and hyphens between, like \"corner-shop\", and not digits alone."
                    )
                )
        }
    }
}
