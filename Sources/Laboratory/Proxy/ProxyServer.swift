package import NIOCore
import NIOPosix
import Synchronization

/// A port of 127.0.0.1 whose connections go on to a server, over links that can be made to fail.
package final class ProxyServer: Sendable {
    /// Where a server is.
    package enum Target: Sendable, Equatable {
        /// A unix socket.
        case unix(String)
        /// A port of 127.0.0.1.
        case port(Int)
    }

    /// What is spoken over it.
    package enum Kind: Sendable {
        /// Anything: all connections belong to one link.
        case bytes(LinkProxy)
        /// Redis: a connection that subscribes belongs to the bus.
        case redis(commands: LinkProxy, bus: LinkProxy)

        /// The links of its connections.
        package var links: [LinkProxy] {
            switch self {
            case .bytes(let link): [link]
            case .redis(let commands, let bus): [commands, bus]
            }
        }
    }

    /// The port clients connect to; the same for its whole life.
    package let port: Int
    private let kind: Kind
    private let listener: any Channel
    private let target: SharedTarget

    private init(port: Int, kind: Kind, listener: any Channel, target: SharedTarget) {
        self.port = port
        self.kind = kind
        self.listener = listener
        self.target = target
    }

    /// Listens on a port and connects each of its clients to a server.
    ///
    /// - Parameters:
    ///   - target: the server.
    ///   - kind: the links of its connections, all of them on `eventLoop`.
    ///   - eventLoop: the loop of everything here.
    /// - Returns: the proxy, listening.
    /// - Throws: when no port is to be had.
    package static func start(to target: Target, _ kind: Kind, on eventLoop: any EventLoop) async throws -> ProxyServer
    {
        let target = SharedTarget(target)
        let port = try FreePort.lasting()
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = ProxiedConnection(kind: kind, client: channel)
                    // The server is connected once this side is active: earlier nothing can be read from it.
                    let handler = ProxyHandler(connection, .client) { connection.connect(to: target.value) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
        return ProxyServer(port: port, kind: kind, listener: listener, target: target)
    }

    /// Sends clients to another server from now on, and ends what they have with the old one.
    package func retarget(to target: Target) async {
        self.target.value = target
        for link in kind.links { await link.cut() }
    }

    /// Stops listening and ends every connection.
    package func stop() async {
        try? await listener.close().get()
        for link in kind.links { await link.cut() }
    }
}

/// Where new connections go; set by one task, read on the event loop.
private final class SharedTarget: Sendable {
    private let state: Mutex<ProxyServer.Target>

    init(_ target: ProxyServer.Target) {
        state = Mutex(target)
    }

    var value: ProxyServer.Target {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
