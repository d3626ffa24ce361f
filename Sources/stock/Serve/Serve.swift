import API
import ArgumentParser
import Foundation
import Kernel
import Logging

/// `stock serve`.
struct Serve: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves HTTP and keeps the caches right, until SIGTERM or SIGINT; then it drains.",
        discussion: Variable.listing(width: Terminal.width)
    )

    /// What of the service a process runs.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        /// HTTP with its caches, which follow the log that some other process's relay writes.
        case web
        /// Background work alone: the relay of invalidations, imports and webhooks.
        case worker
        /// Both.
        case all
    }

    @Option(
        name: .long,
        help: "all; web: HTTP, but no relay, imports or webhooks, which some worker must do; worker: these alone."
    )
    var role: Role = .all

    @OptionGroup var configuration: ConfigurationOptions

    func execute() async throws {
        let settings = try configuration.settings()
        let choices = try ServeChoices(settings, role: role)
        let level = try settings.logLevel()
        let format = try settings.logFormat()
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, level: level) }
        var logger = Logger(label: "stock")
        logger[metadataKey: "instance"] = "\(choices.instance)"
        for warning in settings.warnings { logger.warning("configuration", metadata: ["unknown": "\(warning)"]) }
        defer { LogSink.standardError.flush() }
        try await App(choices, logger: logger).run()
    }
}
