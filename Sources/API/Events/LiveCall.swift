import Kernel
import NIOCore
import Services
import Synchronization

/// A call that is served for as long as its caller wants: what it may do meanwhile, and how it learns that it has to end.
package final class LiveCall: Sendable {
    /// What was asked.
    let call: Call
    /// Who asks, as it was when they came.
    let caller: Caller

    private let authenticator: Authenticator
    private let rates: RateLimits
    private let lifecycle: Lifecycle
    private let limits: ServerLimits
    private let seen = Mutex(Authenticator.SeenToken())

    init(
        _ call: Call,
        _ caller: Caller,
        _ authenticator: Authenticator,
        _ rates: RateLimits,
        _ lifecycle: Lifecycle,
        _ limits: ServerLimits
    ) {
        self.call = call
        self.caller = caller
        self.authenticator = authenticator
        self.rates = rates
        self.lifecycle = lifecycle
        self.limits = limits
    }

    /// Whether the instance drains.
    var isDraining: Bool { lifecycle.isDraining }

    /// How long after the beginning of the drain it ends: some time of the delay, so that not all come to the others at once.
    func timeToLeave() -> Duration {
        let whole = max(.zero, limits.drainDelay - limits.lastCall)
        return whole * Double.random(in: 0..<1)
    }

    /// Ends the connection, whatever is written on it.
    var closeConnection: @Sendable () -> Void {
        { [exchange = call.exchange] in exchange.closeConnection() }
    }

    /// Does what costs the database something, when it is the caller's turn.
    func inTurn<Value: Sendable>(
        _ body: (_ deadline: ContinuousClock.Instant) async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + limits.requestDeadline
        return try await rates.admission.run(tenant: caller.tenant, deadline: deadline) { try await body(deadline) }
    }

    /// Makes sure, without asking anybody, that the credential is still good as far as this instance knows.
    ///
    /// - Throws: `unauthenticated`, `tenant_suspended`, or `forbidden` for one who may do something else by now.
    func check() throws {
        let credential = try self.credential()
        if let caller = try authenticator.known(credential) { try compare(caller) }
    }

    /// Makes sure that the credential is still good, asking the database if nobody has before.
    ///
    /// - Throws: As ``check()``, or what kept the database from answering.
    func checkAnew() async throws {
        let caller = try await authenticator.caller(
            credential(),
            from: call.exchange.client.limited,
            deadline: .now + limits.requestDeadline
        )
        try compare(caller)
    }

    private func credential() throws(Problem) -> Authenticator.Credential {
        try seen.withLock { (seen: inout Authenticator.SeenToken) throws(Problem) -> Authenticator.Credential in
            try authenticator.credential(call.exchange.fields.authorization, &seen)
        }
    }

    private func compare(_ now: Caller) throws(Problem) {
        guard now.role == caller.role, now.scopes == caller.scopes, now.workplaces == caller.workplaces else {
            throw Problem(.forbidden, "What this credential may do was changed.")
        }
    }
}
