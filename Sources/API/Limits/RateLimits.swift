import Kernel

/// The rates of `RATE_LIMIT_*`: how much one tenant, one key, one account and one address may ask.
package struct RateLimitSettings: Sendable {
    /// Requests of one tenant; answers from L1 are free.
    package var tenant: Rate? = Rate(perSecond: 100, burst: 200)
    /// Requests with one API key.
    package var apiKey: Rate? = Rate(perSecond: 50, burst: 100)
    /// Attempts to log in to one account.
    package var loginAccount: Rate? = .perMinute(5)
    /// Attempts to log in, sign up or refresh from one address.
    package var loginAddress: Rate? = .perMinute(20)
    /// Requests of one tenant worked on at once.
    package var tenantInFlight = 20
    /// Requests of one tenant that may wait for their turn.
    package var tenantQueue = 256
    /// Requests worked on at once, over all tenants.
    package var inFlight = 128

    /// The limits of the design.
    package init() {}

    /// The settings with nothing limited, as benchmarks and some tests want it.
    package static var unlimited: RateLimitSettings {
        var settings = RateLimitSettings()
        settings.tenant = nil
        settings.apiKey = nil
        settings.loginAccount = nil
        settings.loginAddress = nil
        settings.tenantInFlight = 4096
        settings.inFlight = 4096
        return settings
    }
}

/// The buckets of one instance.
///
/// They are local: with n instances a tenant may ask n times the rate.
final class RateLimits: Sendable {
    let admission: Admission
    private let tenants: TokenBuckets<Int64>?
    private let apiKeys: TokenBuckets<APIKeyID>?
    private let accounts: TokenBuckets<String>?
    private let addresses: TokenBuckets<String>?

    init(_ settings: RateLimitSettings) {
        self.tenants = settings.tenant.map { TokenBuckets(rate: $0) }
        self.apiKeys = settings.apiKey.map { TokenBuckets(rate: $0) }
        self.accounts = settings.loginAccount.map { TokenBuckets(rate: $0) }
        self.addresses = settings.loginAddress.map { TokenBuckets(rate: $0) }
        self.admission = Admission(
            total: settings.inFlight,
            perTenant: settings.tenantInFlight,
            queueLength: settings.tenantQueue
        )
    }

    /// Refuses a caller whose bucket is empty; takes nothing yet, because an answer from L1 will be free.
    func check(tenant: TenantID, apiKey: APIKeyID?, now: Int64) throws(RateRefused) {
        if let tenants, case .refused(let seconds) = tenants.peek(tenant.rawValue, now: now) {
            throw RateRefused("tenant", "This tenant", rate: tenants.rate, seconds)
        }
        if let apiKeys, let apiKey, case .refused(let seconds) = apiKeys.peek(apiKey, now: now) {
            throw RateRefused("key", "This API key", rate: apiKeys.rate, seconds)
        }
    }

    /// Takes what a request that left memory costs.
    ///
    /// Between check and charge others may have taken the last token; then this one is let through and the next is not.
    func charge(tenant: TenantID, apiKey: APIKeyID?, now: Int64) {
        _ = self.tenants?.take(tenant.rawValue, now: now)
        if let apiKey { _ = self.apiKeys?.take(apiKey, now: now) }
    }

    /// Takes one attempt of an address; before the password is looked at.
    func attempt(address: String, now: Int64) throws(RateRefused) {
        if let addresses, case .refused(let seconds) = addresses.take(address, now: now) {
            throw RateRefused("address", "This address", rate: addresses.rate, seconds)
        }
    }

    /// Takes one attempt at an account, whether it exists or not.
    func attempt(account: String, now: Int64) throws(RateRefused) {
        if let accounts, case .refused(let seconds) = accounts.take(account, now: now) {
            throw RateRefused("account", "This account", rate: accounts.rate, seconds)
        }
    }
}

/// Who asked too often, and what they may.
struct RateRefused: Error {
    let problem: Problem
    /// The value of `RateLimit-Policy`: how many at once, and in how many seconds a rest gives them back.
    let policy: String
    /// The value of `RateLimit`: none left, and seconds until the next.
    let state: String

    init(_ name: String, _ subject: String, rate: Rate, _ seconds: Int) {
        let allowance =
            rate.perSecond >= 1
            ? "\(Int(rate.perSecond)) requests a second"
            : "\(Int((rate.perSecond * 60).rounded())) attempts a minute"
        self.problem = Problem(
            .rateLimited,
            "\(subject) may make \(allowance); wait \(seconds) s.",
            retryAfter: seconds
        )
        let window = max(1, Int((Double(rate.burst) / rate.perSecond).rounded(.up)))
        self.policy = "\"\(name)\";q=\(rate.burst);w=\(window)"
        self.state = "\"\(name)\";r=0;t=\(seconds)"
    }
}
