import Domain
import HTTPTypes
import Kernel
import Services

extension API {
    /// Asks a busy path again, on behalf of the tenant, so that the next client finds the answer in memory.
    ///
    /// As one who may look and nothing else; the tenant's state is the caller's to check.
    ///
    /// - Parameters:
    ///   - path: What to ask.
    ///   - deadline: After this the answer is worth nothing.
    /// - Returns: Whether there was an answer; what keeps it away concerns nobody.
    package func replay(_ path: BusyPath, deadline: ContinuousClock.Instant) async -> Bool {
        let exchange = Exchange(getting: path.target)
        guard case .route(let route, let segments) = router.match(.get, exchange.path), route.isReplayable else {
            return false
        }
        let caller = Caller(tenant: path.tenant, role: .viewer, scopes: Role.viewer.scopes, name: "warm-up")
        let call = Call(
            route: route,
            exchange: exchange,
            segments: segments,
            deadline: deadline,
            bodyLimit: 0,
            caller: caller,
            token: nil,
            cache: nil,
            rates: nil
        )
        guard let reply = try? await self.replay(call, caller) else { return false }
        return reply.status == .ok
    }
}
