import AsyncHTTPClient
import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
import Synchronization

/// Sends messages over HTTP, to addresses that may be connected to.
///
/// A name is looked up here, its address is held against the rule, and the connection is made to that address and no other: a name that
/// leads elsewhere a moment later leads nowhere. TLS still asks for the name. Redirects are not followed, as they would lead past the rule.
package final class HTTPWebhookSender: WebhookSender {
    /// Looks up the address of a name, which may take its time and not return in time.
    package typealias Lookup = @Sendable (_ host: String) throws -> IPAddress?

    /// How long a try may take in all.
    package static let patience: Duration = .seconds(10)

    /// Bytes of an answer that are read.
    private static let answerBytes = 1_024

    /// Servers whose connections and sessions are kept at hand.
    private static let clientsAtHand = 64

    private struct Place: Hashable {
        let host: String
        let address: String
    }

    private struct Client {
        let client: HTTPClient
        var users = 0
        var lastUse: UInt64 = 0
    }

    private struct State {
        var clients: [Place: Client] = [:]
        var uses: UInt64 = 0
        /// Since when names are looked up.
        var lookups: [String: ContinuousClock.Instant] = [:]
    }

    private let rule: AddressRule
    private let patience: Duration
    private let lookup: Lookup
    private let trust: NIOSSLTrustRoots?
    private let threads: NIOThreadPool
    private let group = MultiThreadedEventLoopGroup.singleton
    private let state = Mutex(State())

    /// Makes a sender; ``stop()`` ends it.
    ///
    /// - Parameters:
    ///   - rule: Which addresses may be connected to.
    ///   - lookups: Names that are looked up at once.
    ///   - patience: How long a try may take.
    ///   - lookup: Looks a name up; the system does unless said otherwise.
    ///   - trust: Whom servers' certificates are to come from; whom the system trusts unless said otherwise.
    package init(
        rule: AddressRule,
        lookups: Int = 32,
        patience: Duration = HTTPWebhookSender.patience,
        lookup: @escaping Lookup = { try IPAddress(SocketAddress.makeAddressResolvingHost($0, port: 0)) },
        trust: NIOSSLTrustRoots? = nil
    ) {
        self.rule = rule
        self.patience = patience
        self.lookup = lookup
        self.trust = trust
        threads = NIOThreadPool(numberOfThreads: lookups)
        threads.start()
    }

    /// Closes every connection.
    package func stop() async {
        let clients = state.withLock { state in
            defer { state.clients.removeAll() }
            return state.clients.values.map(\.client)
        }
        for client in clients { try? await client.shutdown() }
        try? await threads.shutdownGracefully()
    }

    package func send(_ message: WebhookMessage, to url: WebhookURL) async -> WebhookReply {
        let began = ContinuousClock.now
        var reply = await answer(to: message, url, until: began + patience)
        reply.duration = ContinuousClock.now - began
        return reply
    }

    private func answer(
        to message: WebhookMessage,
        _ url: WebhookURL,
        until deadline: ContinuousClock.Instant
    ) async -> WebhookReply {
        guard url.isSecure || rule.allowsHTTP else { return WebhookReply(fault: .refusedAddress) }
        let address: IPAddress
        do {
            address = try await self.address(of: url, until: deadline)
        } catch {
            return WebhookReply(fault: error is Late ? .timeout : .unresolved)
        }
        guard rule.permits(address) else { return WebhookReply(fault: .refusedAddress) }
        let place = Place(host: url.host, address: address.description)
        let client = borrow(place)
        let heard = Heard()
        do {
            try await exchange(message, url, with: client, until: deadline, heard)
        } catch {
            heard.fail(Self.fault(of: error))
        }
        await giveBack(place)
        return heard.reply
    }

    // MARK: Where to

    /// That it took too long.
    private struct Late: Error {}

    private func address(of url: WebhookURL, until deadline: ContinuousClock.Instant) async throws -> IPAddress {
        if let address = url.address { return address }
        let (lookup, host) = (self.lookup, url.host)
        let isHopeless = state.withLock { state in
            let since = state.lookups[host, default: .now]
            state.lookups[host] = since
            return since + patience < .now
        }
        // Its servers are silent: more threads that wait for them would be missing for others.
        guard !isHopeless else { throw Late() }
        let found = group.any().makePromise(of: IPAddress?.self)
        // A look-up can not be called off: it is not waited for any longer.
        let alarm = found.futureResult.eventLoop.scheduleTask(in: .init(deadline - .now)) { found.fail(Late()) }
        threads.submit { state in
            guard case .active = state else { return found.fail(CancellationError()) }
            found.completeWith(Result { try lookup(host) })
            _ = self.state.withLock { $0.lookups.removeValue(forKey: host) }
        }
        defer { alarm.cancel() }
        guard let address = try await found.futureResult.get() else { throw CancellationError() }
        return address
    }

    private func borrow(_ place: Place) -> HTTPClient {
        state.withLock { state in
            state.uses += 1
            var client = state.clients[place] ?? Client(client: makeClient(for: place))
            client.users += 1
            client.lastUse = state.uses
            state.clients[place] = client
            return client.client
        }
    }

    /// Gives a client back, and lets those go that were not used for longest.
    private func giveBack(_ place: Place) async {
        let old: [HTTPClient] = state.withLock { state in
            state.clients[place]?.users -= 1
            let surplus = max(state.clients.count - Self.clientsAtHand, 0)
            let idle = state.clients.filter { $0.value.users == 0 }.sorted { $0.value.lastUse < $1.value.lastUse }
            return idle.prefix(surplus).compactMap { state.clients.removeValue(forKey: $0.key)?.client }
        }
        for client in old { try? await client.shutdown() }
    }

    /// A client that connects to one address for one name.
    private func makeClient(for place: Place) -> HTTPClient {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.dnsOverride = [place.host: place.address]
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .init(patience)
        // Shorter than servers keep a connection that is not used, so that none is used that they are about to close.
        configuration.connectionPool.idleTimeout = .seconds(2)
        configuration.connectionPool.retryConnectionEstablishment = false
        if let trust {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = trust
            configuration.tlsConfiguration = tls
        }
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    // MARK: One exchange

    /// What is known of an answer so far: its status decides, whatever becomes of the rest.
    private final class Heard: Sendable {
        private let known = Mutex((code: Int?.none, fault: WebhookReply.Fault?.none, answer: [UInt8]()))

        func begin(_ code: Int) { known.withLock { $0.code = code } }

        /// Adds to the answer; says whether more is wanted.
        func add(_ bytes: ByteBuffer) -> Bool {
            known.withLock { known in
                known.answer += bytes.readableBytesView.prefix(HTTPWebhookSender.answerBytes - known.answer.count)
                return known.answer.count < HTTPWebhookSender.answerBytes
            }
        }

        func fail(_ fault: WebhookReply.Fault) { known.withLock { if $0.code == nil { $0.fault = fault } } }

        var reply: WebhookReply {
            known.withLock { known in
                // As text that the database takes.
                let text = String(decoding: known.answer, as: UTF8.self).replacing("\0", with: "\u{FFFD}")
                return WebhookReply(code: known.code, fault: known.fault, answer: known.code == nil ? nil : text)
            }
        }
    }

    private func exchange(
        _ message: WebhookMessage,
        _ url: WebhookURL,
        with client: HTTPClient,
        until deadline: ContinuousClock.Instant,
        _ heard: Heard
    ) async throws {
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers = [
            "content-type": "application/json", "user-agent": "stock-webhooks", "webhook-id": message.id,
            "webhook-timestamp": "\(message.timestamp)", "webhook-signature": message.signatures,
        ]
        request.body = .bytes(ByteBuffer(bytes: message.body))
        let asked = request
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let response = try await client.execute(asked, deadline: .now() + .init(deadline - .now))
                heard.begin(Int(response.status.code))
                for try await part in response.body {
                    guard heard.add(part) else { break }
                }
            }
            group.addTask {
                // A pause that is meant: the time that a try may take.
                try await Task.sleep(until: deadline, clock: .continuous)
                throw Late()
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private static func fault(of error: any Error) -> WebhookReply.Fault {
        switch error {
        case is Late: .timeout
        case let error as HTTPClientError
        where [.deadlineExceeded, .connectTimeout, .tlsHandshakeTimeout].contains(error): .timeout
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: .tls
        case is NIOConnectionError, is IOError, is ChannelError: .connection
        default: .closed
        }
    }
}
