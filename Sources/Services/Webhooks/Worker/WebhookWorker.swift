package import Cache
package import Kernel
package import Logging
package import Postgres
import Synchronization

/// Sends events to the endpoints of tenants.
///
/// An endpoint is one worker's at a time, by a lease that is said anew with each try; whose worker is silent for
/// ``webhookLeaseSeconds`` is taken over by another, which goes on where it was: what was sent and not written down is sent once more. Nothing
/// is locked while a receiver is waited for. Each endpoint takes turns of a few messages, of each tenant some at once, so that neither one
/// with much to be sent nor one that answers slowly holds up others.
package final class WebhookWorker: Sendable {
    /// Endpoints served at once, and of one tenant.
    private static let most = (inAll: 32, ofTenant: 4)

    /// What is sent in one turn, and how long one takes before others have theirs.
    private static let messagesOfTurn = 20
    private static let lengthOfTurn: Duration = .seconds(5)

    /// How often it is looked for what is due.
    private static let interval: Duration = .seconds(1)

    /// Between two rounds through deliveries that are old.
    private static let sweepInterval: Duration = .seconds(3_600)

    /// How long a statement may take.
    private static let patience: Duration = .seconds(5)

    /// Every statement of it.
    static let statements: [any Statement.Type] = [
        WebhookTenants.self, WaitingWebhooks.self, TakeWebhook.self, ReleaseWebhook.self, NextWebhookMessage.self,
        RecordWebhookDelivery.self, SealWebhookSecret.self, SweepWebhookDeliveries.self,
    ]

    /// How much there was of what.
    package struct Statistics: Sendable {
        /// Endpoints that are served now.
        package var serving = 0
        /// Tries that were answered with 200 to 299.
        package var delivered: Int64 = 0
        /// Tries that were not.
        package var failed: Int64 = 0
        /// Events set aside.
        package var setAside: Int64 = 0
        /// Endpoints switched off.
        package var disabled: Int64 = 0
    }

    private let postgres: PostgresClient
    private let sender: any WebhookSender
    private let secrets: WebhookSecrets
    private let clock: WallClock
    private let retention: Duration
    private let logger: Logger
    private let worker = UUIDv7.make()
    private let calls = WebhookCalls()
    private let counts = Mutex(Statistics())
    /// How many endpoints of a tenant are served.
    private let serving = Mutex<[Int64: Int]>([:])

    /// Makes a worker; ``run()`` is to be run.
    ///
    /// - Parameters:
    ///   - postgres: Where endpoints and events are.
    ///   - sender: What takes messages to endpoints.
    ///   - secrets: Opens the secrets of endpoints.
    ///   - clock: When things are due.
    ///   - retention: How long deliveries can be read.
    ///   - logger: Told of failures, by the ids of tenant and endpoint alone.
    package init(
        postgres: PostgresClient,
        sender: any WebhookSender,
        secrets: WebhookSecrets,
        clock: WallClock = .system,
        retention: Duration = .seconds(30 * 86_400),
        logger: Logger
    ) {
        self.postgres = postgres
        self.sender = sender
        self.secrets = secrets
        self.clock = clock
        self.retention = retention
        self.logger = logger
    }

    /// How much there was of what.
    package var statistics: Statistics {
        var statistics = counts.withLock { $0 }
        statistics.serving = serving.withLock { $0.values.reduce(0, +) }
        return statistics
    }

    /// Has it hear of events by the log that an instance follows.
    package func follow(_ cache: TenantCache) { cache.lane.tell(calls) }

    // MARK: Whose turn it is

    /// Works until the task is cancelled; what is under way then is given back.
    package func run() async {
        await withDiscardingTaskGroup { group in
            var due = ContinuousClock.now
            var sweep = Sweep()
            while !Task.isCancelled {
                do {
                    if calls.takeLost() { try await learn() }
                    try await serve(&due, in: &group)
                    try await go(on: &sweep)
                } catch {
                    if Task.isCancelled { break }
                    logger.notice("webhooks can not be looked for", metadata: ["error": "\(error)"])
                }
                _ = await calls.bell.wait(atMost: Self.interval)
            }
            group.cancelAll()
        }
    }

    /// Sends whatever is due now, one endpoint after the other.
    package func serveDue() async throws {
        try await learn()
        while true {
            var next = calls.next(butFor: [])
            if next == nil { next = try await waiting([]) }
            guard let tenant = next else { return }
            while let id = try await take(of: tenant) { await turn(id, of: tenant) }
        }
    }

    /// Finds out who has endpoints, and has all of them looked after, as nobody knows what was missed.
    private func learn() async throws {
        do {
            var after: Int64 = 0
            while true {
                let tenants = try await read(WebhookTenants(after: after)).map(\.value)
                for tenant in tenants { calls.call(tenant) }
                guard tenants.count == WebhookTenants.most, let last = tenants.last else { return }
                after = last
            }
        } catch {
            calls.giveBackLost()
            throw error
        }
    }

    /// Begins the turns that there is room for: of those who were heard of, and once a second of those for whom something is due.
    private func serve(
        _ due: inout ContinuousClock.Instant,
        in group: inout DiscardingTaskGroup
    ) async throws {
        while !Task.isCancelled {
            let (isFull, busy) = serving.withLock { serving in
                let busy = serving.filter { $0.value >= Self.most.ofTenant }
                return (serving.values.reduce(0, +) >= Self.most.inAll, Set(busy.keys))
            }
            if isFull { return }
            var next = calls.next(butFor: busy)
            if next == nil, due <= .now {
                next = try await waiting(busy)
                if next == nil { due = .now + Self.interval }
            }
            guard let tenant = next else { return }
            guard let id = try await take(of: tenant) else { continue }
            // Others of its endpoints may have something, too.
            calls.call(tenant)
            serving.withLock { $0[tenant, default: 0] += 1 }
            group.addTask {
                await self.turn(id, of: tenant)
                self.serving.withLock { serving in
                    let left = serving[tenant, default: 1] - 1
                    serving[tenant] = left > 0 ? left : nil
                }
                // What happened meanwhile was heard while the endpoint was taken.
                self.calls.call(tenant)
            }
        }
    }

    private func waiting(_ busy: Set<Int64>) async throws -> Int64? {
        try await read(WaitingWebhooks(now: clock.now(), busy: Array(busy))).first?.value
    }

    /// Takes an endpoint of a tenant that has something to be sent; nil if none has.
    private func take(of tenant: Int64) async throws -> WebhookID? {
        do {
            guard let taken = try await write(TakeWebhook(worker: worker, now: clock.now()), of: tenant).first else {
                return nil
            }
            calls.heed(tenant, taken.isKnown)
            return taken.id
        } catch {
            // What was heard of it is said once.
            calls.call(tenant)
            throw error
        }
    }

    // MARK: A turn

    /// Sends some of what is due for an endpoint that is this worker's.
    private func turn(_ id: WebhookID, of tenant: Int64) async {
        var about = logger
        about[metadataKey: "tenant"] = "\(tenant)"
        about[metadataKey: "webhook"] = "\(id)"
        let end = ContinuousClock.now + Self.lengthOfTurn
        do {
            for number in 0..<Self.messagesOfTurn where ContinuousClock.now < end {
                let next = NextWebhookMessage(
                    id: id,
                    worker: worker,
                    prefersAside: !number.isMultiple(of: 2),
                    delivery: .make(),
                    now: clock.now()
                )
                guard let message = try await write(next, of: tenant).first else { return }
                let reply = await send(message, to: id, TenantID(rawValue: tenant))
                if Task.isCancelled, !reply.isSuccess { break }
                guard try await note(reply, to: message, id, tenant, about) else { return }
                if Task.isCancelled { break }
            }
            try await finish(ReleaseWebhook(id: id, worker: worker, now: clock.now()), of: tenant)
        } catch {
            // Its time runs out, and whoever takes it then goes on where it was written down to be.
            about.notice("webhook is interrupted", metadata: ["error": "\(error)"])
        }
    }

    private func send(
        _ message: NextWebhookMessage.Row,
        to id: WebhookID,
        _ tenant: TenantID
    ) async -> WebhookReply {
        guard let url = try? WebhookURL(message.url),
            let secret = secrets.open(message.secret, tenant: tenant, webhook: id)
        else { return WebhookReply(fault: .secretUnreadable) }
        if secrets.isOutdated(message.secret), let sealed = try? secrets.seal(secret, tenant: tenant, webhook: id) {
            let seal = SealWebhookSecret(id: id, worker: worker, former: message.secret, secret: sealed)
            _ = try? await write(seal, of: tenant.rawValue)
        }
        let former = message.previousSecret.flatMap { secrets.open($0, tenant: tenant, webhook: id) }
        let name = message.reason == .test ? "test_\(UUIDv7.make())" : "\(id)_\(message.sequence)"
        let timestamp = clock.now().microsecondsSince1970 / 1_000_000
        let body = Array(message.body.utf8)
        let signatures = ([secret] + (former.map { [$0] } ?? [])).map {
            $0.signature(id: name, timestamp: timestamp, body: body)
        }
        let sent = WebhookMessage(
            id: name,
            timestamp: timestamp,
            signatures: signatures.joined(separator: " "),
            body: body
        )
        return await sender.send(sent, to: url)
    }

    /// Writes down what came of a try; false if the endpoint is somebody else's by now.
    private func note(
        _ reply: WebhookReply,
        to message: NextWebhookMessage.Row,
        _ id: WebhookID,
        _ tenant: Int64,
        _ logger: Logger
    ) async throws -> Bool {
        let now = clock.now()
        let outcome: WebhookSchedule.Outcome =
            reply.isSuccess
            ? .delivered : WebhookSchedule.outcome(ofFailed: message, at: now, jitter: .random(in: 0..<1))
        Failpoint.reach("webhook_sent")
        let record = RecordWebhookDelivery(
            id: id,
            worker: worker,
            message: message,
            reply: reply,
            outcome: outcome,
            now: now
        )
        guard try await finish(record, of: tenant).first?.value == true else { return false }
        counts.withLock { counts in
            if reply.isSuccess { counts.delivered += 1 } else { counts.failed += 1 }
            if case .setAside = outcome { counts.setAside += 1 }
            if outcome == .disabled { counts.disabled += 1 }
        }
        if !reply.isSuccess {
            let what = reply.code.map { "\($0)" } ?? reply.fault?.rawValue ?? "nothing"
            logger.log(
                level: outcome == .disabled ? .notice : .info,
                outcome == .disabled ? "webhook is switched off" : "webhook was not delivered",
                metadata: ["seq": "\(message.sequence)", "answer": "\(what)", "attempt": "\(message.attempts + 1)"]
            )
        }
        return true
    }

    // MARK: Old deliveries

    /// A round through the tenants that have endpoints, once an hour.
    private struct Sweep {
        /// The last tenant that is done.
        var after: Int64 = 0
        var due = ContinuousClock.now
    }

    /// Deletes some of what was tried long ago, if it is time to.
    private func go(on sweep: inout Sweep) async throws {
        guard sweep.due <= .now else { return }
        let step = SweepWebhookDeliveries(after: sweep.after, keep: retention)
        if let next = try await write(step, of: nil).first?.value {
            sweep.after = next
            calls.bell.ring()
        } else {
            sweep = Sweep(due: .now + Self.sweepInterval)
        }
    }

    // MARK: Statements

    private func read<S: Statement>(_ statement: S) async throws -> [S.Row] {
        try await postgres.query(statement, tenant: nil, on: .shared, deadline: .now + Self.patience)
    }

    private func write<S: Statement>(_ statement: S, of tenant: Int64?) async throws -> [S.Row] {
        var unit = UnitOfWork(tenant: tenant, access: .write)
        let slot = try unit.add(statement)
        return try await postgres.perform(unit, on: .exclusive, deadline: .now + Self.patience).rows(slot)
    }

    /// As ``write(_:of:)``, also when this worker is to stop.
    @discardableResult
    private func finish<S: Statement>(_ statement: S, of tenant: Int64) async throws -> [S.Row] {
        try await Task { try await self.write(statement, of: tenant) }.value
    }
}
