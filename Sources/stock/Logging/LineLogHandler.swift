import Kernel
import Logging

/// How log lines look.
enum LogFormat: String, Sendable {
    case json
    case text
}

/// Writes one line per message to a sink.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    private let label: String
    private let format: LogFormat
    private let sink: LogSink

    init(label: String, format: LogFormat, level: Logger.Level, sink: LogSink = .standardError) {
        self.label = label
        self.format = format
        logLevel = level
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields["error"] = .string(String(describing: error)) }
        let line = format == .json ? json(event, fields) : text(event, fields)
        sink.write(line, isUrgent: event.level >= .warning)
    }

    private func json(_ event: LogEvent, _ fields: Logger.Metadata) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.member("time", Timestamp.now().description)
        writer.member("level", event.level.rawValue)
        writer.member("logger", label)
        writer.member("message", event.message.description)
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            switch value {
            // What can be added up stays a number.
            case .stringConvertible(let number as Int): writer.member(name, number)
            case .stringConvertible(let number as Int64): writer.member(name, Int(number))
            case .stringConvertible(let number as Double) where number.isFinite:
                writer.name(name)
                writer.raw("\(number)".utf8)
            default: writer.member(name, Self.flat(value))
            }
        }
        writer.endObject()
        return writer.bytes + [0x0A]
    }

    private func text(_ event: LogEvent, _ fields: Logger.Metadata) -> [UInt8] {
        var line = "\(Timestamp.now()) \(event.level.rawValue) \(label): \(event.message)"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(name)=\(Self.flat(value))" }
        // What a client sent must not be able to forge a line.
        let escaped = line.unicodeScalars.reduce(into: "") { text, scalar in
            text.unicodeScalars.append(
                contentsOf: Text.isControl(scalar) ? " ".unicodeScalars : String(scalar).unicodeScalars
            )
        }
        return Array(escaped.utf8) + [0x0A]
    }

    private static func flat(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .array(let values): "[" + values.map(flat).joined(separator: ",") + "]"
        case .dictionary(let values):
            "{" + values.map { "\($0.key):\(flat($0.value))" }.sorted().joined(separator: ",") + "}"
        }
    }
}
