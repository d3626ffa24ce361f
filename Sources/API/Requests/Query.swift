import Domain
import Kernel
import Services

/// The parameters of a query string, read like the fields of a body: all faults at once, unknown names refused.
///
/// A fault's pointer is `?name`, as a query has no JSON pointer.
struct Query {
    /// A few more than the route with the most parameters has: what comes beyond them is not read.
    static let maximumCount = 32

    private var items: [(name: String, value: String, isRead: Bool)] = []
    private let errors = FieldErrors()
    private var malformed: Problem?
    /// How many parameters were met.
    private var count = 0
    private var reversed: Problem?
    /// What was asked for, where only that is of interest.
    private var recorder: Recorder?

    private final class Recorder {
        var parameters: [Route.Parameter] = []
    }

    /// The parameters that a function reads, found by running it once on nothing.
    ///
    /// - Parameter read: Asks for every parameter whatever it has read so far; what it makes of them is thrown away.
    /// - Returns: What was asked for, in that order.
    static func parameters<T>(of read: (inout Query) -> T) -> [Route.Parameter] {
        let recorder = Recorder()
        var query = Query(nil)
        query.recorder = recorder
        _ = read(&query)
        return recorder.parameters
    }

    private func note(
        _ name: String,
        _ schema: @autoclosure () -> Schema,
        _ description: String,
        isRequired: Bool = false
    ) {
        guard let recorder else { return }
        recorder.parameters.append(Route.Parameter(name, schema(), description, isRequired: isRequired))
    }

    /// Parses `a=b&c=d`.
    init(_ text: Substring?) {
        guard let text, !text.isEmpty else { return }
        items.reserveCapacity(4)
        // Over bytes, once: characters would be looked up in tables of grapheme clusters.
        let bytes = text.utf8.span
        var part = Part(start: 0)
        for position in 0...bytes.count {
            switch position < bytes.count ? bytes[position] : UInt8(ascii: "&") {
            case UInt8(ascii: "&"):
                if position > part.start { take(part, of: text, end: position) }
                part = Part(start: position + 1)
                guard count <= Self.maximumCount else { return }
            case UInt8(ascii: "=") where part.equals == nil:
                part.equals = position
            case UInt8(ascii: "%"), UInt8(ascii: "+"):
                part.isPlain = false
            default:
                break
            }
        }
    }

    /// Where one parameter stands in the text, in bytes.
    private struct Part {
        let start: Int
        /// Its first equals sign.
        var equals: Int?
        /// Whether it says what it is, with nothing encoded.
        var isPlain = true
    }

    /// Takes one parameter in.
    private mutating func take(_ part: Part, of text: Substring, end: Int) {
        count += 1
        guard count <= Self.maximumCount else {
            items = []
            malformed = Problem(
                .invalidRequest,
                "The query has more than \(Self.maximumCount) parameters.",
                errors: [FieldError("", .tooMany, "Must have at most \(Self.maximumCount) parameters.")]
            )
            return
        }
        func read(_ range: Range<Int>) -> String? {
            let start = text.utf8.index(text.startIndex, offsetBy: range.lowerBound)
            let piece = text[start..<text.utf8.index(start, offsetBy: range.count)]
            return part.isPlain ? String(piece) : PercentEncoding.decode(piece, plusIsSpace: true)
        }
        guard let name = read(part.start..<(part.equals ?? end)),
            let value = part.equals.map({ read($0 + 1..<end) }) ?? ""
        else {
            malformed = Problem(.invalidRequest, "The query is not percent-encoded UTF-8.")
            return
        }
        // There are few, so that looking at each costs less than a set of them.
        guard !items.contains(where: { $0.name == name }) else {
            let shown = Text.excerpt(name)
            malformed = Problem(
                .invalidRequest,
                "The parameter \(shown) was given twice.",
                errors: [FieldError("?\(shown)", .duplicate, "Give it once.")]
            )
            return
        }
        items.append((name, value, false))
    }

    /// The text of a parameter without the white space around it; a blank one counts as absent.
    ///
    /// - Parameters:
    ///   - name: The parameter's name.
    ///   - maximum: The most characters.
    ///   - description: What it is for.
    ///   - isRequired: Whether it must be given.
    /// - Returns: The text.
    mutating func text(
        _ name: String,
        maximum: Int = 200,
        _ description: String = "",
        isRequired: Bool = false
    ) -> String? {
        note(name, .text, description, isRequired: isRequired)
        guard let text = plain(name, maximum: maximum) else {
            if isRequired { require(name) }
            return nil
        }
        return text
    }

    private mutating func plain(_ name: String, maximum: Int = 200) -> String? {
        guard let value = self.value(name) else { return nil }
        guard value.utf8.count <= maximum || value.unicodeScalars.count <= maximum else {
            fail(name, .tooLong, "Must have at most \(maximum) characters.")
            return nil
        }
        guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            fail(name, .format, "Must not contain control characters.")
            return nil
        }
        return value
    }

    /// The value of a parameter without the white space around it, now read; a blank one counts as absent.
    private mutating func value(_ name: String) -> String? {
        guard let index = items.firstIndex(where: { $0.name == name }) else { return nil }
        items[index].isRead = true
        let value = Text.trimmed(items[index].value)
        return value.isEmpty ? nil : value
    }

    /// The words of a search: the one reading there is of `q`.
    ///
    /// Any white space separates words, what a scanner or a spreadsheet puts there, too.
    ///
    /// - Parameters:
    ///   - name: The parameter's name.
    ///   - fields: What is searched.
    /// - Returns: The words.
    mutating func search(_ name: String, in fields: String) -> SearchText? {
        note(name, .text, "Words, each of them part of \(fields); neither case nor accents count.")
        guard let search = value(name).flatMap({ SearchText($0) }) else { return nil }
        switch TextRule(maximum: SearchText.maximum).read(search.text) {
        case .success:
            return search
        case .failure(let fault):
            fail(name, fault.code, fault.detail)
            return nil
        }
    }

    /// A SKU or barcode.
    mutating func code(_ name: String, _ description: String = "", isRequired: Bool = false) -> ProductCode? {
        note(name, .text, description, isRequired: isRequired)
        guard let value = self.value(name) else {
            if isRequired { require(name) }
            return nil
        }
        do throws(ReadingFault) {
            return try ProductCode(value)
        } catch {
            fail(name, error.code, error.detail)
            return nil
        }
    }

    /// A whole number within bounds.
    mutating func integer(_ name: String, _ range: ClosedRange<Int>, _ description: String = "") -> Int? {
        note(
            name,
            .integer(minimum: range.lowerBound, maximum: range.upperBound == .max ? nil : range.upperBound),
            description
        )
        guard let text = plain(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
            fail(name, .outOfRange, "Must be a whole number from \(bounds).")
            return nil
        }
        return number
    }

    /// `limit` and `cursor`, as every list takes them.
    mutating func page() -> Page {
        Page(
            limit: integer("limit", 1...200, "Members of a page; 50 if left out.") ?? 50,
            cursor: text("cursor", maximum: 4096, "The next_cursor of the page before.")
        )
    }

    /// `true` or `false`.
    mutating func flag(_ name: String, _ description: String = "") -> Bool? {
        note(name, .boolean, description)
        guard let text = plain(name) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            fail(name, .notAllowed, "Must be true or false.")
            return nil
        }
    }

    /// The range of days between `from` and `to`.
    ///
    /// Each by itself may be right and the range not: that is no matter of form, and so another status.
    mutating func days() -> DayRange {
        let (from, to) = (day("from", "The first business day."), day("to", "The last business day."))
        do throws(Problem) {
            return try DayRange(from: from, to: to)
        } catch {
            reversed = error
            return .all
        }
    }

    /// An id.
    mutating func id<Kind>(_ name: String, _ description: String = "") -> ID<Kind>? {
        note(name, .id, description)
        guard let text = plain(name) else { return nil }
        guard let id = ID<Kind>(text) else {
            fail(name, .format, "Must be a UUID like \"018f3b6e-1c2d-7000-8000-0123456789ab\".")
            return nil
        }
        return id
    }

    /// A date.
    mutating func day(_ name: String, _ description: String = "") -> BusinessDay? {
        note(name, .day, description)
        guard let text = plain(name) else { return nil }
        guard let day = BusinessDay(text) else {
            fail(name, .format, "Must be a date like \"2026-01-31\".")
            return nil
        }
        return day
    }

    /// One of the names of an enumeration.
    mutating func choice<T>(_ name: String, _ description: String = "") -> T?
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        note(name, .choice(T.allCases.map(\.rawValue)), description)
        return named(name)
    }

    /// `sort`: what a list is ordered by.
    ///
    /// - Parameters:
    ///   - standard: How it is ordered if that is left out, which is the first order there is, in words.
    ///   - bounds: What else must be said for the others.
    /// - Returns: The order.
    mutating func order<T: SortOrder>(_ standard: String, _ bounds: String? = nil) -> T {
        choice("sort", (["The order; \(standard) if left out."] + (bounds.map { [$0] } ?? [])).joined(separator: " "))
            ?? T.allCases[T.allCases.startIndex]
    }

    /// The code of a payment method, by its shape: one that the tenant has not finds nothing.
    ///
    /// - Parameters:
    ///   - name: The parameter's name.
    ///   - description: What it is for.
    ///   - every: A word that means any of them, if there is one; no code is the same.
    /// - Returns: The code; nil if there is none, and for that word.
    mutating func paymentMethod(
        _ name: String,
        _ description: String = "",
        or every: String? = nil
    ) -> PaymentMethodCode? {
        note(name, Schemas.method, description)
        guard let text = plain(name), text != every else { return nil }
        guard let code = PaymentMethodCode(rawValue: text) else {
            let also = every.map { " \"\($0)\" means every method." } ?? ""
            fail(name, .format, PaymentMethodCode.rule + also)
            return nil
        }
        return code
    }

    private mutating func named<T>(_ name: String) -> T?
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        guard let text = plain(name) else { return nil }
        guard let value = T(rawValue: text) else {
            let names = T.allCases.map(\.rawValue).joined(separator: ", ")
            fail(name, .notAllowed, "Must be one of \(names).")
            return nil
        }
        return value
    }

    /// `ids` and `updated_since`, which ask for something else than a part of a list, and so go with little else.
    ///
    /// To be read behind all that the list may be narrowed to.
    ///
    /// - Parameter hasChanges: Whether what was changed can be asked for.
    /// - Returns: What was asked for; nil if it is the list.
    mutating func selected(hasChanges: Bool) -> Selected? {
        let id = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
        note(
            "ids",
            .pattern("^\(id)(,\(id)){0,99}$", description: "At most 100 ids between commas."),
            "What has one of these ids, in their order; what is not there is left out."
        )
        let ids = ids()
        var since: Timestamp?
        if hasChanges {
            note(
                "updated_since",
                .time,
                "What was changed then or later, the earliest change first; not what was deleted."
            )
            since = time("updated_since")
        }
        if let ids {
            stands("ids", beside: ["expand"])
            return .ids(ids)
        }
        guard let since else { return nil }
        stands("updated_since", beside: ["limit", "cursor"])
        return .changed(since: since)
    }

    private mutating func ids() -> [EntityID]? {
        guard let text = plain("ids", maximum: 4000) else { return nil }
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard words.count <= 100 else {
            fail("ids", .tooMany, "Must be at most 100 ids.")
            return nil
        }
        var ids: [EntityID] = []
        for word in words {
            guard let id = EntityID(Text.trimmed(String(word))) else {
                fail("ids", .format, "Must be UUIDs between commas; \"\(Text.excerpt(word))\" is none.")
                return nil
            }
            ids.append(id)
        }
        return ids
    }

    private mutating func time(_ name: String) -> Timestamp? {
        guard let text = plain(name) else { return nil }
        guard let time = Timestamp(text) else {
            fail(name, .format, "Must be an RFC 3339 time like \"2026-01-31T12:00:00Z\".")
            return nil
        }
        return time
    }

    /// Notes every parameter that does not go with another one.
    private func stands(_ name: String, beside companions: Set<String>) {
        for item in items where item.isRead && item.name != name && !companions.contains(item.name) {
            fail(item.name, .conflict, "Does not go with \(name).")
        }
    }

    /// `expand`: what is to be shown by its name beside its id, between commas, in any order.
    ///
    /// - Parameter possible: What there is of it here.
    /// - Returns: What was named, in the order of ``Named``, so that one question has one key.
    mutating func names(_ possible: [Named] = Named.allCases) -> [Named] {
        let words = possible.map(\.rawValue)
        let one = words.joined(separator: "|")
        note(
            "expand",
            .pattern(
                "^(\(one))(,(\(one)))*$",
                description: "Some of \(words.joined(separator: ", ")), between commas."
            ),
            "What is shown by its name beside its id."
        )
        guard let text = plain("expand") else { return [] }
        let asked = Set(text.split(separator: ",", omittingEmptySubsequences: false).map { Text.trimmed(String($0)) })
        for word in asked.sorted() where !words.contains(word) {
            fail("expand", .notAllowed, "Must be some of \(words.joined(separator: ", ")), between commas.")
            break
        }
        return possible.filter { asked.contains($0.rawValue) }
    }

    /// One of the names of an enumeration, which must be given.
    mutating func requiredChoice<T>(_ name: String, else standard: T, _ description: String = "") -> T
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        note(name, .choice(T.allCases.map(\.rawValue)), description, isRequired: true)
        guard plain(name) != nil else {
            require(name)
            return standard
        }
        return named(name) ?? standard
    }

    /// Notes that a parameter must be there.
    private func require(_ name: String) {
        fail(name, .required, "This parameter is required.")
    }

    /// Notes that a parameter is wrong.
    func fail(_ name: String, _ code: FieldError.Code, _ detail: String) {
        errors.add(FieldError("?\(Text.excerpt(name))", code, detail))
    }

    /// Ends the reading.
    ///
    /// - Throws: 400 `invalid_request` naming every parameter that is unknown or wrong; 422 `validation_failed` for a range that
    ///   ends before it begins.
    func finish() throws(Problem) {
        if let malformed { throw malformed }
        for item in items where !item.isRead {
            fail(item.name, .unknownParameter, "This parameter is not known.")
        }
        guard let first = self.errors.list.first else {
            if let reversed { throw reversed }
            return
        }
        let name = first.pointer.dropFirst()
        throw Problem(.invalidRequest, "The parameter \(name): \(first.detail)", errors: self.errors.list)
    }
}

/// Percent-encoding of RFC 3986.
enum PercentEncoding {
    /// The path of a request as part of a URI, whatever bytes came: what may not stand there is encoded, as is a percent sign that
    /// begins nothing, as where a path was cut.
    static func path(_ text: String) -> String {
        let percent = UInt8(ascii: "%")
        guard text.utf8.contains(where: { $0 == percent || !mayStandInPath($0) }) else { return text }
        let source = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count + 16)
        for (place, byte) in source.enumerated() {
            let escape = source.dropFirst(place + 1).prefix(2)
            let isFine =
                byte == percent
                ? escape.count == 2 && escape.allSatisfy { Hexadecimal.value(of: $0) != nil } : mayStandInPath(byte)
            if isFine {
                bytes.append(byte)
            } else {
                bytes.append(percent)
                bytes += Hexadecimal.text([byte]).utf8
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func mayStandInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "?"),
            UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "}"):
            false
        default: (0x21...0x7E).contains(byte)
        }
    }

    /// Decodes text, or answers `nil` if it is malformed or no UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool) -> String? {
        let isPlain = text.utf8.allSatisfy { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+") }
        if isPlain { return String(text) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(Hexadecimal.value(of:)),
                    let low = iterator.next().flatMap(Hexadecimal.value(of:))
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
