import Kernel
import Postgres
import Testing

@testable import Services

/// What a client is told of a statement that failed.
@Suite
struct OutcomeTests {
    @Test(
        "whatever ended it, a write that may have been committed is unknown, and nothing else is",
        arguments: [
            PostgresError(.connectionLost, "lost", outcome: .unknown),
            PostgresError(.deadlineExceeded, "late", outcome: .unknown),
            PostgresError(.protocolViolation, "out of step", outcome: .unknown),
            PostgresError(sqlState: .adminShutdown, serverMessage: "", outcome: .unknown),
            PostgresError(sqlState: "XX000", serverMessage: "", outcome: .unknown),
        ]
    )
    func unknown(error: PostgresError) {
        #expect(error.problem.code == .outcomeUnknown)
        #expect(error.problem.retryAfter == 1)
        #expect(error.with(outcome: .failed).problem.code != .outcomeUnknown)
    }

    @Test(
        "what was too much for the server is 503 with Retry-After, and nothing was done",
        arguments: ["57014", "55P03", "53100", "53200", "40001", "40P01", "58030", "25P03"] as [SQLState]
    )
    func overloaded(state: SQLState) {
        let problem = PostgresError(sqlState: state, serverMessage: "secret").problem
        #expect(problem.code == .overloaded)
        #expect(problem.retryAfter == 1)
        #expect(!problem.detail.contains("secret"))
        #expect(!problem.detail.contains("Idempotency-Key"), "a command line has none")
    }

    @Test("a database that is away is 503", arguments: ["57P01", "57P03", "08006", "53300", "25006"] as [SQLState])
    func unavailable(state: SQLState) {
        #expect(PostgresError(sqlState: state, serverMessage: "").problem.code == .databaseUnavailable)
    }
}
