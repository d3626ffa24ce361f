import Crypto
import DequeModule
import Kernel
import Services
import Synchronization

/// The rates of `RATE_LIMIT_*`: how much one tenant, one key, one account and one address may ask.
package struct RateLimitSettings: Sendable {
    /// Requests of one tenant; answers from L1 are free.
    package var tenant: Rate? = Rate(perSecond: 100, burst: 200)
    /// Requests with one API key.
    package var apiKey: Rate? = Rate(perSecond: 50, burst: 100)
    /// Wrong log-ins to one account from one address; four times as many of all addresses make further ones slow.
    package var loginAccount: Rate? = .perMinute(5)
    /// Wrong log-ins, and shops opened, from one address.
    package var loginAddress: Rate? = .perMinute(20)
    /// Credentials from one address that had to be looked up and were none.
    package var credentials: Rate? = .perMinute(60)
    /// How long a log-in to an account that is being guessed at takes from an address that was never right.
    package var slowLogin: Duration = .seconds(1)
    /// Requests of one tenant worked on at once.
    package var tenantInFlight = 20
    /// Requests of one tenant that may wait for their turn.
    package var tenantQueue = 256
    /// Requests worked on at once, over all tenants.
    package var inFlight = 128

    /// The limits that hold where nothing else is said.
    package init() {}

    /// The settings with nothing limited, as benchmarks and some tests want it.
    package static var unlimited: RateLimitSettings {
        var settings = RateLimitSettings()
        settings.tenant = nil
        settings.apiKey = nil
        settings.loginAccount = nil
        settings.loginAddress = nil
        settings.credentials = nil
        settings.tenantInFlight = 4096
        settings.inFlight = 4096
        return settings
    }
}

/// The buckets of one instance.
///
/// They are local: with n instances a tenant may ask n times the rate. What something costs is taken before it is done, and given
/// back where it turned out to cost nothing: whoever asks many times at once finds the bucket empty, not full until the first answer.
final class RateLimits: Sendable {
    let admission: Admission
    /// The line of streams, which all come back at once when an instance ends.
    ///
    /// They have a place each, which bounds it, and ask for little: so few of them at once that none waits for a connection longer than one may.
    let streams = Admission(total: 16, perTenant: 8, queueLength: .max, wholeQueue: .max)
    private let tenants: TokenBuckets<Int64>?
    private let apiKeys: TokenBuckets<APIKeyID>?
    private let logins: TokenBuckets<String>?
    private let credentials: TokenBuckets<String>?
    private let keys: TokenBuckets<String>?
    private let accounts: TokenBuckets<String>?
    private let visitors: TokenBuckets<Visitor>?
    private let known = Mutex(KnownVisitors())
    private let slowLogin: Duration
    private let start = ContinuousClock.now

    init(_ settings: RateLimitSettings) {
        tenants = settings.tenant.map { TokenBuckets(rate: $0) }
        apiKeys = settings.apiKey.map { TokenBuckets(rate: $0) }
        logins = settings.loginAddress.map { TokenBuckets(rate: $0) }
        credentials = settings.credentials.map { TokenBuckets(rate: $0) }
        keys = settings.credentials.map { TokenBuckets(rate: $0) }
        visitors = settings.loginAccount.map { TokenBuckets(rate: $0) }
        accounts = settings.loginAccount.map {
            TokenBuckets(rate: Rate(perSecond: 4 * $0.perSecond, burst: 4 * $0.burst))
        }
        slowLogin = settings.slowLogin
        admission = Admission(
            total: settings.inFlight,
            perTenant: settings.tenantInFlight,
            queueLength: settings.tenantQueue
        )
    }

    /// Monotonic nanoseconds since the start.
    var now: Int64 {
        let parts = (ContinuousClock.now - start).components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
    }

    // MARK: Requests

    /// So many bytes of a body cost as much as another request: reading them is most of what they cost.
    static let bytesPerRequest = 32 * 1024

    /// Takes what a request costs.
    ///
    /// - Parameters:
    ///   - caller: whose it is.
    ///   - bytes: of its body.
    /// - Throws: `rate_limited`; nothing was taken then.
    func take(_ caller: Caller, bytes: Int) throws(Problem) {
        let now = self.now
        let cost = 1 + bytes / Self.bytesPerRequest
        if let tenants, case .refused(let seconds) = tenants.take(caller.tenant.rawValue, cost: cost, now: now) {
            throw Problem(limit: "tenant", of: "This tenant", tenants.rate, seconds)
        }
        if let apiKeys, let key = caller.apiKey, case .refused(let seconds) = apiKeys.take(key, cost: cost, now: now) {
            self.tenants?.giveBack(caller.tenant.rawValue, cost: cost)
            throw Problem(limit: "key", of: "This API key", apiKeys.rate, seconds)
        }
    }

    /// Takes what a body cost whose length was not known before it was read.
    ///
    /// - Parameters:
    ///   - caller: whose it is.
    ///   - bytes: of the body.
    func charge(_ caller: Caller, bytes: Int) {
        let cost = bytes / Self.bytesPerRequest
        guard cost > 0 else { return }
        let now = self.now
        tenants?.charge(caller.tenant.rawValue, cost: cost, now: now)
        if let key = caller.apiKey { apiKeys?.charge(key, cost: cost, now: now) }
    }

    // MARK: Addresses

    /// Runs what anybody may ask for, if the address has not been wrong too often.
    ///
    /// - Parameters:
    ///   - throttle: what it costs.
    ///   - address: where it comes from, as limits count it.
    ///   - work: finds out whether it is right, and throws if not.
    /// - Returns: what it gives.
    /// - Throws: `rate_limited`, or what `work` throws.
    func attempt<Value>(
        _ throttle: Route.Throttle,
        from address: String,
        _ work: () async throws -> Value
    ) async throws -> Value {
        try await self.attempt(throttle == .credential ? credentials : logins, throttle, address, work)
    }

    /// Looks a key up that memory does not know, if the address has not been wrong too often.
    ///
    /// A key that was right from there before is free: one device with a dead key must not shut out the tills beside it.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - address: where it comes from, as limits count it.
    ///   - work: finds out whether it is right, and throws if not.
    /// - Returns: what it gives.
    /// - Throws: `rate_limited`, or what `work` throws.
    func attempt<Value>(key: String, from address: String, _ work: () async throws -> Value) async throws -> Value {
        let digest = SHA256.hash(data: Array(key.utf8)).prefix(16)
        let visitor = Visitor(account: "key:" + Hexadecimal.text(Array(digest)), address: address)
        let wasRight = known.withLock { $0.contains(visitor) }
        do {
            let value = try await self.attempt(wasRight ? nil : keys, .credential, address, work)
            known.withLock { $0.insert(visitor) }
            return value
        } catch let problem as Problem where problem.code == .unauthenticated {
            known.withLock { $0.remove(visitor) }
            throw problem
        }
    }

    private func attempt<Value>(
        _ buckets: TokenBuckets<String>?,
        _ throttle: Route.Throttle,
        _ address: String,
        _ work: () async throws -> Value
    ) async throws -> Value {
        guard let buckets else { return try await work() }
        if case .refused(let seconds) = buckets.take(address, now: self.now) {
            throw Problem(limit: "address", of: "This address", buckets.rate, seconds)
        }
        do {
            let value = try await work()
            if throttle != .signUp { buckets.giveBack(address) }
            return value
        } catch let problem as Problem where problem.code.status >= 500 {
            // That we cannot tell does not make it wrong.
            buckets.giveBack(address)
            throw problem
        }
    }

    // MARK: Accounts

    /// Runs a log-in to an account, whether it exists or not.
    ///
    /// Counted are wrong ones, by account and address together: whoever guesses shuts out itself alone. Where many addresses guess at
    /// one account, each further try takes its time, unless the address was right before: then it is its owner's.
    ///
    /// - Parameters:
    ///   - account: the address of the account, folded.
    ///   - address: where it comes from, as limits count it.
    ///   - work: finds out whether it is right, and throws if not.
    /// - Returns: what it gives.
    /// - Throws: `rate_limited`, or what `work` throws.
    func logIn<Value>(
        to account: String,
        from address: String,
        _ work: () async throws -> Value
    ) async throws -> Value {
        guard let visitors, let accounts else { return try await work() }
        let visitor = Visitor(account: account, address: address)
        if case .refused(let seconds) = visitors.take(visitor, now: self.now) {
            throw Problem(limit: "account", of: "This address, at this account,", visitors.rate, seconds)
        }
        let isGuessedAt = accounts.take(account, now: self.now) != .allowed
        func giveBack() {
            visitors.giveBack(visitor)
            if !isGuessedAt { accounts.giveBack(account) }
        }
        do {
            if isGuessedAt, !known.withLock({ $0.contains(visitor) }) { try await Task.sleep(for: slowLogin) }
            let value = try await work()
            giveBack()
            known.withLock { $0.insert(visitor) }
            return value
        } catch let problem as Problem where problem.code.status >= 500 {
            giveBack()
            throw problem
        }
    }
}

/// Who tries to log in to what.
private struct Visitor: Hashable, Sendable {
    let account: String
    let address: String
}

/// Those who were right, the last so many.
private struct KnownVisitors {
    private static let capacity = 16_384
    private var members: Set<Visitor> = []
    private var order: Deque<Visitor> = []

    func contains(_ visitor: Visitor) -> Bool { members.contains(visitor) }

    /// Forgets who turned out to be wrong; its place in the order stays until it is the oldest.
    mutating func remove(_ visitor: Visitor) { members.remove(visitor) }

    mutating func insert(_ visitor: Visitor) {
        guard members.insert(visitor).inserted else { return }
        order.append(visitor)
        if order.count > Self.capacity, let oldest = order.popFirst() { members.remove(oldest) }
    }
}

extension Problem {
    /// The refusal of somebody who asked too often.
    ///
    /// - Parameters:
    ///   - name: of the limit, in the fields of the answer.
    ///   - subject: whom it holds for, as a sentence begins.
    ///   - rate: what is allowed.
    ///   - seconds: until something is allowed again.
    fileprivate init(limit name: String, of subject: String, _ rate: Rate, _ seconds: Int) {
        let allowance =
            rate.perSecond >= 1
            ? "\(Int(rate.perSecond)) requests a second"
            : "\(Int((rate.perSecond * 60).rounded())) attempts a minute"
        self.init(.rateLimited, "\(subject) may make \(allowance); wait \(seconds) s.", retryAfter: seconds)
        let window = max(1, Int((Double(rate.burst) / rate.perSecond).rounded(.up)))
        limit = Limit(
            policy: "\"\(name)\";q=\(rate.burst);w=\(window)",
            state: "\"\(name)\";r=0;t=\(seconds)"
        )
    }
}
