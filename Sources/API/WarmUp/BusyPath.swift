package import Kernel

/// A cached GET that a tenant's clients ask for often.
package struct BusyPath: Sendable, Hashable {
    /// Longer targets are not worth remembering, in bytes.
    static let targetLimit = 512

    /// Whose clients.
    package let tenant: TenantID
    /// The path with its query, as it was sent.
    package let target: String

    /// Names a path; nil if it is too long to be remembered.
    package init?(tenant: TenantID, target: String) {
        guard target.utf8.count <= Self.targetLimit, target.utf8.first == UInt8(ascii: "/") else { return nil }
        self.tenant = tenant
        self.target = target
    }

    /// Reads `<tenant> <target>`; nil if it is anything else.
    package init?(parsing text: String) {
        guard let space = text.utf8.firstIndex(of: UInt8(ascii: " ")), let tenant = Int64(text[..<space]), tenant > 0
        else { return nil }
        self.init(tenant: TenantID(rawValue: tenant), target: String(text[text.utf8.index(after: space)...]))
    }

    /// The text by which instances tell each other.
    package var text: String { "\(tenant.rawValue) \(target)" }
}

/// Where instances keep what is busy, so that one that starts can ask; losing it costs nothing but speed.
package protocol BusyPathStore: Sendable {
    /// Whether nothing known may only mean that the store is not reached yet.
    var isWaitedFor: Bool { get }
    /// Adds what was counted since the last time.
    func add(_ counts: [BusyPaths.Count]) async
    /// The busiest paths of the last minutes, busiest first.
    func busiest(_ limit: Int) async -> [BusyPath]
}
