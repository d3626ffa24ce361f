private import Synchronization

/// The way to a server whose address is configured.
final class DirectRoute: Route {
    private let address: RedisConfiguration.Address
    private let attempt = Mutex(0)

    init(to address: RedisConfiguration.Address) {
        self.address = address
    }

    /// One address of a name a time: the next attempt takes the next.
    func next() async throws(RedisError) -> RedisConfiguration.Address {
        let addresses = try await AddressResolver.resolve(address)
        return addresses[attempt.withLock { $0 } % addresses.count]
    }

    func attach(_ connection: any ClosableConnection) {}

    func missed() {
        attempt.withLock { $0 += 1 }
    }
}
