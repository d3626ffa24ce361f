import Logging
import Synchronization

/// Keeps what was logged, for the test to look at.
final class LogRecorder: Sendable {
    /// One message.
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let fields: [String: String]
    }

    private let kept = Mutex<[Line]>([])

    /// The lines with a message.
    func lines(_ message: String) -> [Line] {
        self.kept.withLock { lines in lines.filter { $0.message == message } }
    }

    /// A logger that keeps what is at least of a level.
    func logger(_ level: Logger.Level = .info) -> Logger {
        var logger = Logger(label: "test") { _ in Handler(recorder: self) }
        logger.logLevel = level
        return logger
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(recorder: LogRecorder) {
            self.recorder = recorder
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
            let line = Line(level: event.level, message: "\(event.message)", fields: fields)
            self.recorder.kept.withLock { $0.append(line) }
        }
    }
}
