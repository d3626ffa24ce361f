/// A Lua script that the server runs as one step.
///
/// Scripts given to a ``RedisClient`` are loaded with each connection's handshake, whose replies are their digests; from
/// then on only the digest travels. An array that the script returns ends at its first nil.
package struct RedisScript: Sendable, Hashable {
    /// What it is called in this program; distinct for distinct sources.
    package let name: String
    /// The text in Lua.
    package let source: String

    package init(name: String, source: String) {
        self.name = name
        self.source = source
    }
}
