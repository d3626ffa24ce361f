package import Logging

/// One line for each change of a state, at most one per state and second: pure, the owner writes the lines.
///
/// What was held back is not lost: the last of it comes when the second is over, with the number of those between.
package struct StateLog: Sendable {
    /// A line to be written.
    package struct Line: Sendable, Equatable {
        /// How loud.
        package var level: Logger.Level
        /// The message, always the same for a change.
        package var message: String
        /// What differs.
        package var metadata: [String: String]

        /// Makes a line.
        package init(_ level: Logger.Level, _ message: String, _ metadata: [String: String] = [:]) {
            self.level = level
            self.message = message
            self.metadata = metadata
        }

        fileprivate func noting(suppressed: Int) -> Line {
            guard suppressed > 0 else { return self }
            var line = self
            line.metadata["suppressed"] = String(suppressed)
            return line
        }
    }

    private struct State {
        var until: Int64
        var held: Line?
        /// Lines neither written nor held.
        var suppressed = 0
    }

    private let interval: Int64
    private var states: [String: State] = [:]

    /// Makes a log that lets one line of a state pass in an interval, in nanoseconds.
    package init(interval: Int64 = 1_000_000_000) {
        self.interval = interval
    }

    /// A state changed; returns the line if it is to be written now.
    package mutating func changed(_ state: String, _ line: Line, at now: Int64) -> Line? {
        guard var before = states[state], now < before.until else {
            let suppressed = (states[state]?.suppressed ?? 0) + (states[state]?.held == nil ? 0 : 1)
            states[state] = State(until: now + interval)
            return line.noting(suppressed: suppressed)
        }
        if before.held != nil { before.suppressed += 1 }
        before.held = line
        states[state] = before
        return nil
    }

    /// Lines held back whose time has come.
    package mutating func due(at now: Int64) -> [Line] {
        var lines: [Line] = []
        for (name, state) in states.sorted(by: { $0.key < $1.key }) where now >= state.until {
            guard let held = state.held else { continue }
            lines.append(held.noting(suppressed: state.suppressed))
            states[name] = State(until: now + interval)
        }
        return lines
    }
}
