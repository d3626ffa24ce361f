/// Finds where `self.` is written though the language does not ask for it.
///
/// It asks for it in a closure, which may outlive the call, and where a local name hides the member. Closures are passed over whole,
/// and so is a name that its function binds anywhere: what is found can be left out without another thought.
struct SelfReader {
    /// A place where `self.` could be left out.
    struct Place: Equatable {
        let line: Int
        /// Where in the bytes of the text `self` begins.
        let offset: Int
        let name: String
    }

    private struct Token {
        let text: String
        let offset: Int
        let line: Int
        var isWord: Bool { text.utf8.first.map { SelfReader.isWord($0) } ?? false }
    }

    /// What stands between two braces.
    private enum Kind {
        case type
        /// A function, an initialiser, an accessor.
        case function
        /// The body of an `if`, a loop and their like.
        case block
        case closure
    }

    /// The statement that a brace would belong to.
    private enum Header {
        case none, type, function, block
        /// `var` or `let`; with an `=` its braces are a closure's.
        case variable(isAssigned: Bool)
    }

    private struct Frame {
        let kind: Kind
        /// The first token of its declaration.
        let start: Int
        /// What the text around it was in the middle of.
        let header: Header
        let depth: Int
    }

    private let tokens: [Token]

    init(_ text: String) {
        tokens = Self.tokens(of: Array(text.utf8))
    }

    // MARK: Judging

    private static let openers: [String: Header] = [
        "struct": .type, "class": .type, "actor": .type, "enum": .type, "extension": .type, "protocol": .type,
        "func": .function, "init": .function, "deinit": .function, "subscript": .function, "get": .function,
        "set": .function, "willSet": .function, "didSet": .function, "_read": .function, "_modify": .function,
        "if": .block, "else": .block, "guard": .block, "while": .block, "for": .block, "repeat": .block,
        "switch": .block, "do": .block, "catch": .block, "defer": .block,
        "return": .none, "throw": .none, "case": .none, "default": .none,
    ]

    private static func kind(of header: Header) -> Kind {
        switch header {
        case .none, .variable(isAssigned: true): .closure
        case .type: .type
        case .function, .variable(isAssigned: false): .function
        case .block: .block
        }
    }

    /// Where `self.` could be left out.
    func places() -> [Place] {
        var places: [Place] = []
        var frames: [Frame] = []
        var header = Header.none
        var start = 0
        var depth = 0
        /// Each with the first token of its function.
        var found: [(place: Place, function: Int)] = []
        /// Where functions end, by their first token.
        var ends: [Int: Int] = [:]
        for (index, token) in tokens.enumerated() {
            let previous = index > 0 ? tokens[index - 1].text : ""
            if depth == 0, index > 0, tokens[index - 1].line < token.line, case .variable(isAssigned: false) = header {
                header = .none
            }
            switch token.text {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case ";": if depth == 0 { header = .none }
            case "=":
                if depth == 0, case .variable = header { header = .variable(isAssigned: true) }
            case "{":
                // Between parentheses a brace is a closure's, whatever statement it stands in.
                let kind = depth > 0 ? .closure : Self.kind(of: header)
                frames.append(Frame(kind: kind, start: start, header: header, depth: depth))
                (header, depth) = (.none, 0)
            case "}":
                guard let frame = frames.popLast() else { return places }
                if frame.kind == .function { ends[frame.start] = index }
                (header, start, depth) = (frame.kind == .closure ? frame.header : .none, frame.start, frame.depth)
            case "self":
                guard index + 2 < tokens.count, tokens[index + 1].text == ".", previous != "." else { break }
                let name = tokens[index + 2]
                guard name.isWord, name.line == token.line, !Self.keywords.contains(name.text) else { break }
                // The outermost function below the nearest type, with no closure on the way.
                let own = frames.suffix(while: { $0.kind != .type })
                guard !own.contains(where: { $0.kind == .closure }) else { break }
                guard let function = own.first(where: { $0.kind == .function }) else { break }
                found.append((Place(line: token.line, offset: token.offset, name: name.text), function.start))
            default:
                guard depth == 0, previous != ".", previous != "#" else { break }
                switch token.text {
                case "let", "var":
                    if ["if", "guard", "while", "case", "catch", "for", ","].contains(previous) { break }
                    (header, start) = (.variable(isAssigned: false), index)
                case "class" where index + 1 < tokens.count && ["func", "var", "let"].contains(tokens[index + 1].text):
                    break
                case "actor" where index + 1 < tokens.count && !tokens[index + 1].isWord: break
                case "get", "set", "willSet", "didSet":
                    guard index + 1 < tokens.count, ["{", "("].contains(tokens[index + 1].text) else { break }
                    guard case .none = header else { break }
                    (header, start) = (.function, index)
                case "case" where ["if", "guard", "while", "for", ","].contains(previous): break
                default:
                    guard let opened = Self.openers[token.text] else { break }
                    (header, start) = (opened, index)
                }
            }
        }
        var bound: [Int: Set<String>] = [:]
        for (place, function) in found {
            let names = bound[function] ?? names(from: function, through: ends[function] ?? tokens.count - 1)
            bound[function] = names
            if !names.contains(place.name) { places.append(place) }
        }
        return places
    }

    /// Every name that is bound between two tokens: parameters, constants, variables, functions and what a pattern takes apart.
    private func names(from first: Int, through last: Int) -> Set<String> {
        var names: Set<String> = ["error", "newValue", "oldValue"]
        var index = first
        while index <= last {
            let token = tokens[index]
            let next = index < last ? tokens[index + 1].text : ""
            switch token.text {
            case "let", "var", "for", "func", "case":
                // All words of the pattern: up to what ends it.
                var depth = 0
                var at = index + 1
                pattern: while at <= last {
                    switch tokens[at].text {
                    case "(": depth += 1
                    case ")":
                        depth -= 1
                        if depth < 0 { break pattern }
                    case "=", "{", "}", "in", ":": if depth == 0 { break pattern }
                    default: if tokens[at].isWord { names.insert(tokens[at].text) }
                    }
                    if depth == 0, tokens[at].text == ")" { break pattern }
                    if depth == 0, at < last, tokens[at + 1].line > tokens[at].line { break pattern }
                    at += 1
                }
            case ",", "(":
                // `, other = 1`
                if index + 2 <= last, tokens[index + 1].isWord, ["=", ":"].contains(tokens[index + 2].text) {
                    names.insert(next)
                }
                // `(_ name: Type`
                if index + 3 <= last, tokens[index + 1].isWord, tokens[index + 2].isWord,
                    tokens[index + 3].text == ":"
                {
                    names.insert(tokens[index + 2].text)
                }
            default: break
            }
            index += 1
        }
        return names
    }

    private static let keywords: Set<String> = [
        "init", "self", "default", "repeat", "in", "is", "as", "where", "case", "switch", "for", "if", "extension",
        "operator", "import", "internal", "public", "private", "func", "var", "let", "return", "throw", "try", "class",
        "struct", "enum", "protocol", "static", "subscript", "super", "nil", "true", "false", "do", "catch", "guard",
        "defer", "else", "while", "break", "continue", "Type", "Self",
    ]

    // MARK: Words

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "`"), 0x80...:
            true
        default: false
        }
    }

    /// Words and signs; comments and strings are left out, except for the code that a string holds.
    private static func tokens(of bytes: [UInt8]) -> [Token] {
        var tokens: [Token] = []
        var line = 1
        var index = 0
        /// Strings that are open around the code read, each with its hashes, quotes, and the brackets open in its code.
        var strings: [(hashes: Int, quotes: Int, brackets: Int)] = []
        func at(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
        func count(_ byte: UInt8, from start: Int) -> Int {
            var end = start
            while at(end) == byte { end += 1 }
            return end - start
        }
        /// Reads on in the string that is last, up to its end or to code in it.
        func readString() {
            guard let string = strings.last else { return }
            while index < bytes.count {
                if at(index) == UInt8(ascii: "\\"), count(UInt8(ascii: "#"), from: index + 1) >= string.hashes {
                    index += 1 + string.hashes
                    if at(index) == UInt8(ascii: "(") {
                        index += 1
                        return
                    }
                    if at(index) == UInt8(ascii: "\n") { line += 1 }
                    index += 1
                } else if at(index) == UInt8(ascii: "\""),
                    count(UInt8(ascii: "\""), from: index) >= string.quotes,
                    count(UInt8(ascii: "#"), from: index + string.quotes) >= string.hashes
                {
                    index += string.quotes + string.hashes
                    strings.removeLast()
                    return
                } else {
                    if at(index) == UInt8(ascii: "\n") { line += 1 }
                    index += 1
                }
            }
        }
        while index < bytes.count {
            let byte = at(index)
            let hashes = count(UInt8(ascii: "#"), from: index)
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                index += 1
            case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "/"):
                while index < bytes.count, at(index) != UInt8(ascii: "\n") { index += 1 }
            case UInt8(ascii: "\""),
                UInt8(ascii: "#") where at(index + hashes) == UInt8(ascii: "\""):
                index += hashes
                let quotes = count(UInt8(ascii: "\""), from: index) >= 3 ? 3 : 1
                index += quotes
                strings.append((hashes, quotes, 0))
                readString()
            case _ where isWord(byte):
                let begin = index
                while isWord(at(index)) { index += 1 }
                let word = String(decoding: bytes[begin..<index], as: UTF8.self)
                tokens.append(Token(text: word, offset: begin, line: line))
            case UInt8(ascii: " "), UInt8(ascii: "\t"): index += 1
            default:
                if let last = strings.indices.last {
                    if byte == UInt8(ascii: "(") { strings[last].brackets += 1 }
                    if byte == UInt8(ascii: ")") {
                        strings[last].brackets -= 1
                        if strings[last].brackets < 0 {
                            index += 1
                            readString()
                            continue
                        }
                    }
                }
                // `==`, `!=` and their like are no assignment.
                let length = at(index + 1) == UInt8(ascii: "=") && "=!<>+-*/%&|^".utf8.contains(byte) ? 2 : 1
                let sign = String(decoding: bytes[index..<index + length], as: UTF8.self)
                tokens.append(Token(text: sign, offset: index, line: line))
                index += length
            }
        }
        return tokens
    }
}

extension Array {
    /// The longest end all of whose elements do something.
    fileprivate func suffix(while holds: (Element) -> Bool) -> ArraySlice<Element> {
        self[(lastIndex { !holds($0) }.map { $0 + 1 } ?? 0)...]
    }
}
