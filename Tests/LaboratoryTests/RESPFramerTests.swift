import NIOCore
import TestSupport
import Testing

@Suite("Frames of Redis' protocol")
struct RESPFramerTests {
    static let stream =
        "*3\r\n$7\r\nmessage\r\n$3\r\nbus\r\n$5\r\nA 1 2\r\n" + "+OK\r\n" + ":12\r\n" + "$-1\r\n" + "*-1\r\n" + "*0\r\n"
        + "$4\r\na\r\nb\r\n" + ">3\r\n+message\r\n$1\r\nc\r\n$4\r\nB 12\r\n"
        + "%1\r\n$1\r\nk\r\n*2\r\n:1\r\n*1\r\n#t\r\n" + "|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n" + "_\r\n" + ",1.5\r\n"
        + "PING now\r\n" + "-ERR no\r\n" + "=7\r\ntxt:abc\r\n" + "~2\r\n:1\r\n(99\r\n"

    static let frames = [
        "*3\r\n$7\r\nmessage\r\n$3\r\nbus\r\n$5\r\nA 1 2\r\n", "+OK\r\n", ":12\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n",
        "$4\r\na\r\nb\r\n", ">3\r\n+message\r\n$1\r\nc\r\n$4\r\nB 12\r\n", "%1\r\n$1\r\nk\r\n*2\r\n:1\r\n*1\r\n#t\r\n",
        "|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", "_\r\n", ",1.5\r\n", "PING now\r\n", "-ERR no\r\n", "=7\r\ntxt:abc\r\n",
        "~2\r\n:1\r\n(99\r\n",
    ]

    static func cut(_ bytes: [UInt8], every count: Int) -> (frames: [RESPFramer.Frame], hasFailed: Bool, rest: Int) {
        var framer = RESPFramer()
        var frames: [RESPFramer.Frame] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + count, bytes.count)
            framer.append(ByteBuffer(bytes: bytes[start..<end]))
            while let frame = framer.next() { frames.append(frame) }
            start = end
        }
        return (frames, framer.hasFailed, framer.takeRest().readableBytes)
    }

    @Test("frames are the same however the stream is cut into packets", arguments: [1, 2, 3, 5, 7, 16, 100, 10_000])
    func packets(of count: Int) {
        let (frames, hasFailed, rest) = Self.cut(Array(Self.stream.utf8), every: count)
        #expect(frames.map { String(buffer: $0.bytes) } == Self.frames)
        #expect(!hasFailed)
        #expect(rest == 0)
    }

    @Test("messages are told from everything else, in both versions of the protocol")
    func messages() {
        let frames = Self.cut(Array(Self.stream.utf8), every: 1).frames
        #expect(frames.compactMap(\.message).map { String(buffer: $0) } == ["A 1 2", "B 12"])
        #expect(frames[12].name(0) == "PING")
    }

    @Test(
        "what is no RESP ends the framing and keeps every byte",
        arguments: [
            "*x\r\n", "$5\r\nabcdefgh\r\n", "\r\n", "\n", "?\r\n", "$99999999999\r\n", "*1\r\nGET\r\n",
            "*9999999999999\r\n", "$?\r\n", "*2\r\n:1\r\nX\r\n",
        ]
    )
    func garbage(_ text: String) {
        for count in [1, 3, 100_000] {
            let (frames, hasFailed, rest) = Self.cut(Array("+OK\r\n\(text)".utf8), every: count)
            #expect(frames.count == 1)
            #expect(hasFailed)
            #expect(rest > 0)
        }
    }

    @Test("nesting and lines are bounded")
    func bounds() {
        garbage(String(repeating: "*1\r\n", count: 100))
        garbage(String(repeating: "+", count: 70_000))
    }

    @Test("random damage never traps, and no byte is lost or made up", arguments: 1...20)
    func damage(seed: Int) {
        var random = FaultRandom(seed: UInt64(seed))
        for _ in 0..<200 {
            var bytes = Array(Self.stream.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = bytes.indices.randomElement(using: &random) ?? 0
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = .random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(Array("*$%|>0123456789-\r\n".utf8).randomElement(using: &random) ?? 0, at: place)
                }
            }
            let (frames, _, rest) = Self.cut(bytes, every: Int.random(in: 1...40, using: &random))
            #expect(frames.map { $0.bytes.readableBytes }.reduce(0, +) + rest == bytes.count, "seed \(seed)")
            #expect(frames.flatMap { Array($0.bytes.readableBytesView) } == bytes.dropLast(rest), "seed \(seed)")
        }
    }
}
