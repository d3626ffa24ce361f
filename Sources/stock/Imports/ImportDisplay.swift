import Foundation
import Services

/// Shows how far an import is: a bar on a terminal, a line now and then elsewhere.
final class ImportDisplay {
    private let isTerminal: Bool
    private let clock = ContinuousClock()
    private var lastShown: ContinuousClock.Instant
    private var isBarShown = false

    init(isTerminal: Bool = StandardError.isTerminal) {
        self.isTerminal = isTerminal
        lastShown = clock.now
    }

    func show(_ progress: ImportProgress) {
        let now = clock.now
        // A bar may move ten times a second; lines of a log may not.
        guard lastShown.duration(to: now) >= (isTerminal ? .milliseconds(100) : .seconds(2)) else { return }
        lastShown = now
        switch progress {
        case .reading(let rows): line("reading    \(rows) rows")
        case .checking(let rows): line("checking   \(rows) rows")
        case .writing(let rows, let total?): line("writing    \(bar(rows, total))\(rows) of \(total) rows")
        case .writing(let rows, nil): line("writing    \(rows) rows")
        }
    }

    /// Ends the bar, so that what follows begins a line.
    func end() {
        if isBarShown { StandardError.write("\r\u{1B}[K") }
        isBarShown = false
    }

    private func bar(_ done: Int, _ total: Int) -> String {
        guard isTerminal, total > 0 else { return "" }
        let width = 30
        let filled = min(width, done * width / total)
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "] "
    }

    private func line(_ text: String) {
        if isTerminal {
            StandardError.write("\r\u{1B}[K\(text)")
            isBarShown = true
        } else {
            StandardError.write(text + "\n")
        }
    }
}
