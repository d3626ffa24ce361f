/// A connection that can be told to end.
protocol ClosableConnection: Sendable {
    /// Closes the connection, or keeps it from being opened; callable from anywhere.
    ///
    /// - Parameter reason: What it ends with.
    func close(_ reason: RedisError)
}
