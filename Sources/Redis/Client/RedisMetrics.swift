import Metrics

/// What is measured of a client's commands, made once.
struct RedisMetrics: Sendable {
    private let answered = RedisMetrics.counter("ok")
    private let refusedByServer = RedisMetrics.counter("error")
    private let lost = RedisMetrics.counter("lost")
    private let notSent = RedisMetrics.counter("not_sent")
    private let time = Metrics.Timer(label: "stock_redis_command_seconds")

    private static func counter(_ result: String) -> Metrics.Counter {
        Metrics.Counter(label: "stock_redis_commands_total", dimensions: [("result", result)])
    }

    /// A command was not sent: no connection, or the breaker is open.
    func wasNotSent() {
        notSent.increment()
    }

    /// A command was sent.
    ///
    /// - Parameters:
    ///   - answer: The reply, or why there is none.
    ///   - took: From command to reply.
    func ended(_ answer: PendingCommand.Answer, took: Duration) {
        switch answer {
        case .success: answered.increment()
        case .failure(let error) where error.isReply: refusedByServer.increment()
        case .failure:
            lost.increment()
            // How long nobody answered is known from the time-out.
            return
        }
        time.recordNanoseconds(took.components.seconds * 1_000_000_000 + took.components.attoseconds / 1_000_000_000)
    }
}
