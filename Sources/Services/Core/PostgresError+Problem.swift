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
                var error = FieldError("", code.rawValue, "")
                for member in object.members {
                    switch (member.name, member.value) {
                    case ("pointer", .string(let text)): error.pointer = text
                    case ("code", .string(let text)): error.code = text
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

    /// A unique index refused: which field it is about is in the index's name.
    private var duplicate: Problem {
        let names: [(part: String, pointer: String)] = [
            ("sku", "/sku"), ("external", "/external_id"), ("email", "/email"), ("slug", "/slug"), ("name", "/name"),
            ("symbol", "/symbol"), ("barcode", "/barcodes"), ("user_id", "/email"), ("membership", "/email"),
            ("pkey", "/id"),
        ]
        let pointer = names.first { constraint?.contains($0.part) == true }?.pointer
        return Problem(
            .duplicate,
            pointer.map { "Another one has the same \($0.dropFirst())." } ?? "Another one like it exists.",
            errors: pointer.map { [FieldError($0, "duplicate", "Must be unique.")] } ?? []
        )
    }

    /// A foreign key refused: what a body names does not exist.
    private var dangling: Problem {
        // A key of a tenant's table to another is called after the table, the tenant and the column.
        let place = constraint?.firstRange(of: "_tenant_id_")
        let column = place.flatMap { place in constraint?[place.upperBound...].replacing("_fkey", with: "") }
        let pointer = column.map { "/\($0)" } ?? ""
        return Problem(
            .validationFailed,
            "The body names something that does not exist.",
            errors: [FieldError(pointer, "not_found", "There is no such resource.")]
        )
    }
}
