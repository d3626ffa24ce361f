/// Gathers what is wrong with a body while its readers walk through it, so that a client learns all of it at once.
///
/// A class, because nested readers write into one list. It stays within the task that parses.
package final class FieldErrors {
    /// What was found, in the order of reading.
    package private(set) var list: [FieldError] = []

    /// Whether the shape itself is wrong (an unknown field), which is 400 and not 422.
    package private(set) var isMalformed = false

    /// More than this many are not listed; the first ones suffice.
    package static let limit = 100

    package init() {}

    /// Whether further ones are not listed.
    package var isFull: Bool { list.count >= Self.limit }

    /// Notes a wrong field.
    ///
    /// - Parameter error: What is wrong.
    package func add(_ error: FieldError) {
        guard !isFull else { return }
        list.append(error)
    }

    /// Notes a field that is needed and was not read: it is missing or null, unless something was noted of it already.
    ///
    /// - Parameters:
    ///   - pointer: Where it would stand.
    ///   - detail: What to give.
    package func addMissing(_ pointer: String, _ detail: String) {
        guard !list.contains(where: { $0.pointer == pointer }) else { return }
        add(FieldError(pointer, .required, detail))
    }

    /// Notes a field nobody knows.
    ///
    /// - Parameter pointer: Where it stands.
    package func addUnknown(_ pointer: String) {
        isMalformed = true
        add(FieldError(pointer, .unknownField, "This field is not known."))
    }

    /// Ends the reading: nothing wrong, or every fault in one problem.
    ///
    /// - Throws: 400 `invalid_request` if a field is unknown, else 422 `validation_failed`.
    package func check() throws(Problem) {
        guard let first = list.first else { return }
        if isMalformed {
            let unknown = list.first { $0.code == .unknownField } ?? first
            throw Problem(.invalidRequest, "The field \(unknown.pointer) is not known.", errors: list)
        }
        throw Problem(.validationFailed, "\(first.pointer): \(first.detail)", errors: list)
    }
}
