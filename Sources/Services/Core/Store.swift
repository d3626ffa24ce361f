package import Cache
import Domain
package import Kernel
package import Logging
package import Postgres

/// Runs the units of work of every service and keeps the cache in step with them.
///
/// Reads go to memory, Redis, PostgreSQL; a hit in memory is found without suspending. Writes run on a connection of their own,
/// are repeated where the database says that repeating helps, and retire what they touched before anybody is answered.
package final class Store: Sendable {
    /// The way to PostgreSQL.
    package let postgres: PostgresClient

    /// The cache of bodies and of small values.
    package let cache: TenantCache

    private let logger: Logger

    /// Makes a store.
    ///
    /// - Parameters:
    ///   - postgres: The way to PostgreSQL.
    ///   - cache: The cache.
    ///   - logger: Told what no client is told: failures that are ours.
    package init(postgres: PostgresClient, cache: TenantCache, logger: Logger) {
        self.postgres = postgres
        self.cache = cache
        self.logger = logger
    }

    // MARK: Reading

    /// The answer to a read, if it lies in memory and may be served now; never suspends.
    ///
    /// One that ends soon is computed anew behind the reader's back.
    ///
    /// - Parameters:
    ///   - read: What is read.
    ///   - token: What the client has written and seen.
    ///   - deadline: When computing anew is to end.
    /// - Returns: The answer, also that there is no such thing; nil if it is to be asked for by ``answer(_:_:)``.
    /// - Throws: What the read itself refuses.
    package func hit(
        _ read: CachedRead,
        token: ConsistencyToken?,
        deadline: ContinuousClock.Instant
    ) throws(Problem) -> CachedAnswer? {
        switch read {
        case .known(let key, let fill):
            return memory(key, fill, token, deadline)
        case .dated(let settings, let read):
            guard let hit = memory(settings.key, settings.fill, token, deadline),
                let settings: TenantSettings = Self.content(of: hit)
            else { return nil }
            return try self.hit(read(settings.today), token: token, deadline: deadline)
        case .scanned(let scales, let read):
            guard let hit = memory(scales.key, scales.fill, token, deadline),
                let scales: [ScalePattern] = Self.content(of: hit)
            else { return nil }
            return try self.hit(read(scales), token: token, deadline: deadline)
        }
    }

    /// The answer to a read, from memory, Redis or PostgreSQL.
    ///
    /// - Parameters:
    ///   - read: What is read.
    ///   - context: Who asks.
    /// - Returns: The answer.
    /// - Throws: 404 `not_found` if there is no such thing, or what kept the statement from answering.
    package func answer(_ read: CachedRead, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        let answer = try await look(read, context)
        guard !answer.isAbsent else { throw .notFound }
        return answer
    }

    /// As ``answer(_:_:)``; that there is no such thing is an answer, too, and knows what it was read from.
    package func look(_ read: CachedRead, _ context: CallContext) async throws(Problem) -> CachedAnswer {
        switch read {
        case .known(let key, let fill):
            return try await ask(
                key,
                fill,
                token: context.token,
                bypass: context.bypassCache,
                deadline: context.deadline
            )
        case .dated(let settings, let read):
            let known = try await value(settings, token: context.token, deadline: context.deadline)
            guard let today = known?.today else { throw .notFound }
            return try await look(read(today), context)
        case .scanned(let scales, let read):
            let known = try await value(scales, token: context.token, deadline: context.deadline)
            return try await look(read(known ?? []), context)
        }
    }

    /// A cached value, if it is in memory now; never suspends.
    package func known<Value>(_ value: CachedValue<Value>, token: ConsistencyToken? = nil) -> Value? {
        // One that ends soon goes the way on which it is asked for anew, and its use noted.
        guard let hit = cache.hit(value.key, token: token), !hit.wantsRefresh else { return nil }
        return Self.content(of: hit)
    }

    /// A cached value, from memory or PostgreSQL; `nil` if there is no such thing.
    ///
    /// - Parameters:
    ///   - value: What is read.
    ///   - token: What the value must reflect, when it decides what a client reads.
    ///   - deadline: When the caller gives up.
    /// - Returns: The value, found in memory without suspending.
    /// - Throws: What kept the statement from answering.
    package func value<Value>(
        _ value: CachedValue<Value>,
        token: ConsistencyToken? = nil,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> Value? {
        Self.content(of: try await ask(value.key, value.fill, token: token, bypass: false, deadline: deadline))
    }

    private static func content<Value>(of answer: CachedAnswer) -> Value? {
        guard case .value(let value) = answer.content else { return nil }
        return value as? Value
    }

    private func memory(
        _ key: CacheKey,
        _ fill: any Fill,
        _ token: ConsistencyToken?,
        _ deadline: ContinuousClock.Instant
    ) -> CachedAnswer? {
        cache.hit(key, token: token, deadline: deadline) { filling(key, fill, deadline) }
    }

    private func ask(
        _ key: CacheKey,
        _ fill: any Fill,
        token: ConsistencyToken?,
        bypass: Bool,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> CachedAnswer {
        do {
            return try await cache.read(
                key,
                token: token,
                bypass: bypass,
                deadline: deadline,
                fill: filling(key, fill, deadline)
            )
        } catch {
            throw problem(of: error)
        }
    }

    private func filling(_ key: CacheKey, _ fill: any Fill, _ deadline: ContinuousClock.Instant) -> CacheFill {
        { [postgres] in try await fill.run(on: postgres, for: TenantID(rawValue: key.tenant), until: deadline) }
    }

    /// Runs one reading statement that is never cached.
    ///
    /// - Parameters:
    ///   - statement: The statement.
    ///   - tenant: Whose rows it sees; `nil` sees the global tables only.
    ///   - deadline: When the caller gives up.
    /// - Returns: The rows.
    /// - Throws: What kept it from answering.
    package func query<S: Statement>(
        _ statement: S,
        tenant: TenantID?,
        deadline: ContinuousClock.Instant
    ) async throws(Problem) -> [S.Row] {
        do throws(PostgresError) {
            return try await postgres.query(statement, tenant: tenant?.rawValue, on: .shared, deadline: deadline)
        } catch {
            throw problem(of: error)
        }
    }

    // MARK: Writing

    /// Runs a command: once for its key, however often it is sent.
    ///
    /// The unit is: take the key, the command's statements, its conclusion (``Effect``), `stock.cache_token()`; so an answer is stored
    /// with its effect, and a command can leave neither out. Serialisation failures and deadlocks are repeated up to three times;
    /// a connection lost around COMMIT is resolved by the key's record.
    ///
    /// - Parameters:
    ///   - context: Who asks.
    ///   - key: The request's key, if its route takes one.
    ///   - command: Adds the command's statements and says what they do; called once per attempt.
    /// - Returns: The answer; what it changed is already retired from this instance's memory.
    /// - Throws: The refusal, or what kept the command from running.
    package func write<Made>(
        _ context: CallContext,
        key: IdempotencyKey? = nil,
        command: (inout UnitOfWork) throws(PostgresError) -> Effect<Made>
    ) async throws(Problem) -> Answer {
        do throws(WriteFailure) {
            return try await attemptWrite(context, key: key, command: command)
        } catch {
            switch error {
            case .problem(let problem): throw problem
            case .inputChanged:
                throw Problem(.overloaded, "Other requests kept this one from finishing. Try again.", retryAfter: 1)
            }
        }
    }

    /// As ``write(_:key:command:)``, telling apart that what the unit was computed from has changed (ST004): the caller reads again
    /// and repeats once.
    ///
    /// - Parameters:
    ///   - context: Who asks.
    ///   - key: The request's key, if its route takes one.
    ///   - command: Adds the command's statements and says what they do; called once per attempt.
    /// - Returns: The answer.
    /// - Throws: ``WriteFailure``.
    package func attemptWrite<Made>(
        _ context: CallContext,
        key: IdempotencyKey? = nil,
        command: (inout UnitOfWork) throws(PostgresError) -> Effect<Made>
    ) async throws(WriteFailure) -> Answer {
        var waits = Retries.inProgress
        while true {
            do throws(PostgresError) {
                let (row, written) = try await perform(context.tenant, deadline: context.deadline) {
                    (unit) throws(PostgresError) -> Slot<AnswerRow> in
                    if let key { try unit.add(TakeKey(key: key)) }
                    return try unit.conclude(try command(&unit), key: key)
                }
                var answer = row.answer
                answer.consistency = consistency(written, context.token)
                return answer
            } catch {
                switch (error.sqlState, key) {
                case (.inputChanged?, _):
                    throw .inputChanged
                case (.keyRecorded?, let key?):
                    if let answer = try await recorded(context, key) { return answer }
                case (.keyInProgress?, let key?):
                    // The twin is about to finish more often than not: look a few times before refusing.
                    guard let wait = waits.next(), await Retries.sleep(wait, until: context.deadline) else {
                        throw .problem(problem(of: error))
                    }
                    if let answer = try await recorded(context, key) { return answer }
                case (_, let key?) where error.outcome == .unknown:
                    // Committed or not: the record tells. Not found and the key free, the loop runs it again.
                    guard let wait = waits.next(), await Retries.sleep(wait, until: context.deadline) else {
                        throw .problem(PostgresError.outcomeUnknown)
                    }
                    if let answer = try await recordedUnseen(context, key) { return answer }
                default:
                    throw .problem(problem(of: error))
                }
            }
        }
    }

    /// Stores a refusal beside its key, in a unit of its own; a record found there is the answer.
    ///
    /// - Parameters:
    ///   - refusal: The rendered problem: status and body.
    ///   - context: Who asked.
    ///   - key: The request's key.
    /// - Returns: What the client gets: the refusal, or the record of a twin that came first.
    /// - Throws: 422 `idempotency_key_reused` if the key was used for another body.
    package func remember(
        _ refusal: Answer,
        _ context: CallContext,
        key: IdempotencyKey
    ) async throws(Problem) -> Answer {
        var waits = Retries.inProgress
        while true {
            do throws(PostgresError) {
                return try await store(refusal, context, key)
            } catch {
                switch error.sqlState {
                case .keyInProgress?:
                    // A twin that was refused at the same time is about to store its refusal: one of the two is the answer of both.
                    guard let wait = waits.next(), await Retries.sleep(wait, until: context.deadline) else {
                        return refusal
                    }
                case .keyRecorded?:
                    return try await recordedByTwin(context, key) ?? refusal
                default:
                    // Not stored: the same request again computes its refusal anew, which is as right.
                    return refusal
                }
            }
        }
    }

    private func store(
        _ refusal: Answer,
        _ context: CallContext,
        _ key: IdempotencyKey
    ) async throws(PostgresError) -> Answer {
        try await transact(context.tenant, deadline: context.deadline) {
            (unit) throws(PostgresError) -> Slot<AnswerRow> in
            try unit.add(TakeKey(key: key))
            return try unit.add(RecordRefusal(key: key, refusal: refusal))
        }.answer
    }

    /// Runs a writing unit, repeats it where that helps, and retires what it touched.
    ///
    /// - Parameters:
    ///   - tenant: Whose rows it sees.
    ///   - deadline: When the caller gives up.
    ///   - repeatsLost: Whether doing it twice is harmless, so that a lost connection is answered by trying once more.
    ///   - retired: The tenant whose modules the token names, if the unit itself finds it out.
    ///   - build: Adds the statements; called once per attempt. The row of the slot it returns is the result.
    /// - Returns: The first row of that slot.
    /// - Throws: ``PostgresError``; `unexpectedRowCount` if there is no row.
    package func transact<Row: DecodableRow>(
        _ tenant: TenantID?,
        deadline: ContinuousClock.Instant,
        repeatsLost: Bool = false,
        retired: ((Row) -> TenantID?)? = nil,
        build: (inout UnitOfWork) throws(PostgresError) -> Slot<Row>
    ) async throws(PostgresError) -> Row {
        try await perform(tenant, deadline: deadline, repeatsLost: repeatsLost, retired: retired, build: build).row
    }

    /// As ``transact(_:deadline:repeatsLost:retired:build:)``, telling also what was written.
    package func perform<Row: DecodableRow>(
        _ tenant: TenantID?,
        deadline: ContinuousClock.Instant,
        repeatsLost: Bool = false,
        retired: ((Row) -> TenantID?)? = nil,
        build: (inout UnitOfWork) throws(PostgresError) -> Slot<Row>
    ) async throws(PostgresError) -> (row: Row, written: Written) {
        let committed = try await commit(tenant, deadline: deadline, repeatsLost: repeatsLost, build: build)
        // From here to the return nothing suspends: whoever reads next on this instance misses.
        let token = try committed.result.one(committed.token)
        let row: Row?
        do throws(PostgresError) {
            row = try committed.result.first(committed.row)
        } catch {
            retire(token, of: tenant)
            throw error
        }
        let owner = row.flatMap { retired?($0) } ?? tenant
        retire(token, of: owner)
        guard let row else {
            throw PostgresError(.unexpectedRowCount, "no row where there must be one", outcome: .failed)
        }
        return (row, Written(tenant: owner, xid: token.xid, modules: token.modules))
    }

    /// A unit that was committed, and where its rows are.
    private struct Committed<Row: DecodableRow> {
        let result: UnitResult
        let row: Slot<Row>
        let token: Slot<CacheToken.Row>
    }

    /// Commits a unit, and builds and sends it again where that helps.
    private func commit<Row: DecodableRow>(
        _ tenant: TenantID?,
        deadline: ContinuousClock.Instant,
        repeatsLost: Bool,
        build: (inout UnitOfWork) throws(PostgresError) -> Slot<Row>
    ) async throws(PostgresError) -> Committed<Row> {
        var repetitions = Repetitions(repeatsLost: repeatsLost)
        while true {
            var unit = UnitOfWork(tenant: tenant?.rawValue, access: .write)
            let row = try build(&unit)
            let token = try unit.add(CacheToken())
            do throws(PostgresError) {
                let result = try await postgres.perform(unit, on: .exclusive, deadline: deadline)
                return Committed(result: result, row: row, token: token)
            } catch {
                guard let wait = repetitions.wait(after: error), await Retries.sleep(wait, until: deadline) else {
                    throw error
                }
            }
        }
    }

    private func retire(_ token: CacheToken.Row, of tenant: TenantID?) {
        guard let tenant, !token.modules.isEmpty else { return }
        cache.committed(tenant: tenant.rawValue, modules: token.modules, xid: token.xid)
    }

    /// The value of `Stock-Consistency` in a write's answer.
    ///
    /// - Parameters:
    ///   - written: What was written.
    ///   - incoming: What the client sent.
    /// - Returns: The token; nil for a write of no tenant.
    package func consistency(_ written: Written, _ incoming: ConsistencyToken?) -> String? {
        guard let tenant = written.tenant else { return nil }
        return cache.token(incoming, tenant: tenant.rawValue, wrote: written.xid, modules: written.modules)
    }

    /// The value of `Stock-Consistency` beside a refusal: whoever sends it back sees at least what the refusal was made of.
    ///
    /// A refused unit tells nothing but its refusal. What is seen now covers what it saw, of whatever modules that was.
    ///
    /// - Parameter context: Who was refused.
    /// - Returns: The token; nil if the database cannot be asked.
    package func consistencyOfRefusal(_ context: CallContext) async -> String? {
        let seen = try? await query(SeenNow(), tenant: context.tenant, deadline: context.deadline).first
        return seen.map { cache.token(context.token, tenant: context.tenant.rawValue, refusedBy: $0.snapshot) }
    }

    /// The stored answer of a key.
    ///
    /// Its token covers the first request's write, whichever instance ran it: the record was stored by the same transaction.
    ///
    /// - Parameters:
    ///   - context: Who asks.
    ///   - key: The request's key.
    ///   - isOwn: Whether this instance may have run it just now without learning so.
    /// - Returns: The answer; nil if there is none.
    /// - Throws: 422 `idempotency_key_reused` if the key was used for another body; what kept the database from answering.
    private func recorded(
        _ context: CallContext,
        _ key: IdempotencyKey,
        isOwn: Bool = false
    ) async throws(WriteFailure) -> Answer? {
        let records: [FindRecord.Row]
        do throws(PostgresError) {
            records = try await postgres.query(
                FindRecord(key: key),
                tenant: context.tenant.rawValue,
                on: .shared,
                deadline: context.deadline
            )
        } catch {
            throw .problem(problem(of: error))
        }
        guard let record = records.first else { return nil }
        guard ConstantTime.equal(record.hash, key.requestHash) else {
            throw .problem(
                Problem(.idempotencyKeyReused, "This Idempotency-Key was used for a request with another body.")
            )
        }
        let written = Written(tenant: context.tenant, xid: record.xid, modules: Module.allCases)
        // What COMMIT would have told: from here on this instance reads what it wrote.
        if isOwn { cache.committed(tenant: context.tenant.rawValue, modules: written.modules, xid: written.xid) }
        var answer = record.answer
        guard answer.status < 300 else { return answer }
        answer.consistency = cache.token(
            context.token,
            tenant: context.tenant.rawValue,
            replayed: written.xid,
            modules: written.modules,
            seenBy: record.snapshot
        )
        return answer
    }

    /// The stored answer of a key that this instance may have written without learning so.
    ///
    /// - Throws: 422 `idempotency_key_reused`; whatever else keeps the record from being read leaves the outcome unknown.
    private func recordedUnseen(_ context: CallContext, _ key: IdempotencyKey) async throws(WriteFailure) -> Answer? {
        do throws(WriteFailure) {
            return try await recorded(context, key, isOwn: true)
        } catch {
            throw error.isKeyReused ? error : .problem(PostgresError.outcomeUnknown)
        }
    }

    /// The stored answer of a key that a twin has taken; nil also if it cannot be read.
    ///
    /// - Throws: 422 `idempotency_key_reused`.
    private func recordedByTwin(_ context: CallContext, _ key: IdempotencyKey) async throws(Problem) -> Answer? {
        do throws(WriteFailure) {
            return try await recorded(context, key)
        } catch {
            guard case .problem(let problem) = error, error.isKeyReused else { return nil }
            throw problem
        }
    }

    // MARK: Errors

    /// The problem a client sees; what is ours to mend is logged here, once.
    package func problem(of error: any Error) -> Problem {
        switch error {
        case let problem as Problem:
            return problem
        case let error as PostgresError:
            let problem = error.problem
            if problem.code == .internalError {
                logger.error("statement failed", metadata: ["error": "\(error)"])
            }
            return problem
        case CacheOverload.refused as CacheOverload:
            return Problem(.overloaded, "Too many reads are waiting for the database. Try again.", retryAfter: 1)
        case is CacheOverload:
            return Problem(.overloaded, "The request took too long and was given up.", retryAfter: 1)
        case is CancellationError:
            return Problem(.overloaded, "The request was given up.", retryAfter: 1)
        default:
            logger.error("unexpected failure", metadata: ["error": "\(String(reflecting: Swift.type(of: error)))"])
            return Problem(.internalError, "Something went wrong on our side.")
        }
    }
}

// Which failures of a fill are answers, so that nothing old is given out in their place.

extension Problem: CacheFinalError {
    /// A refusal is; being too busy is not.
    package var isFinal: Bool { code.status < 500 }
}

extension PostgresError: CacheFinalError {
    /// A statement that is wrong stays wrong, and somebody has to see it.
    package var isFinal: Bool { problem.code.status < 503 }
}

/// What a transaction has written, for the client's token.
package struct Written: Sendable, Equatable {
    /// Whose data; nil for what belongs to no tenant.
    package let tenant: TenantID?

    /// The transaction.
    package let xid: UInt64

    /// The modules it retired.
    package let modules: [Module]
}

/// Why a command did not run.
package enum WriteFailure: Error, Sendable {
    /// What a client should see.
    case problem(Problem)

    /// What the unit was computed from has changed: read again, build again, once.
    case inputChanged

    /// Whether the key was used for another body, which is so however often it is asked.
    fileprivate var isKeyReused: Bool {
        if case .problem(let problem) = self { problem.code == .idempotencyKeyReused } else { false }
    }
}
