/// The way to the server of one kind of connection, asked before each attempt.
protocol Route: Sendable {
    /// Where to connect now: an IP address or a path.
    func next() async throws(RedisError) -> RedisConfiguration.Address

    /// Takes a connection that is about to be opened to the last address: it is closed as soon as the way leads elsewhere.
    func attach(_ connection: any ClosableConnection)

    /// The last address was of no use.
    func missed()
}
