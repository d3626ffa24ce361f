/// A message of the invalidation bus.
///
/// `A <ns> <first> <last> <tag> <scopes> <sent>` says that the log rows first...last are applied in Redis, `B <ns> <head>`
/// is a beat, `H <ns> <scopes>` is a writer's hint. Scopes are `tenant.module[:xid,xid]` separated by `;`. `sent` is the
/// relay's wall clock in microseconds, may be left out, and informs people only: it says something on the same machine or
/// with synchronised clocks.
package enum BusMessage: Sendable, Equatable {
    /// A scope named in a message.
    package struct Item: Sendable, Equatable {
        /// The tenant.
        package var tenant: Int64
        /// The module's name.
        package var module: String
        /// The transactions that wrote it.
        package var xids: [UInt64]

        /// Makes an item.
        package init(tenant: Int64, module: String, xids: [UInt64]) {
            self.tenant = tenant
            self.module = module
            self.xids = xids
        }
    }

    /// Rows of the log are applied in Redis.
    case applied(ns: String, first: Int64, last: Int64, tag: Int32, scopes: [Item], sentAt: Int64? = nil)
    /// The relay is alive and the log ends here.
    case beat(ns: String, head: Int64)
    /// A writer has committed.
    case hint(ns: String, scopes: [Item])

    /// The text to publish.
    package var text: String {
        switch self {
        case .applied(let ns, let first, let last, let tag, let scopes, let sentAt):
            "A \(ns) \(first) \(last) \(tag) \(Self.text(scopes))" + (sentAt.map { " \($0)" } ?? "")
        case .beat(let ns, let head):
            "B \(ns) \(head)"
        case .hint(let ns, let scopes):
            "H \(ns) \(Self.text(scopes))"
        }
    }

    /// Reads a message; nil if it is not one.
    package init?(parsing bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        func text(_ index: Int) -> String { String(decoding: parts[index], as: UTF8.self) }
        guard let kind = parts.first, kind.count == 1, let letter = kind.first, parts.count > 1 else { return nil }
        switch (letter, parts.count) {
        case (UInt8(ascii: "A"), 6...7):
            guard let first = Int64(text(2)), let last = Int64(text(3)), let tag = Int32(text(4)), first <= last,
                let scopes = Self.scopes(parts[5])
            else { return nil }
            let sentAt = parts.count > 6 ? Int64(text(6)) : nil
            guard parts.count == 6 || sentAt != nil else { return nil }
            self = .applied(ns: text(1), first: first, last: last, tag: tag, scopes: scopes, sentAt: sentAt)
        case (UInt8(ascii: "B"), 3):
            guard let head = Int64(text(2)) else { return nil }
            self = .beat(ns: text(1), head: head)
        case (UInt8(ascii: "H"), 3):
            guard let scopes = Self.scopes(parts[2]) else { return nil }
            self = .hint(ns: text(1), scopes: scopes)
        default:
            return nil
        }
    }

    private static func text(_ scopes: [Item]) -> String {
        scopes.map { item in
            let xids = item.xids.map { String($0) }.joined(separator: ",")
            return xids.isEmpty ? "\(item.tenant).\(item.module)" : "\(item.tenant).\(item.module):\(xids)"
        }.joined(separator: ";")
    }

    private static func scopes(_ bytes: ArraySlice<UInt8>) -> [Item]? {
        if bytes.isEmpty { return [] }
        var items: [Item] = []
        for item in bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            let halves = item.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            let names = halves[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            guard halves.count <= 2, names.count == 2, !names[1].isEmpty,
                let tenant = Int64(String(decoding: names[0], as: UTF8.self))
            else { return nil }
            var xids: [UInt64] = []
            if halves.count == 2 {
                for xid in halves[1].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                    guard let number = UInt64(String(decoding: xid, as: UTF8.self)) else { return nil }
                    xids.append(number)
                }
            }
            items.append(Item(tenant: tenant, module: String(decoding: names[1], as: UTF8.self), xids: xids))
        }
        return items
    }
}
