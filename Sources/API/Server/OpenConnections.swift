import DequeModule
import NIOCore
import Services
import Synchronization

/// The connections that are open, and which of them goes when there is no room for another.
///
/// A full server that stops accepting is closed to everybody, health checks included, for as long as those who filled it please. So
/// there is always room: the oldest connection that has not sent a request yet makes it, or else the one that has been idle for
/// longest, or else the one that owes the rest of its request's body for longest, as half a body is sent by hundreds at no cost. Only
/// one whose request is being answered is never ended. One address has a bound of its own, within which the same holds.
final class OpenConnections: Sendable {
    /// One of them.
    final class Connection: Sendable {
        fileprivate let channel: any Channel
        /// What its address is counted by; nil if it is not.
        fileprivate let address: String?
        /// Whether no header block has come yet.
        private let silent = Atomic(true)
        /// What it is doing, and since when.
        private let standing: Atomic<UInt64>

        fileprivate init(_ channel: any Channel, address: String?, now: NIODeadline) {
            self.channel = channel
            self.address = address
            standing = Atomic(Standing.idle(since: now).rawValue)
        }

        /// A request has begun, and the rest of its body is awaited; nothing else is.
        ///
        /// - Parameter since: when that began.
        /// - Returns: whether the connection is still ours: if not it was chosen to make room, and nothing that comes is to be read.
        func isAwaitingBody(since: NIODeadline) -> Bool {
            silent.store(false, ordering: .relaxed)
            return stand(.awaitingBody(since: since))
        }

        /// A request is being answered.
        ///
        /// - Returns: whether the connection is still ours, as of ``isAwaitingBody(since:)``.
        func isBusy() -> Bool {
            silent.store(false, ordering: .relaxed)
            return stand(.busy)
        }

        /// Every request is answered.
        ///
        /// - Parameter since: when the last one was.
        /// - Returns: whether the connection is still ours, as of ``isAwaitingBody(since:)``.
        func isIdle(since: NIODeadline) -> Bool {
            stand(.idle(since: since))
        }

        private func stand(_ new: Standing) -> Bool {
            var old = standing.load(ordering: .relaxed)
            while old != Standing.chosen.rawValue {
                let (isDone, found) = standing.weakCompareExchange(
                    expected: old,
                    desired: new.rawValue,
                    ordering: .relaxed
                )
                if isDone { return true }
                old = found
            }
            return false
        }

        fileprivate var isSilent: Bool { silent.load(ordering: .relaxed) }
        fileprivate var stands: Standing { Standing(rawValue: standing.load(ordering: .relaxed)) }

        /// Takes the connection from whoever serves it, unless it does something else by now.
        fileprivate func choose(_ seen: Standing) -> Bool {
            seen < .busy
                && standing.compareExchange(
                    expected: seen.rawValue,
                    desired: Standing.chosen.rawValue,
                    ordering: .relaxed
                ).exchanged
        }
    }

    /// What a connection does and since when, in the order in which connections make room.
    fileprivate struct Standing: RawRepresentable, Comparable {
        /// The kind in the two highest bits, below it nanoseconds of the system's monotonic clock, which they hold for a century.
        let rawValue: UInt64

        init(rawValue: UInt64) { self.rawValue = rawValue }

        private init(_ kind: UInt64, since: NIODeadline) {
            rawValue = kind << 62 | min(since.uptimeNanoseconds, 1 << 62 - 1)
        }

        static func idle(since: NIODeadline) -> Standing { Standing(0, since: since) }
        static func awaitingBody(since: NIODeadline) -> Standing { Standing(1, since: since) }
        static let busy = Standing(rawValue: 2 << 62)
        static let chosen = Standing(rawValue: 3 << 62)

        static func < (left: Standing, right: Standing) -> Bool { left.rawValue < right.rawValue }
    }

    /// Connections in the order of their coming, of which some have spoken or gone since.
    private struct Newcomers {
        private var line: Deque<Connection> = []

        mutating func append(_ connection: Connection, open: Int) {
            line.append(connection)
            // Those who are known to be of no use are forgotten once they are the larger part.
            if line.count > 2 * open + 64 { line.removeAll { !$0.isSilent || !$0.channel.isActive } }
        }

        mutating func popFirst(where isOpen: (Connection) -> Bool) -> Connection? {
            while let connection = line.popFirst() {
                if connection.isSilent, isOpen(connection), connection.choose(connection.stands) { return connection }
            }
            return nil
        }
    }

    private struct Neighbours {
        var count = 0
        var newcomers = Newcomers()
    }

    private struct State {
        var open: [ObjectIdentifier: Connection] = [:]
        var newcomers = Newcomers()
        var addresses: [String: Neighbours] = [:]

        mutating func remove(_ connection: Connection) {
            guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil, let address = connection.address
            else { return }
            addresses[address]?.count -= 1
            if addresses[address]?.count == 0 { addresses[address] = nil }
        }

        /// Who makes room, of an address or of all.
        mutating func victim(of address: String?) -> Connection? {
            let open = self.open
            func isOpen(_ connection: Connection) -> Bool { open[ObjectIdentifier(connection)] != nil }
            let silent =
                if let address {
                    addresses[address]?.newcomers.popFirst(where: isOpen)
                } else {
                    newcomers.popFirst(where: isOpen)
                }
            if let silent { return silent }
            while let (connection, seen) = first(of: address) {
                if connection.choose(seen) { return connection }
            }
            return nil
        }

        /// Who does least, of an address or of all.
        private func first(of address: String?) -> (Connection, Standing)? {
            var first: (connection: Connection, standing: Standing)?
            for connection in open.values where address == nil || connection.address == address {
                let standing = connection.stands
                if standing < first?.standing ?? .busy { first = (connection, standing) }
            }
            return first
        }
    }

    private let total: Int
    private let perAddress: Int
    private let proxies: TrustedProxies
    private let state = Mutex(State())

    /// Sets the bounds.
    ///
    /// - Parameters:
    ///   - total: connections in all.
    ///   - perAddress: of which one address may have so many.
    ///   - proxies: who may have any number, as many clients come by them.
    init(total: Int, perAddress: Int, proxies: TrustedProxies) {
        self.total = max(1, total)
        self.perAddress = max(1, perAddress)
        self.proxies = proxies
    }

    /// How many there are.
    var count: Int { state.withLock { $0.open.count } }

    /// Takes a connection in, at the cost of another if need be.
    ///
    /// - Parameter channel: the connection.
    /// - Returns: what is to be told of its life; nil if there is no room, as all others are being answered.
    func admit(_ channel: any Channel) -> Connection? {
        let peer = channel.remoteAddress.flatMap { IPAddress($0) }
        let address = peer.flatMap { self.proxies.contains($0) ? nil : $0.limited }
        let connection = Connection(channel, address: address, now: .now())
        let (victims, isAdmitted): ([Connection], Bool) = state.withLock { state in
            var victims: [Connection] = []
            func makeRoom(_ address: String?) -> Bool {
                guard let victim = state.victim(of: address) else { return false }
                state.remove(victim)
                victims.append(victim)
                return true
            }
            if let address, let count = state.addresses[address]?.count, count >= self.perAddress {
                guard makeRoom(address) else { return ([], false) }
            }
            if state.open.count >= self.total {
                guard makeRoom(nil) else { return (victims, false) }
            }
            state.open[ObjectIdentifier(connection)] = connection
            state.newcomers.append(connection, open: state.open.count)
            if let address {
                var neighbours = state.addresses.removeValue(forKey: address) ?? Neighbours()
                neighbours.count += 1
                neighbours.newcomers.append(connection, open: neighbours.count)
                state.addresses[address] = neighbours
            }
            return (victims, true)
        }
        for victim in victims { victim.channel.close(promise: nil) }
        return isAdmitted ? connection : nil
    }

    /// Forgets a connection that is closed.
    ///
    /// - Parameter connection: the connection.
    func remove(_ connection: Connection) {
        state.withLock { $0.remove(connection) }
    }
}
