import CLibPQ

/// libpq's reading of a connection URL.
enum ConnectionInfo {
    /// Splits a URL into libpq's parameters.
    ///
    /// libpq itself reads it, so that percent-encoding, several hosts and unix sockets mean what they mean to psql.
    ///
    /// - Parameter url: The URL.
    /// - Returns: The parameters it sets.
    /// - Throws: ``PostgresError`` of code `invalidConfiguration`. libpq's own message is withheld: it quotes the URL.
    static func parse(_ url: String) throws(PostgresError) -> [(keyword: String, value: String)] {
        var message: UnsafeMutablePointer<CChar>?
        // Safe because both results are freed here, after everything in them was copied.
        let options = unsafe url.withCString { unsafe PQconninfoParse($0, &message) }
        defer { unsafe PQfreemem(message) }
        guard let options = unsafe options else {
            var reason = "check the percent-encoding of user and password, the port and the database name"
            if let text = unsafe message {
                let message = unsafe String(cString: text)
                if message.contains("query parameter") { reason = "it has an unknown or repeated query parameter" }
                if message.contains("port") { reason = "its port is not a number" }
            }
            throw PostgresError(
                .invalidConfiguration,
                "the database URL cannot be read (\(reason)); "
                    + "accepted: postgres://user:password@host:port/database?parameter=value"
            )
        }
        defer { unsafe PQconninfoFree(options) }
        var result: [(keyword: String, value: String)] = []
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe result.append((String(cString: keyword), String(cString: value)))
            }
            unsafe option += 1
        }
        return result
    }
}
