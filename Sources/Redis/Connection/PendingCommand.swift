internal import IOLoop

/// A command on its way, from the task that asked to the reply.
final class PendingCommand: TimerCallback, Sendable {
    typealias Answer = Result<RedisReply, RedisError>

    let command: RedisCommand
    /// What the caller allows; nil leaves it to the timeout.
    let deadline: ContinuousClock.Instant?
    /// What the server may take.
    let timeout: Duration
    private let answer = OneShot<Answer>()

    init(_ command: RedisCommand, deadline: ContinuousClock.Instant?, timeout: Duration) {
        self.command = command
        self.deadline = deadline
        self.timeout = timeout
    }

    /// Whether somebody waits for the reply, so that it has to be copied.
    var isWanted: Bool { answer.isOpen }

    func finish(_ answer: Answer) {
        self.answer.decide(answer)
    }

    /// The caller's deadline has passed: it goes on, the reply will be dropped.
    func fire() {
        finish(.failure(RedisError(.timedOut, "the caller's deadline has passed", mayHaveRun: true)))
    }

    /// Waits for the reply; a cancelled task goes on at once and the reply is dropped.
    func reply() async -> Answer {
        await answer.value(ifCancelled: .failure(RedisError(.cancelled, mayHaveRun: true)))
    }
}
