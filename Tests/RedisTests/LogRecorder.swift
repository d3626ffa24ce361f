import Logging
import Synchronization

/// Keeps what was logged, for the test to look at.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    /// Message and metadata of everything at level info and above.
    var all: [String] { lines.withLock { $0 } }

    /// The lines that contain a text.
    func lines(with text: String) -> [String] {
        all.filter { $0.contains(text) }
    }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(recorder: self) }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(recorder: LogRecorder) {
            self.recorder = recorder
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let words = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = ([event.level.rawValue, "\(event.message)"] + words).joined(separator: " ")
            recorder.lines.withLock { $0.append(line) }
        }
    }
}
