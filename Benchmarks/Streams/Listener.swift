import BlockingClient
import CEpoll
import Foundation

/// Many streams, read by one thread.
final class Listener {
    /// One client.
    private struct Stream {
        let shop: Int
        var connection: Connection?
        /// What has come of a line that has not ended.
        var rest: [UInt8] = []
        var isReady = false
        /// The members of the message that is coming.
        var id = 0
        var name = Name.event
        /// The number of the last event.
        var last: Int?
        /// When it comes back.
        var due: ContinuousClock.Instant?
        var retry = Duration.seconds(1)
    }

    private enum Name {
        case event, change, ready, other
    }

    /// What a stream was told: an event by its number, a change by 0.
    private struct Notice {
        let stream: Int32
        let number: Int32
        let time: Double
    }

    private let shops: [Shop]
    private let epoll = epoll_create1(0)
    private var streams: [Stream]
    private var notices: [Notice] = []
    private var ready = 0
    private var ended = 0
    private var port: UInt16 = 0
    private var chunk = [UInt8](repeating: 0, count: 262_144)

    /// How many connections were made beyond the first of each stream.
    private(set) var reconnects = 0

    init(_ shops: [Shop], each: Int) {
        self.shops = shops
        streams = (0..<shops.count * each).map { Stream(shop: $0 % shops.count) }
    }

    var count: Int { streams.count }
    var told: Int { notices.count { $0.number > 0 } }
    var hasAnyEnded: Bool { ended > 0 }
    var areAllBack: Bool { ended >= streams.count && ready == streams.count }

    /// Opens all of them, some at a time, and waits until each follows.
    func open(at port: UInt16) throws {
        self.port = port
        for index in streams.indices {
            try connect(index)
            while index + 1 - ready > 64 { try listen(forMilliseconds: 10, once: true) }
        }
        while ready < streams.count { try listen(forMilliseconds: 10, once: true) }
    }

    /// Where those that end go on.
    func followTo(_ port: UInt16) { self.port = port }

    // MARK: Listening

    /// Takes what comes for a time, or what comes first.
    func listen(forMilliseconds limit: Int, once: Bool = false) throws {
        let end = ContinuousClock.now + .milliseconds(limit)
        var events = [epoll_event](repeating: epoll_event(), count: 1024)
        repeat {
            let left = max(0, Int32((end - .now) / .milliseconds(1)))
            let count = epoll_wait(epoll, &events, Int32(events.count), left)
            for number in 0..<max(0, Int(count)) { try read(Int(events[number].data.u64)) }
            if ended > 0 { try comeBack() }
        } while !once && .now < end
    }

    private func read(_ index: Int) throws {
        guard let connection = streams[index].connection else { return }
        let count = recv(connection.descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { return gone(index) }
        let time = Date().timeIntervalSince1970
        var start = 0
        while let end = chunk[start..<count].firstIndex(of: UInt8(ascii: "\n")) {
            if chunk[start..<end].starts(with: "HTTP/1.1 ".utf8), !chunk[start..<end].starts(with: "HTTP/1.1 200".utf8)
            {
                throw Failure(text: "a stream was refused: \(String(decoding: chunk[start..<count], as: UTF8.self))")
            }
            if streams[index].rest.isEmpty {
                try take(chunk[start..<end], index, time)
            } else {
                let line = streams[index].rest + chunk[start..<end]
                streams[index].rest.removeAll(keepingCapacity: true)
                try take(line[...], index, time)
            }
            start = end + 1
        }
        if start < count { streams[index].rest += chunk[start..<count] }
    }

    /// One line: of the head, of a message, or the size of a chunk, which is none of a message's.
    private func take(_ line: ArraySlice<UInt8>, _ index: Int, _ time: Double) throws {
        func value(_ name: StaticString) -> String? {
            guard line.count >= name.utf8CodeUnitCount,
                memcmp(Array(line.prefix(name.utf8CodeUnitCount)), name.utf8Start, name.utf8CodeUnitCount) == 0
            else { return nil }
            return String(decoding: line.dropFirst(name.utf8CodeUnitCount), as: UTF8.self)
        }
        if let text = value("id: ") {
            streams[index].id = Int(text) ?? 0
        } else if let text = value("event: ") {
            streams[index].name =
                switch text {
                case "change": .change
                case "ready": .ready
                default: .other
                }
        } else if let text = value("retry: ") {
            streams[index].retry = .milliseconds(Int(text) ?? 1000)
        } else if value("data: ") != nil {
            try message(index, time)
        }
    }

    /// A message is on its last line.
    private func message(_ index: Int, _ time: Double) throws {
        defer { (streams[index].name, streams[index].id) = (.event, 0) }
        let number = streams[index].id
        switch streams[index].name {
        case .event:
            if let last = streams[index].last, number != last + 1 {
                throw Failure(text: "a stream of \(shops[streams[index].shop].slug) was told \(number) after \(last)")
            }
            streams[index].last = number
            notices.append(Notice(stream: Int32(index), number: Int32(number), time: time))
        case .change:
            notices.append(Notice(stream: Int32(index), number: 0, time: time))
        case .ready:
            if !streams[index].isReady { ready += 1 }
            streams[index].isReady = true
            if streams[index].last == nil { streams[index].last = number }
        case .other:
            break
        }
    }

    // MARK: Connections

    private func connect(_ index: Int) throws {
        let connection = try Connection(port: port)
        let resumed = streams[index].last.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        let request = Array(
            """
            GET /v1/events/stream?changes=true HTTP/1.1\r
            Host: localhost\r
            Authorization: Bearer \(shops[streams[index].shop].token)\r
            \(resumed)\r

            """.utf8
        )
        try connection.ask(request)
        streams[index].connection = connection
        streams[index].rest.removeAll()
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = UInt64(index)
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, connection.descriptor, &event) == 0 else {
            throw Failure(text: "epoll: \(errno)")
        }
    }

    private func gone(_ index: Int) {
        // Closed with the last that holds it, and by that no longer watched.
        streams[index].connection = nil
        if streams[index].isReady { ready -= 1 }
        streams[index].isReady = false
        streams[index].due = .now + streams[index].retry
        ended += 1
    }

    private func comeBack() throws {
        let now = ContinuousClock.now
        for index in streams.indices {
            guard let due = streams[index].due, due <= now else { continue }
            streams[index].due = nil
            reconnects += 1
            try connect(index)
        }
    }

    // MARK: What came

    /// Holds the streams of a shop against each other: all have come as far, and none had a hole or anything twice on its way.
    func expectEverythingOnce() throws {
        for (number, shop) in shops.enumerated() {
            let last = Set(streams.filter { $0.shop == number }.map { $0.last ?? 0 })
            guard last.count == 1 else { throw Failure(text: "the streams of \(shop.slug) are at \(last.sorted())") }
        }
    }

    /// Writes what was told, a line each.
    func write(to path: String) throws {
        var text = ""
        text.reserveCapacity(notices.count * 40)
        for notice in notices {
            let kind = notice.number == 0 ? "change" : "event"
            let slug = shops[streams[Int(notice.stream)].shop].slug
            text += "\(slug)\t\(notice.stream)\t\(kind)\t\(notice.number)\t\(String(format: "%.6f", notice.time))\n"
        }
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }
}
