/// What a subject of the history is: something whose revision an answer shows.
package enum SubjectKind: String, Sendable {
    /// A product; its `version` is the revision.
    case product
    /// A category, whose module may be served stale when the database is away.
    case category
    /// Income of one tenant's sales of 1.00; the revision is their number, so that writers need no order among each other.
    case series

    /// Whether an answer marked stale is allowed (the modules called RELAXED).
    var isRelaxed: Bool { self == .category }
}

/// Where an answer came from, by its `Cache-Status`.
package enum AnswerSource: UInt8, Sendable, CaseIterable {
    case other
    case l1
    case l2
    case miss
    case bypass
    case stale

    /// The letter in a recorded history.
    var letter: Character {
        switch self {
        case .other: "o"
        case .l1: "1"
        case .l2: "2"
        case .miss: "m"
        case .bypass: "b"
        case .stale: "s"
        }
    }

    /// The name in reports.
    package var name: String {
        switch self {
        case .other: "other"
        case .l1: "l1"
        case .l2: "l2"
        case .miss: "miss"
        case .bypass: "bypass"
        case .stale: "stale"
        }
    }

    init?(letter: Substring) {
        guard let found = Self.allCases.first(where: { letter == "\($0.letter)" }) else { return nil }
        self = found
    }
}

/// A subject and the revision of it that an answer showed.
package struct Sighting: Sendable, Equatable {
    /// The subject's number.
    package var subject: Int
    /// The revision.
    package var revision: Int64

    /// Makes a sighting.
    package init(subject: Int, revision: Int64) {
        self.subject = subject
        self.revision = revision
    }
}

/// A read as the history knows it; times are microseconds of one clock.
package struct ReadEvent: Sendable, Equatable {
    /// Noted before the request was sent.
    package var start: Int64
    /// Noted when the answer was there.
    package var end: Int64
    /// The instance that answered.
    package var instance: Int
    /// The session whose token the request carried; 0 without one.
    package var session: Int
    /// Whether the answer carried a token, which the session goes on with.
    package var renewsToken: Bool
    /// Where the answer came from.
    package var source: AnswerSource
    /// What was asked for: equal paths, equal numbers.
    package var path: Int
    /// A hash of the entity tag; 0 without one.
    package var etag: UInt64
    /// A hash of the body.
    package var body: UInt64
    /// Whether the body is of what was asked for.
    package var isWanted: Bool

    /// Makes a read.
    package init(
        start: Int64,
        end: Int64,
        instance: Int,
        session: Int = 0,
        renewsToken: Bool = false,
        source: AnswerSource = .l1,
        path: Int = 0,
        etag: UInt64 = 0,
        body: UInt64 = 0,
        isWanted: Bool = true
    ) {
        self.start = start
        self.end = end
        self.instance = instance
        self.session = session
        self.renewsToken = renewsToken
        self.source = source
        self.path = path
        self.etag = etag
        self.body = body
        self.isWanted = isWanted
    }
}

/// One event of a history, in the order in which the oracle sees them.
package enum HistoryEvent: Sendable, Equatable {
    /// There is an instance of this name.
    case instance(Int, name: String)
    /// There is a subject, at a revision.
    case subject(Int, SubjectKind, revision: Int64, name: String)
    /// A write is about to be sent.
    case begun(time: Int64, subject: Int)
    /// A write is known to be committed.
    ///
    /// `isDirect`: the instance itself executed it and answered, so that it must show it at once. `session`: whose token now stands
    /// for it; 0 for none.
    case acknowledged(time: Int64, subject: Int, instance: Int, isDirect: Bool, session: Int)
    /// A read was answered.
    case read(ReadEvent, [Sighting])
    /// A session begins anew, without a token.
    case sessionBegins(Int)
    /// The database was replaced by an older one: its revision counts from now on.
    case replaced(time: Int64, subject: Int, revision: Int64)
    /// Something for people: a fault begins or ends.
    case note(time: Int64, String)
}

/// A history as lines of text, one an event.
///
/// Words are separated by blanks, times are microseconds since the beginning, hashes are hexadecimal:
/// ```
/// i 0 i0                            instance 0 is called i0
/// k 3 product 7 SKU-3               subject 3 is a product at revision 7
/// b 1200 3                          a write to subject 3 is about to be sent
/// w 4300 3 0 d 2                    and is acknowledged by instance 0: d directly, r found out later; token of session 2
/// r 5000 5400 1 0 - 1 3 9f 31c0 3=8 read from 5000 to 5400 on instance 1 without session; "+" had a token in its answer;
///                                   from l1; path 3; hashes of ETag and body (or ! for a foreign one); subject 3 at revision 8
/// s 2                               session 2 begins anew
/// z 9000 3 7                        the database was replaced: subject 3 is at revision 7
/// # 9000 kill i0                    for people
/// ```
package enum HistoryFormat {
    /// The first line of a file.
    package static let header = "# stock coherence history 1"

    /// Appends the line of an event.
    package static func append(_ event: HistoryEvent, to bytes: inout [UInt8]) {
        switch event {
        case .instance(let number, let name):
            bytes.append(contentsOf: "i \(number) \(name)\n".utf8)
        case .subject(let number, let kind, let revision, let name):
            bytes.append(contentsOf: "k \(number) \(kind.rawValue) \(revision) \(name)\n".utf8)
        case .begun(let time, let subject):
            bytes.append(contentsOf: "b \(time) \(subject)\n".utf8)
        case .acknowledged(let time, let subject, let instance, let isDirect, let session):
            bytes.append(contentsOf: "w \(time) \(subject) \(instance) \(isDirect ? "d" : "r") \(session)\n".utf8)
        case .read(let read, let sightings):
            append(read, sightings, to: &bytes)
        case .sessionBegins(let session):
            bytes.append(contentsOf: "s \(session)\n".utf8)
        case .replaced(let time, let subject, let revision):
            bytes.append(contentsOf: "z \(time) \(subject) \(revision)\n".utf8)
        case .note(let time, let text):
            let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
            bytes.append(contentsOf: "# \(time) \(line)\n".utf8)
        }
    }

    /// Appends the line of a read without making a string of it: this runs thousands of times a second.
    static func append(_ read: ReadEvent, _ sightings: [Sighting], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "r"))
        for number in [read.start, read.end, Int64(read.instance), Int64(read.session)] {
            append(number, to: &bytes)
        }
        bytes.append(UInt8(ascii: " "))
        bytes.append(read.renewsToken ? UInt8(ascii: "+") : UInt8(ascii: "-"))
        bytes.append(UInt8(ascii: " "))
        bytes.append(read.source.letter.asciiValue ?? UInt8(ascii: "o"))
        append(Int64(read.path), to: &bytes)
        append(hexadecimal: read.etag, to: &bytes)
        if read.isWanted {
            append(hexadecimal: read.body, to: &bytes)
        } else {
            bytes.append(contentsOf: " !".utf8)
        }
        for sighting in sightings {
            append(Int64(sighting.subject), to: &bytes)
            bytes.append(UInt8(ascii: "="))
            append(sighting.revision, to: &bytes, separated: false)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func append(_ number: Int64, to bytes: inout [UInt8], separated: Bool = true) {
        if separated { bytes.append(UInt8(ascii: " ")) }
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    private static func append(hexadecimal number: UInt64, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: " "))
        var rest = number
        let start = bytes.count
        repeat {
            let digit = UInt8(rest & 15)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest >>= 4
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Reads a line; nil for an empty one.
    ///
    /// - Throws: ``HistoryError`` for one that is no event.
    package static func event(_ line: Substring) throws(HistoryError) -> HistoryEvent? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard let kind = words.first, !line.isEmpty else { return nil }
        func number<Number: FixedWidthInteger>(_ index: Int) throws(HistoryError) -> Number {
            guard words.indices.contains(index), let number = Number(words[index]) else {
                throw HistoryError(line: String(line))
            }
            return number
        }
        func rest(_ index: Int) -> String {
            words.dropFirst(index).joined(separator: " ")
        }
        switch kind {
        case "i":
            return .instance(try number(1), name: rest(2))
        case "k":
            guard words.count >= 4, let kind = SubjectKind(rawValue: String(words[2])) else {
                throw HistoryError(line: String(line))
            }
            return .subject(try number(1), kind, revision: try number(3), name: rest(4))
        case "b":
            return .begun(time: try number(1), subject: try number(2))
        case "w":
            guard words.count == 6, words[4] == "d" || words[4] == "r" else { throw HistoryError(line: String(line)) }
            return .acknowledged(
                time: try number(1),
                subject: try number(2),
                instance: try number(3),
                isDirect: words[4] == "d",
                session: try number(5)
            )
        case "r":
            return try read(words, line)
        case "s":
            return .sessionBegins(try number(1))
        case "z":
            return .replaced(time: try number(1), subject: try number(2), revision: try number(3))
        case "#":
            guard words.count >= 2, let time = Int64(words[1]) else { return nil }
            return .note(time: time, rest(2))
        default:
            throw HistoryError(line: String(line))
        }
    }

    private static func read(_ words: [Substring], _ line: Substring) throws(HistoryError) -> HistoryEvent {
        guard words.count >= 10, let start = Int64(words[1]), let end = Int64(words[2]), let instance = Int(words[3]),
            let session = Int(words[4]), let source = AnswerSource(letter: words[6]), let path = Int(words[7]),
            let etag = UInt64(words[8], radix: 16)
        else { throw HistoryError(line: String(line)) }
        let isWanted = words[9] != "!"
        var read = ReadEvent(start: start, end: end, instance: instance, session: session)
        read.renewsToken = words[5] == "+"
        read.source = source
        read.path = path
        read.etag = etag
        read.isWanted = isWanted
        if isWanted {
            guard let body = UInt64(words[9], radix: 16) else { throw HistoryError(line: String(line)) }
            read.body = body
        }
        var sightings: [Sighting] = []
        for word in words.dropFirst(10) {
            guard let equals = word.firstIndex(of: "="), let subject = Int(word[..<equals]),
                let revision = Int64(word[word.index(after: equals)...])
            else { throw HistoryError(line: String(line)) }
            sightings.append(Sighting(subject: subject, revision: revision))
        }
        return .read(read, sightings)
    }
}

/// A line that is no event of a history.
package struct HistoryError: Error, CustomStringConvertible {
    /// The line.
    package let line: String

    package var description: String { "not a line of a history: \(line.prefix(200))" }
}
