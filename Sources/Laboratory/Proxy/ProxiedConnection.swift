import DequeModule
import Glibc
import NIOCore
import NIOPosix

/// A client's connection through a proxy and the one to the server that belongs to it; confined to their event loop.
final class ProxiedConnection {
    enum Side {
        case client
        case server

        var other: Side { self == .client ? .server : .client }
    }

    /// The bytes that came from one side and are on their way to the other.
    private struct Direction {
        enum Item {
            case bytes(ByteBuffer)
            case end
        }

        var queue: Deque<(due: NIODeadline, item: Item)> = []
        var queuedBytes = 0
        var framer: RESPFramer?
        /// A message that waits to change places with the next.
        var swapped: ByteBuffer?
        var timer: Scheduled<Void>?
        /// Whether the source was read from and may be again once there is room.
        var isPaused = true
        var isAtEnd = false
    }

    /// What a direction keeps before its source is not read any more.
    private static let mostQueued = 4 << 20
    /// What a connection may ask before it is known which link it belongs to.
    private static let handshake: Set<String> = ["AUTH", "HELLO", "SELECT", "CLIENT"]

    private let kind: ProxyServer.Kind
    private let client: any Channel
    private var server: (any Channel)?
    private var fromClient = Direction()
    private var fromServer = Direction()
    private var link: LinkProxy?
    private var isClosed = false

    init(kind: ProxyServer.Kind, client: any Channel) {
        self.kind = kind
        self.client = client
        if case .redis = kind {
            fromClient.framer = RESPFramer()
            fromServer.framer = RESPFramer()
        }
    }

    // MARK: Connecting and closing

    func connect(to target: ProxyServer.Target) {
        for link in kind.links where !kind.links.contains(where: { !$0.behaviour.refuses }) {
            link.count { $0.connections += 1 }
            return close(reset: true)
        }
        if case .bytes(let link) = kind { decide(link) }
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        let bootstrap = ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProxyHandler(bound.value, .server))
                }
            }
        let connected =
            switch target {
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            case .port(let port): bootstrap.connect(host: "127.0.0.1", port: port)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                self.server = channel
                guard !self.isClosed else { return self.close(reset: true) }
                self.resumeReading(.client)
                self.resumeReading(.server)
                self.pump(.client)
            case .failure:
                self.close(reset: true)
            }
        }
    }

    func close(reset: Bool) {
        isClosed = true
        link?.remove(self)
        for direction in [fromClient, fromServer] { direction.timer?.cancel() }
        fromClient.queue = []
        fromServer.queue = []
        for channel in [client, server].compactMap({ $0 }) where channel.isActive {
            if reset {
                (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in
                }
            }
            channel.close(promise: nil)
        }
    }

    /// A side has ended its connection.
    func ended(_ side: Side) {
        guard !isClosed, !direction(from: side).isAtEnd else { return }
        change(side) { $0.isAtEnd = true }
        enqueue(.end, from: side)
        if fromClient.isAtEnd, fromServer.isAtEnd { close(reset: false) }
    }

    // MARK: Bytes

    func received(_ bytes: ByteBuffer, from side: Side) {
        guard !isClosed else { return }
        switch side {
        case .client: receivedFromClient(bytes)
        case .server: receivedFromServer(bytes)
        }
    }

    /// All that could be read at once was.
    func readCompleted(_ side: Side) {
        change(side) { $0.isPaused = true }
        resumeReading(side)
    }

    /// A side takes bytes again.
    func becameWritable(_ side: Side) {
        resumeReading(side.other)
    }

    /// The link does something else from now on.
    func behaviourChanged() {
        for side in [Side.client, .server] {
            if let message = direction(from: side).swapped {
                change(side) { $0.swapped = nil }
                enqueue(.bytes(message), from: side)
            }
            change(side) {
                $0.timer?.cancel()
                $0.timer = nil
            }
            pump(side)
            resumeReading(side)
        }
    }

    private func receivedFromClient(_ bytes: ByteBuffer) {
        guard fromClient.framer != nil else { return enqueue(.bytes(bytes), from: .client) }
        // Redis, and not yet known whether for commands or the bus.
        fromClient.framer?.append(bytes)
        while let frame = fromClient.framer?.next() {
            guard !Self.handshake.contains(frame.name(0)) else {
                enqueue(.bytes(frame.bytes), from: .client)
                continue
            }
            classify(isBus: ["SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE"].contains(frame.name(0)))
            guard !isClosed else { return }
            enqueue(.bytes(frame.bytes), from: .client)
            break
        }
        guard var framer = fromClient.framer, link != nil || framer.hasFailed else { return }
        if link == nil { classify(isBus: false) }
        guard !isClosed else { return }
        fromClient.framer = nil
        let rest = framer.takeRest()
        if rest.readableBytes > 0 { enqueue(.bytes(rest), from: .client) }
    }

    private func classify(isBus: Bool) {
        guard case .redis(let commands, let bus) = kind else { return }
        decide(isBus ? bus : commands)
        guard !isClosed, !isBus, var framer = fromServer.framer else { return }
        fromServer.framer = nil
        let rest = framer.takeRest()
        if rest.readableBytes > 0 { enqueue(.bytes(rest), from: .server) }
    }

    private func decide(_ link: LinkProxy) {
        self.link = link
        link.add(self)
        if link.behaviour.refuses { close(reset: true) }
    }

    private func receivedFromServer(_ bytes: ByteBuffer) {
        guard fromServer.framer != nil else { return enqueue(.bytes(bytes), from: .server) }
        fromServer.framer?.append(bytes)
        while let frame = fromServer.framer?.next() { forward(frame) }
        if fromServer.framer?.hasFailed == true, var framer = fromServer.framer {
            fromServer.framer = nil
            enqueue(.bytes(framer.takeRest()), from: .server)
        }
    }

    /// Forwards a reply, push or message of the bus.
    private func forward(_ frame: RESPFramer.Frame) {
        guard let link, let text = frame.message else { return enqueue(.bytes(frame.bytes), from: .server) }
        link.count { $0.messages += 1 }
        guard let treatment = link.behaviour.messages,
            let letter = text.getInteger(at: text.readerIndex, as: UInt8.self),
            treatment.kinds.contains(Character(UnicodeScalar(letter)))
        else { return inTurn(frame.bytes) }
        if link.random({ $0.chance(treatment.drop) }) {
            link.count { $0.dropped += 1 }
        } else if link.random({ $0.chance(treatment.double) }) {
            link.count { $0.doubled += 1 }
            inTurn(frame.bytes)
            inTurn(frame.bytes)
        } else if link.random({ $0.chance(treatment.delay) }) {
            link.count { $0.moved += 1 }
            let delay = TimeAmount(link.random { $0.duration(in: treatment.delays) })
            client.eventLoop.assumeIsolated().scheduleTask(in: delay) {
                if !self.isClosed { self.enqueue(.bytes(frame.bytes), from: .server) }
            }
        } else if fromServer.swapped == nil, link.random({ $0.chance(treatment.swap) }) {
            link.count { $0.moved += 1 }
            fromServer.swapped = frame.bytes
        } else {
            inTurn(frame.bytes)
        }
    }

    private func inTurn(_ message: ByteBuffer) {
        enqueue(.bytes(message), from: .server)
        if let earlier = fromServer.swapped {
            fromServer.swapped = nil
            enqueue(.bytes(earlier), from: .server)
        }
    }

    // MARK: Queues

    private func direction(from side: Side) -> Direction {
        side == .client ? fromClient : fromServer
    }

    private func change(_ side: Side, _ body: (inout Direction) -> Void) {
        if side == .client { body(&fromClient) } else { body(&fromServer) }
    }

    /// What the link does to bytes from a side; until the link is known, nothing.
    private func flow(from side: Side) -> LinkBehaviour.Flow {
        guard let behaviour = link?.behaviour else { return .pass }
        return side == .client ? behaviour.toServer : behaviour.toClient
    }

    private func enqueue(_ item: Direction.Item, from side: Side) {
        let flow = flow(from: side)
        if flow == .pass, case .bytes(let bytes) = item, let destination = side == .client ? server : client,
            side == .client ? fromClient.queue.isEmpty : fromServer.queue.isEmpty
        {
            destination.writeAndFlush(bytes, promise: nil)
            return
        }
        let due = link?.dueTime(flow) ?? .now()
        change(side) { direction in
            // A later packet never overtakes an earlier one.
            direction.queue.append((max(due, direction.queue.last?.due ?? due), item))
            if case .bytes(let bytes) = item { direction.queuedBytes += bytes.readableBytes }
        }
        pump(side)
    }

    /// Sends what is due.
    private func pump(_ side: Side) {
        let flow = flow(from: side)
        guard flow != .hold, !isClosed, let destination = side == .client ? server : client else { return }
        var hasWritten = false
        while let first = direction(from: side).queue.first, flow == .pass || first.due <= .now() {
            change(side) { _ = $0.queue.popFirst() }
            switch first.item {
            case .bytes(let bytes):
                change(side) { $0.queuedBytes -= bytes.readableBytes }
                destination.write(bytes, promise: nil)
                hasWritten = true
            case .end:
                destination.writeAndFlush(ByteBuffer()).whenComplete { _ in destination.close(promise: nil) }
            }
        }
        if hasWritten { destination.flush() }
        if let next = direction(from: side).queue.first, direction(from: side).timer == nil {
            let timer = client.eventLoop.assumeIsolated().scheduleTask(deadline: next.due) {
                self.change(side) { $0.timer = nil }
                self.pump(side)
                self.resumeReading(side)
            }
            change(side) { $0.timer = timer }
        }
    }

    private func resumeReading(_ side: Side) {
        let source = side == .client ? client : server
        let destination = side == .client ? server : client
        guard let source, let destination, !isClosed else { return }
        let direction = direction(from: side)
        guard direction.isPaused, destination.isWritable, flow(from: side) != .hold,
            direction.queuedBytes < Self.mostQueued
        else { return }
        change(side) { $0.isPaused = false }
        source.read()
    }
}

/// Hands what happens to one side's channel to the connection.
final class ProxyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: ProxiedConnection
    private let side: ProxiedConnection.Side
    private let onActive: () -> Void

    init(_ connection: ProxiedConnection, _ side: ProxiedConnection.Side, onActive: @escaping () -> Void = {}) {
        self.connection = connection
        self.side = side
        self.onActive = onActive
    }

    func channelActive(context: ChannelHandlerContext) {
        onActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.received(unwrapInboundIn(data), from: side)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        connection.readCompleted(side)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { connection.becameWritable(side) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.ended(side)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
