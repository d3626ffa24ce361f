import API
import IOLoop
import Logging
import ServiceLifecycle
import UnixSignals

/// A serving process: its services, started together and stopped one after the other.
struct App: Sendable {
    private let choices: ServeChoices
    private let logger: Logger

    init(_ choices: ServeChoices, logger: Logger) {
        self.choices = choices
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, then drains: HTTP first, what it stands on last.
    func run() async throws {
        let parts = try await App.build(choices, logger: logger)
        parts.loop.start()
        defer { parts.loop.stop() }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .notice)
        var configuration = ServiceGroupConfiguration(
            services: parts.services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet
        )
        // What HTTP needs at most, and some for what it stands on.
        let limits = ServerLimits()
        configuration.maximumGracefulShutdownDuration = choices.drainDelay + limits.drainTotal + .seconds(4)
        try await ServiceGroup(configuration: configuration).run()
        logger.info("stopped")
    }
}
