package import Kernel
package import Postgres

extension SQLState {
    /// A refusal of the business, raised in SQL: MESSAGE is the problem code, DETAIL the errors, HINT the sentence.
    static let refusal: SQLState = "ST001"
    /// A request with this Idempotency-Key is still running.
    static let keyInProgress: SQLState = "ST002"
    /// A record of this Idempotency-Key exists.
    static let keyRecorded: SQLState = "ST003"
    /// What the unit was computed from has changed meanwhile.
    static let inputChanged: SQLState = "ST004"
}

extension PostgresError {
    /// The problem a client sees.
    ///
    /// Decided here and nowhere else: the outcome is unknown where COMMIT may have happened, which the connection says
    /// (``PostgresError/Outcome``). Everything else left nothing behind, whatever ended it.
    ///
    /// Texts of the server are shown only where SQL of ours wrote them.
    package var problem: Problem {
        if outcome == .unknown { return Self.outcomeUnknown }
        switch code {
        case .overloaded, .cancelled:
            return Problem(.overloaded, "Too much is going on. Try again in a moment.", retryAfter: 1)
        case .deadlineExceeded:
            return Self.tooLong
        case .connectionLost, .connectFailed, .databaseUnavailable, .closed:
            return Self.unavailable
        case .server:
            return serverProblem
        default:
            return Problem(.internalError, "Something went wrong on our side.")
        }
    }

    /// The answer when the time was up, on our side or the server's.
    private static let tooLong = Problem(
        .overloaded,
        "The request took too long and was given up; nothing was changed.",
        retryAfter: 1
    )

    /// The answer while PostgreSQL cannot be reached.
    static let unavailable = Problem(
        .databaseUnavailable,
        "The database is not available. Try again in a moment.",
        retryAfter: 1
    )

    /// The answer when a commit was asked for and its answer never came.
    static let outcomeUnknown = Problem(
        .outcomeUnknown,
        "The connection was lost at the moment of committing, so it may have been done or not.",
        retryAfter: 1
    )

    private var serverProblem: Problem {
        guard let sqlState else { return Problem(.internalError, "Something went wrong on our side.") }
        switch sqlState {
        case .refusal:
            return refusal
        case .keyInProgress:
            return Problem(
                .idempotencyInProgress,
                "The first request with this Idempotency-Key is still running.",
                retryAfter: 1
            )
        case .queryCanceled:
            return Self.tooLong
        case .keyRecorded, .inputChanged, .serializationFailure, .deadlockDetected, .lockNotAvailable:
            return Problem(.overloaded, "Other requests kept this one from finishing. Try again.", retryAfter: 1)
        case .uniqueViolation:
            return duplicate
        case .foreignKeyViolation:
            return isDeletion
                ? Problem(.inUse, "Something still refers to it. Archive it instead.")
                : dangling
        case .checkViolation, .numericValueOutOfRange, .notNullViolation, "22001", "22P02", "22008", "22007":
            return Problem(.validationFailed, "A value is outside of what can be stored.")
        case "22021", "22P05":
            return Problem(.invalidRequest, "A text holds characters that can not be stored.")
        default:
            if sqlState.isConnectionFailure { return Self.unavailable }
            if sqlState.isOverload {
                return Problem(.overloaded, "The database is out of resources. Try again.", retryAfter: 1)
            }
            return Problem(.internalError, "Something went wrong on our side.")
        }
    }

    /// Whether a DELETE of ours was refused; such statements end their names with `delete`.
    private var isDeletion: Bool { statement?.hasSuffix("delete") == true }

    /// A refusal raised by SQL of ours.
    private var refusal: Problem {
        let code = serverMessage.flatMap { Problem.Code(rawValue: $0) } ?? .validationFailed
        var errors: [FieldError] = []
        if let serverDetail, case .array(let members)? = try? JSONValue.parse(Array(serverDetail.utf8)) {
            for case .object(let object) in members {
                // A word that is not among the codes is a defect that a test finds; it is told as a fault all the same.
                var error = FieldError("", FieldError.Code(rawValue: code.rawValue) ?? .notAllowed, "")
                for member in object.members {
                    switch (member.name, member.value) {
                    case ("pointer", .string(let text)): error.pointer = text
                    case ("code", .string(let text)): error.code = FieldError.Code(rawValue: text) ?? error.code
                    case ("detail", .string(let text)): error.detail = text
                    default:
                        var writer = JSONWriter(capacity: 32)
                        writer.value(member.value)
                        error.extra.append((member.name, String(decoding: writer.bytes, as: UTF8.self)))
                    }
                }
                errors.append(error)
            }
        }
        return Problem(code, serverHint ?? code.title + ".", errors: errors)
    }

    /// The field that a unique index or a reference is about, which its name says: `<table>_tenant_id_<field>_key`, as PostgreSQL
    /// calls it, or `<table>_<field>_idx`.
    private var field: String? {
        // A member is named by an address.
        if table == "membership" { return "email" }
        // Lines come before their sale, whose id a till has chosen.
        if constraint == "sale_line_tenant_id_sale_id_position_key" { return "id" }
        guard let table, var name = constraint?[...], name.hasPrefix("\(table)_") else { return nil }
        name.removeFirst(table.count + 1)
        if name == "pkey" { return "id" }
        if name.hasPrefix("tenant_id_") { name.removeFirst("tenant_id_".count) }
        // What is unique without regard to case is so by the column beside it: `name_key`.
        for ending in ["_fkey", "_idx", "_key", "_key"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        return String(name)
    }

    /// A unique index refused: another one has the same.
    private var duplicate: Problem {
        Problem(
            .duplicate,
            field.map { "Another one has the same \($0)." } ?? "Another one like it exists.",
            errors: field.map { [FieldError("/\($0)", .duplicate, "Must be unique.")] } ?? []
        )
    }

    /// A foreign key refused: what a body names does not exist.
    private var dangling: Problem {
        Problem(
            .validationFailed,
            "The body names something that does not exist.",
            errors: [FieldError(field.map { "/\($0)" } ?? "", .notFound, "There is no such resource.")]
        )
    }
}
