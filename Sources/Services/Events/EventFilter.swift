package import Domain
package import Kernel

/// Which of a tenant's events somebody gets: those that they may read, and of these those that they ask for.
package struct EventFilter: Sendable, Equatable {
    /// The topics that may be read; nil where everything may, of topics that this program does not know, too.
    private let readable: Set<EventTopic>?
    /// Types, and topics for all types of theirs; empty for whatever may be read.
    private let asked: Set<String>

    /// What a caller gets.
    ///
    /// - Parameters:
    ///   - caller: Who asks.
    ///   - asked: Types or topics; none for all.
    /// - Throws: 403 `forbidden` for what the caller may not read, or if that is everything.
    package init(for caller: Caller, asked: [String] = []) throws(Problem) {
        let readable = Set(EventTopic.allCases.filter { caller.may($0.scope) })
        self.readable = Self.readable(by: caller)
        self.asked = Set(asked)
        for type in asked {
            guard let topic = EventTopic(ofType: type), !readable.contains(topic) else { continue }
            throw Problem(.forbidden, "To read \(topic.rawValue) events takes the scope \(topic.scope.rawValue).")
        }
        guard !readable.isEmpty else {
            throw Problem(.forbidden, "No event may be read with these scopes.")
        }
    }

    /// The topics that a caller may read; nil for everything, of topics that this program does not know, too.
    package static func readable(by caller: Caller) -> Set<EventTopic>? {
        caller.scopes == Set(Scope.allCases) ? nil : Set(EventTopic.allCases.filter { caller.may($0.scope) })
    }

    /// Whether an event of a type is among them.
    package func contains(_ type: String) -> Bool {
        let topic = type.prefix { $0 != "." }
        if let readable {
            guard let known = EventTopic(rawValue: String(topic)), readable.contains(known) else { return false }
        }
        return asked.isEmpty || asked.contains(type) || asked.contains(String(topic))
    }
}
