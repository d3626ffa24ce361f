package import NIOCore

/// Cuts a stream of Redis' protocol, RESP2 or RESP3 and either way, into whole frames without changing a byte.
///
/// Incremental: each byte is looked at once, however the stream was cut into packets. Bytes that are no RESP end the framing, not the process:
/// from then on ``hasFailed`` holds, and whoever forwards passes everything on as it is.
package struct RESPFramer: Sendable {
    /// One command, reply or push.
    package struct Frame: Sendable {
        /// The frame as it came, to be forwarded as it is.
        package let bytes: ByteBuffer
        /// The first byte: `*`, `>`, `+`, ...; a letter for an inline command.
        package let kind: UInt8
        /// The strings directly within an array or push, at most ``RESPFramer/mostWords``; those of an inline command.
        package let words: [ByteBuffer]

        /// A word as capital letters, as names of commands are compared.
        package func name(_ index: Int) -> String {
            words.indices.contains(index) ? String(buffer: words[index]).uppercased() : ""
        }

        /// The text of a message that was published, if this is one.
        package var message: ByteBuffer? {
            guard kind == UInt8(ascii: "*") || kind == UInt8(ascii: ">"), words.count >= 3 else { return nil }
            switch name(0) {
            case "MESSAGE", "SMESSAGE": return words[2]
            case "PMESSAGE" where words.count >= 4: return words[3]
            default: return nil
            }
        }
    }

    /// How many words of a frame are remembered.
    package static let mostWords = 4
    private static let deepest = 32
    private static let longestLine = 65_536
    private static let longestBulk = 512 << 20
    private static let mostElements = 1 << 20

    /// Whether the stream turned out not to be RESP.
    package private(set) var hasFailed = false

    private var buffer = ByteBuffer()
    /// How much of the buffer, from its reader index, was already understood.
    private var position = 0
    /// How much of it was searched for the end of the line that begins at `position`.
    private var searched = 0
    /// How many elements are missing in each open aggregate, the outermost first.
    private var missing: [Int] = []
    /// The length of a bulk string whose head was read.
    private var bulk: Int?
    private var kind: UInt8 = 0
    private var words: [Range<Int>] = []
    private var isStarted = false

    /// Makes a framer at the beginning of a stream.
    package init() {}

    /// Adds what was received.
    package mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        buffer.writeBuffer(&bytes)
    }

    /// All bytes that do not belong to a frame already returned, for a stream that is no longer to be cut.
    package mutating func takeRest() -> ByteBuffer {
        let rest = buffer.slice()
        self = RESPFramer(failed: hasFailed)
        return rest
    }

    private init(failed: Bool) {
        hasFailed = failed
    }

    /// The next whole frame; nil until more bytes have come, or for ever after garbage.
    package mutating func next() -> Frame? {
        guard !hasFailed else { return nil }
        while true {
            let isComplete: Bool?
            if let length = bulk {
                isComplete = readBulk(length)
            } else {
                isComplete = readHead()
            }
            guard let isComplete, !hasFailed else { return nil }
            if isComplete { return finish() }
        }
    }

    private mutating func finish() -> Frame? {
        let start = buffer.readerIndex
        let found = words.compactMap { buffer.getSlice(at: start + $0.lowerBound, length: $0.count) }
        guard let bytes = buffer.readSlice(length: position) else { return nil }
        let frame = Frame(bytes: bytes, kind: kind, words: found)
        buffer.discardReadBytes()
        position = 0
        searched = 0
        words = []
        isStarted = false
        return frame
    }

    /// Reads the end of a bulk string; nil when it has not come whole, else whether the frame is complete.
    private mutating func readBulk(_ length: Int) -> Bool? {
        guard buffer.readableBytes - position >= length + 2 else { return nil }
        let end = buffer.readerIndex + position + length
        guard buffer.getInteger(at: end, as: UInt16.self) == 0x0d0a else { return fail() }
        remember(position..<position + length)
        position += length + 2
        searched = position
        bulk = nil
        return endElement()
    }

    /// Reads a line: a simple value, or the head of one that is not; nil when it has not come whole.
    private mutating func readHead() -> Bool? {
        guard let end = endOfLine() else { return nil }
        let line = position..<end
        position = end + 2
        searched = position
        guard let first = buffer.getInteger(at: buffer.readerIndex + line.lowerBound, as: UInt8.self), !line.isEmpty
        else { return fail() }
        let isOutermost = !isStarted
        if isOutermost {
            kind = first
            isStarted = true
        }
        switch first {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "#"),
            UInt8(ascii: "("), UInt8(ascii: "_"):
            remember(line.lowerBound + 1..<line.upperBound)
            return endElement()
        case UInt8(ascii: "$"), UInt8(ascii: "!"), UInt8(ascii: "="):
            guard let length = number(line), length >= -1, length <= Self.longestBulk else { return fail() }
            if length < 0 { return endElement() }
            bulk = length
            return false
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"):
            return open(line, elementsEach: 1)
        case UInt8(ascii: "%"):
            return open(line, elementsEach: 2)
        case UInt8(ascii: "|"):
            // Attributes come before the value they belong to.
            return open(line, elementsEach: 2, further: 1)
        default:
            let isLetter = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first & 0xdf)
            guard isOutermost, isLetter else { return fail() }
            var start = line.lowerBound
            for index in line.lowerBound...line.upperBound {
                let isEnd =
                    index == line.upperBound
                    || buffer.getInteger(at: buffer.readerIndex + index, as: UInt8.self) == UInt8(ascii: " ")
                if isEnd {
                    if index > start, words.count < Self.mostWords { words.append(start..<index) }
                    start = index + 1
                }
            }
            return true
        }
    }

    private mutating func open(_ line: Range<Int>, elementsEach: Int, further: Int = 0) -> Bool? {
        guard let count = number(line), count >= -1, count <= Self.mostElements, missing.count < Self.deepest else {
            return fail()
        }
        let elements = max(count, 0) * elementsEach + further
        if elements == 0 { return endElement() }
        missing.append(elements)
        return false
    }

    /// Counts a finished value; whether it was the last of the frame.
    private mutating func endElement() -> Bool {
        while let last = missing.last {
            if last > 1 {
                missing[missing.count - 1] = last - 1
                return false
            }
            missing.removeLast()
        }
        return true
    }

    private mutating func remember(_ range: Range<Int>) {
        if missing.count == 1, words.count < Self.mostWords { words.append(range) }
    }

    /// The place of the CR of the line that begins at `position`.
    private mutating func endOfLine() -> Int? {
        let view = buffer.readableBytesView
        var index = view.startIndex + searched
        while index < view.endIndex {
            if view[index] == UInt8(ascii: "\n") {
                let end = index - view.startIndex - 1
                guard end >= position, view[index - 1] == UInt8(ascii: "\r") else {
                    _ = fail()
                    return nil
                }
                return end
            }
            index += 1
        }
        searched = view.count
        if searched - position > Self.longestLine { _ = fail() }
        return nil
    }

    /// The number after a line's first byte, at most ten digits; `?` and anything else is none.
    private func number(_ line: Range<Int>) -> Int? {
        let start = buffer.readerIndex + line.lowerBound + 1
        guard line.count >= 2, line.count <= 12,
            let text = buffer.getString(at: start, length: line.count - 1)
        else { return nil }
        return Int(text)
    }

    private mutating func fail() -> Bool? {
        hasFailed = true
        return nil
    }
}
