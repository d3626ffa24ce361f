import Cache
import Domain
package import Kernel
import Postgres

/// What somebody approves of by their own credential, as `POST /v1/approvals` says it.
package struct ApprovalRequest: Sendable, Equatable {
    /// How far below the list price a sale may go, in percent; nil is not approved of.
    package var discountLimit: Percent?
    /// How far past their credit limit the customer may go, in percent of it; nil is not approved of.
    package var creditLimit: Percent?
    /// How much may be given back without a sale; nil is not approved of.
    package var returnLimit: Money?
    /// A remark, which the document shows.
    package var note: String?

    /// Makes a request.
    package init(
        discountLimit: Percent? = nil,
        creditLimit: Percent? = nil,
        returnLimit: Money? = nil,
        note: String? = nil
    ) {
        self.discountLimit = discountLimit
        self.creditLimit = creditLimit
        self.returnLimit = returnLimit
        self.note = note
    }
}

extension Entity.Approval: SecretHolder {
    static let prefix = "apv"
}

/// An approval as a till sends it, `apv_<tenant>_<id>_<secret>`; only the SHA-256 of the secret is stored.
typealias ApprovalText = TenantSecret<Entity.Approval>

/// An approval that can still be used, as it was read; taking it is for the unit that writes the document.
struct OpenApproval: Sendable {
    let text: ApprovalText
    let discountLimit: Percent?
}

extension SalesService {
    /// Approves of a sale, a quote or a return that whoever is at the till may not make: once, and for five minutes.
    ///
    /// - Parameters:
    ///   - request: What is approved of.
    ///   - context: Who approves, a person.
    /// - Returns: 201 with the approval and, this once, the text that the till sends with the document.
    /// - Throws: 403 `forbidden` for more than the role may itself; 422 for nothing at all.
    package func approve(_ request: ApprovalRequest, _ context: CallContext) async throws(Problem) -> Answer {
        guard let user = context.caller.user, let role = context.caller.role else {
            throw Problem(.forbidden, "Approving is for people.")
        }
        guard request.discountLimit != nil || request.creditLimit != nil || request.returnLimit != nil else {
            throw Problem(
                .validationFailed,
                "An approval is of something.",
                errors: [FieldError("/discount_limit", .required, "Give discount_limit, credit_limit or return_limit.")]
            )
        }
        let text = ApprovalText(tenant: context.tenant, id: .make())
        var answer = try await store.write(context) { (unit) throws(PostgresError) -> Effect<Approval> in
            try unit.add(GiveApproval(text: text, request: request, userID: user, role: role))
            return .created(Approval(id: text.id))
        }
        answer.append("approval", text.text)
        return answer
    }

    /// Reads the approval that comes with a sale, a quote or a return.
    ///
    /// - Parameters:
    ///   - text: What the till sent; nil is without.
    ///   - context: Who asks.
    /// - Returns: The approval; nil without.
    /// - Throws: 422 `validation_failed` for one that was used, has expired, or is none.
    func approval(_ text: String?, _ context: CallContext) async throws(Problem) -> OpenApproval? {
        guard let text else { return nil }
        if let given = ApprovalText(text), given.tenant == context.tenant {
            let rows = try await store.query(
                ReadApproval(text: given),
                tenant: context.tenant,
                deadline: context.deadline
            )
            if let row = rows.first { return OpenApproval(text: given, discountLimit: row.discountLimit) }
        }
        let detail = "The approval was used, has expired, or is none."
        throw Problem(.validationFailed, detail, errors: [FieldError("/approval", .notFound, detail)])
    }
}

// MARK: - Statements

/// An approval, as it is given.
struct Approval: Document {
    static let name = "sales.approval"
    static let sql: SQL = "SELECT stock.approval_body(stock.current_tenant(), $1), NULL::text"
    static let parameterTypes: [PostgresType] = [.uuid]

    let id: ApprovalID

    func bind(_ parameters: inout Parameters) throws(PostgresError) { try parameters.append(id) }
}

/// Approves of something.
struct GiveApproval: Statement {
    static let name = "sales.approve"
    static let sql: SQL = "SELECT stock.approval_give($1, $2, $3, $4, $5, $6, $7, $8)"
    static let parameterTypes: [PostgresType] = [.uuid, .bytea, .uuid, .text, .numeric, .numeric, .text, .numeric]

    let text: ApprovalText
    let request: ApprovalRequest
    let userID: UserID
    let role: Role

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(text.id)
        try parameters.append(text.hash)
        try parameters.append(userID)
        try parameters.append(role.rawValue)
        try parameters.append(request.discountLimit)
        try parameters.append(request.creditLimit)
        try parameters.append(request.note)
        try parameters.append(request.returnLimit)
    }
}

/// Reads how far below the list price an approval lets a sale go, if it can still be used.
struct ReadApproval: Statement {
    static let name = "sales.read_approval"
    static let sql: SQL = """
        SELECT a.discount_limit FROM stock.approval a
        WHERE a.tenant_id = stock.current_tenant() AND a.id = $1 AND a.secret_hash = $2 AND a.used_at IS NULL
          AND a.expires_at > now()
        """
    static let parameterTypes: [PostgresType] = [.uuid, .bytea]

    let text: ApprovalText

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(text.id)
        try parameters.append(text.hash)
    }

    struct Row: DecodableRow {
        let discountLimit: Percent?

        init(from row: inout RowReader) throws(PostgresError) { discountLimit = try row.next(Percent?.self) }
    }
}

/// What an approval is used for.
enum ApprovedDocument: Sendable {
    case sale(SaleID)
    case quote(QuoteID)
    case takenBack(SaleReturnID)
}

/// Uses an approval for the document that its unit writes.
struct TakeApproval: Statement {
    static let name = "sales.take_approval"
    static let sql: SQL = "SELECT stock.approval_take($1, $2, $3, $4, $5)"
    static let parameterTypes: [PostgresType] = [.uuid, .bytea, .uuid, .uuid, .text]

    let text: ApprovalText
    let document: ApprovedDocument
    let userID: UserID?

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(text.id)
        try parameters.append(text.hash)
        let kind: String
        switch document {
        case .sale(let id):
            kind = "sale"
            try parameters.append(id)
        case .quote(let id):
            kind = "quote"
            try parameters.append(id)
        case .takenBack(let id):
            kind = "return"
            try parameters.append(id)
        }
        try parameters.append(userID)
        try parameters.append(kind)
    }
}

extension UnitOfWork {
    /// Uses what somebody gave for a document, if they did; before the document is written, which notes it.
    mutating func take(
        _ approval: OpenApproval?,
        for document: ApprovedDocument,
        _ userID: UserID?
    ) throws(PostgresError) {
        guard let approval else { return }
        try add(TakeApproval(text: approval.text, document: document, userID: userID))
    }
}
