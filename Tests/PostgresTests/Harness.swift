import IOLoop
import Logging
import Postgres
import Synchronization
import TestSupport

/// A client of a test's own, on a loop of its own.
func withClient<Value>(
    _ url: String,
    statements: [any Statement.Type] = [],
    configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient) async throws -> Value
) async throws -> Value {
    var configuration = try PostgresConfiguration(url: url)
    // The machine may be busy; what tests waiting for a connection says how long.
    configuration.acquireTimeout = .seconds(10)
    configure(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let loop = IOLoop(name: "test-io")
    loop.start()
    let client = PostgresClient(configuration: configuration, loop: loop, statements: statements, logger: logger)
    let running = Task { await client.run() }
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(client))
    } catch {
        result = .failure(error)
    }
    running.cancel()
    await running.value
    loop.stop()
    return try result.get()
}

private let databases = Atomic<Int>(0)

/// Makes an empty database on the shared server, reached as the superuser.
func makeDatabase() async throws -> String {
    let server = try await PostgresServer.shared()
    let name = "postgres_client_\(databases.add(1, ordering: .relaxed).newValue)"
    try await server.psql("CREATE DATABASE \(name)", database: "postgres")
    return name
}

/// The URL of a new empty database.
func makeURL() async throws -> String {
    let name = try await makeDatabase()
    return try await PostgresServer.shared().url(user: "postgres", database: name)
}

/// A deadline that many seconds from now.
func seconds(_ count: Double) -> ContinuousClock.Instant {
    ContinuousClock.now.advanced(by: .milliseconds(Int64(count * 1_000)))
}

/// Runs static SQL on a lease.
func run(_ client: PostgresClient, _ script: String) async throws {
    try await client.withLease(deadline: seconds(10)) { try await $0.execute(script: script) }
}

/// The tenant a unit sees.
struct CurrentTenant: Statement {
    typealias Row = SingleColumn<Int64?>
    static let name = "test.current-tenant"
    static let sql: SQL = "SELECT nullif(current_setting('stock.tenant_id', true), '')::bigint"
}

/// The process at the server's end.
struct BackendPID: Statement {
    typealias Row = SingleColumn<Int32>
    static let name = "test.backend-pid"
    static let sql: SQL = "SELECT pg_backend_pid()"
}

/// Sleeps at the server.
struct Sleep: Statement {
    static let name = "test.sleep"
    static let sql: SQL = "SELECT pg_sleep($1::bigint / 1000.0)"
    static let parameterTypes: [PostgresType] = [.int8]
    var milliseconds: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(milliseconds)
    }
}

/// Adds a number to the table `item`.
struct InsertItem: Statement {
    static let name = "test.insert-item"
    static let sql: SQL = "INSERT INTO item (id) VALUES ($1)"
    static let parameterTypes: [PostgresType] = [.int8]
    var id: Int64

    func bind(_ parameters: inout Parameters) throws(PostgresError) {
        try parameters.append(id)
    }
}

/// Counts the rows of the table `item`.
struct CountItems: Statement {
    typealias Row = SingleColumn<Int64>
    static let name = "test.count-items"
    static let sql: SQL = "SELECT count(*) FROM item"
}

extension PostgresClient {
    /// The rows of the table `item`.
    func itemCount() async throws -> Int64 {
        try await query(CountItems(), tenant: nil, deadline: seconds(10)).first?.value ?? -1
    }

    /// Inserts as a unit of its own.
    func insert(_ ids: Int64..., deadline: ContinuousClock.Instant = seconds(10)) async throws(PostgresError) {
        var unit = UnitOfWork(tenant: 1, access: .write)
        for id in ids { try unit.add(InsertItem(id: id)) }
        _ = try await perform(unit, on: .exclusive, deadline: deadline)
    }
}

/// What an operation throws as ``PostgresError``.
func failure(_ body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}
