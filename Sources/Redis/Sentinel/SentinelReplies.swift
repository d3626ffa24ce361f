/// What sentinels say, read from their replies and messages.
enum SentinelReplies {
    /// The address in the reply to `SENTINEL get-master-addr-by-name`; nil if it is none.
    static func address(in reply: RedisReply) -> RedisConfiguration.Address? {
        guard let elements = reply.elements, elements.count == 2, let host = elements[0].text,
            let port = elements[1].text
        else { return nil }
        return address(host, port)
    }

    /// The number of the decision that made the primary one, from the reply to `SENTINEL master`: names and values.
    static func configurationEpoch(in reply: RedisReply) -> UInt64? {
        guard let elements = reply.elements else { return nil }
        for index in stride(from: 0, to: elements.count - 1, by: 2) where elements[index].text == "config-epoch" {
            return elements[index + 1].text.flatMap { UInt64($0) }
        }
        return nil
    }

    /// The new address in a message of `+switch-master`: `<name> <old host> <old port> <new host> <new port>`.
    ///
    /// - Parameters:
    ///   - payload: The message.
    ///   - name: Whose switch is asked for.
    /// - Returns: Nil if it speaks of another primary, or is no such message.
    static func newPrimary(in payload: [UInt8], of name: String) -> RedisConfiguration.Address? {
        guard let text = String(validating: payload, as: UTF8.self) else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 5, words[0] == name else { return nil }
        return address(String(words[3]), String(words[4]))
    }

    private static func address(_ host: String, _ port: String) -> RedisConfiguration.Address? {
        guard !host.isEmpty, let number = Int(port), (1...65_535).contains(number) else { return nil }
        return .tcp(host: host, port: number)
    }
}
