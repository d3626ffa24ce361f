extension FaultCatalogue {
    /// Ways to PostgreSQL that break, or are slow.
    static let databaseLinks: [Fault] =
        link("database", .databaseLinks, \.database) + [
            // Fills take longer than writes: what was read is old when it is stored.
            link("database-slow", .databaseLinks, \.database) { random in
                let least = Duration.milliseconds(Int.random(in: 20...150, using: &random))
                return LinkBehaviour(toClient: .delay(least...least * 3))
            }
        ]

    /// Ways to Redis that break, or are slow, for commands.
    static let commandLinks: [Fault] = link("commands", .commandLinks, \.commands)

    /// The bus: a way to Redis that breaks or is slow, and messages that are lost, doubled, late and out of order.
    static let busLinks: [Fault] =
        link("bus", .busLinks, \.bus) + [
            messages("drop") { .init(drop: Double.random(in: 0.1...1, using: &$0)) },
            messages("drop-applied") { _ in .init(kinds: ["A"], drop: 1) },
            messages("drop-hints") { _ in .init(kinds: ["H"], drop: 1) },
            messages("drop-beats") { _ in .init(kinds: ["B"], drop: 1) },
            messages("double") { .init(double: Double.random(in: 0.1...1, using: &$0)) },
            messages("delay") { .init(delay: Double.random(in: 0.1...1, using: &$0)) },
            messages("swap") { .init(swap: Double.random(in: 0.1...1, using: &$0)) },
            messages("any") { _ in .init(drop: 0.2, double: 0.2, delay: 0.2, swap: 0.2) },
            // Beats go on coming, each later than the one before, while PostgreSQL tells the instance nothing.
            Fault(
                "bus-beats-late",
                group: "bus",
                targets: [.busLinks, .databaseLinks],
                durations: .seconds(2) ... .seconds(8)
            ) { laboratory, random in
                var random = random
                let links = try laboratory.links(&random)
                await links.bus.behave(
                    LinkBehaviour(toClient: .growingDelay(rate: 0.6, most: .seconds(5)))
                )
                await links.database.behave(.blackhole)
                return InjectedFault(links.bus.name) {
                    await links.database.behave(.pass)
                    await links.bus.behave(.pass)
                }
            },
            // Everything at once, as when a machine loses its network.
            Fault(
                "isolated",
                group: "bus",
                targets: [.busLinks, .commandLinks, .databaseLinks],
                durations: .milliseconds(300) ... .seconds(4)
            ) { laboratory, random in
                var random = random
                let links = try laboratory.links(&random)
                for link in links.all { await link.behave(.blackhole) }
                return InjectedFault(links.bus.name) { await links.pass() }
            },
        ]

    /// What can happen to any link of an instance, or of all of them.
    private static func link(
        _ name: String,
        _ target: FaultTarget,
        _ path: any KeyPath<InstanceLinks, LinkProxy> & Sendable
    ) -> [Fault] {
        [
            Fault("\(name)-cut", group: name, targets: [target], durations: .milliseconds(100) ... .seconds(1)) {
                laboratory,
                random in
                var random = random
                let links = try laboratory.someLinks(&random, path)
                let resets = Bool.random(using: &random)
                for link in links { await link.cut(reset: resets) }
                return InjectedFault(names(links) + (resets ? " RST" : " FIN"))
            },
            link("\(name)-refused", target, path, cuts: true) { _ in LinkBehaviour(refuses: true) },
            link("\(name)-blackhole", target, path, durations: .milliseconds(300) ... .seconds(4)) { _ in .blackhole },
            link("\(name)-deaf", target, path) { _ in LinkBehaviour(toClient: .hold) },
            link("\(name)-mute", target, path) { _ in LinkBehaviour(toServer: .hold) },
            link("\(name)-delay", target, path) { random in
                let least = Duration.milliseconds(Int.random(in: 1...30, using: &random))
                let delay = LinkBehaviour.Flow.delay(least...least * 4)
                return LinkBehaviour(toServer: delay, toClient: delay)
            },
        ]
    }

    private static func link(
        _ name: String,
        _ target: FaultTarget,
        _ path: any KeyPath<InstanceLinks, LinkProxy> & Sendable,
        durations: ClosedRange<Duration> = .milliseconds(300) ... .seconds(2),
        cuts: Bool = false,
        _ behaviour: @escaping @Sendable (inout FaultRandom) -> LinkBehaviour
    ) -> Fault {
        let group = name.split(separator: "-").first.map(String.init) ?? name
        return Fault(name, group: group, targets: [target], durations: durations) { laboratory, random in
            var random = random
            let links = try laboratory.someLinks(&random, path)
            let behaviour = behaviour(&random)
            for link in links {
                await link.behave(behaviour)
                if cuts { await link.cut() }
            }
            return InjectedFault(names(links)) {
                for link in links { await link.behave(.pass) }
            }
        }
    }

    private static func messages(
        _ name: String,
        _ treatment: @escaping @Sendable (inout FaultRandom) -> LinkBehaviour.Messages
    ) -> Fault {
        link("bus-messages-\(name)", .busLinks, \.bus) { LinkBehaviour(messages: treatment(&$0)) }
    }

    private static func names(_ links: [LinkProxy]) -> String {
        links.map(\.name).joined(separator: " ")
    }
}

/// A fault of a link in a laboratory that has none.
package struct NoProxies: Error, CustomStringConvertible {
    /// What to do about it.
    package var description: String { "faults of links need a laboratory that was started with proxies" }
}

extension Laboratory {
    /// The links of an instance by chance.
    nonisolated func links(_ random: inout FaultRandom) throws(NoProxies) -> InstanceLinks {
        guard !links.isEmpty else { throw NoProxies() }
        return links[Int.random(in: 0..<links.count, using: &random)]
    }

    /// One kind of link, of one instance or, one time in three, of all.
    nonisolated func someLinks(
        _ random: inout FaultRandom,
        _ path: KeyPath<InstanceLinks, LinkProxy>
    ) throws(NoProxies) -> [LinkProxy] {
        let one = try links(&random)
        return random.chance(1 / 3) ? links.map { $0[keyPath: path] } : [one[keyPath: path]]
    }
}
