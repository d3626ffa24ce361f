import Kernel
import NIOCore
import Services
import Synchronization

/// A call that is served for as long as its caller wants: what it may do meanwhile, and how it learns that it has to end.
///
/// Of the request it keeps no more than that takes, as thousands of them are served at a time.
package final class LiveCall: Sendable {
    /// Who asks, as it was when they came.
    let caller: Caller
    /// Ends the connection, once what is written on it was taken or given up.
    let closeConnection: @Sendable () -> Void

    private let api: API
    private let authorization: String?
    private let seen = Mutex(Authenticator.SeenToken())

    init(_ exchange: Exchange, _ caller: Caller, _ api: API) {
        self.caller = caller
        self.api = api
        authorization = exchange.fields.authorization
        closeConnection = exchange.closeConnection
    }

    /// When a stream ends because the instance does; nil while it does not.
    ///
    /// Not all in one moment, and so late that nothing leads here any more when the client comes back: some balancers look away only when they
    /// are refused a connection, and until then streams are opened as ever.
    func timeToLeave() -> ContinuousClock.Instant? {
        guard let began = api.lifecycle.drainBegan else { return nil }
        let closing = max(.zero, api.limits.drainDelay - api.limits.lastCall)
        return began + closing - min(closing, EventStream.retry.lowerBound) * Double.random(in: 0..<1)
    }

    /// Does what costs the database something, when it is the caller's turn, among the streams or among all requests.
    func inTurn<Value: Sendable>(
        asStream: Bool = false,
        _ body: (_ deadline: ContinuousClock.Instant) async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + api.limits.requestDeadline
        let line = asStream ? api.rates.streams : api.rates.admission
        return try await line.run(tenant: caller.tenant, deadline: deadline) { try await body(deadline) }
    }

    /// Refuses a credential that is known to be good no longer, without asking anybody: one that memory knows nothing of passes.
    ///
    /// - Throws: `unauthenticated`, `tenant_suspended`, or `forbidden` for one who may do something else by now.
    func refuseIfKnownToBeGone() throws {
        let credential = try self.credential()
        if let end = caller.expiresAt, end <= api.clock.now() {
            throw Problem(.unauthenticated, "The API key has expired.")
        }
        if let caller = try api.authenticator.known(credential) { try compare(caller) }
    }

    /// Makes sure that the credential is still good, asking the database if nobody has before.
    ///
    /// - Throws: As ``refuseIfKnownToBeGone()``, or what kept the database from answering.
    func check() async throws {
        let deadline = ContinuousClock.now + api.limits.requestDeadline
        try compare(try await api.authenticator.callerByNow(credential(), deadline: deadline))
    }

    private func credential() throws(Problem) -> Authenticator.Credential {
        try seen.withLock { (seen: inout Authenticator.SeenToken) throws(Problem) -> Authenticator.Credential in
            try api.authenticator.credential(authorization, &seen)
        }
    }

    private func compare(_ now: Caller) throws(Problem) {
        guard now.role == caller.role, now.scopes == caller.scopes, now.workplaces == caller.workplaces else {
            throw Problem(.forbidden, "What this credential may do was changed.")
        }
    }
}
