/// Which faults happen when, in an order that a single number repeats.
///
/// Faults come in rounds. Each round has one main fault, chosen so that all come equally often; while it lasts others may come and go that
/// take hold of something else. Then everything is healed, and there is calm until caches are used again.
package struct FaultSchedule: Sendable, CustomStringConvertible {
    /// A fault and its time.
    package struct Step: Sendable, CustomStringConvertible {
        /// What happens.
        package let fault: Fault
        /// What its chances follow from.
        package let seed: UInt64
        /// How long after the round's beginning, or the previous companion's end.
        package let after: Duration
        /// For how long.
        package let duration: Duration

        /// Name, time and duration.
        package var description: String { "\(fault.name) after \(after) for \(duration)" }
    }

    /// Faults that happen together.
    package struct Round: Sendable, CustomStringConvertible {
        /// Its number, from 0.
        package let number: Int
        /// The fault of this round.
        package let main: Step
        /// Others meanwhile, one after the other.
        package let companions: [Step]

        /// All steps.
        package var description: String {
            "round \(number): \(main)" + companions.map { " + \($0)" }.joined()
        }
    }

    /// What happens while a schedule runs.
    package enum Event: Sendable {
        /// A fault is about to be injected.
        case began(fault: Fault, at: ContinuousClock.Instant)
        /// A fault was healed.
        case ended(fault: Fault, detail: String, began: ContinuousClock.Instant, at: ContinuousClock.Instant)
        /// A fault could not be injected or healed; everything was repaired.
        case failed(fault: Fault, reason: String, at: ContinuousClock.Instant)
        /// Nothing is wrong any more: the next round begins when the listener returns.
        case calm(round: Int, at: ContinuousClock.Instant)
    }

    /// The number that repeats it.
    package let seed: UInt64
    /// The faults it chooses from.
    package let faults: [Fault]

    /// Makes a schedule.
    ///
    /// - Parameters:
    ///   - seed: the same seed and faults give the same rounds.
    ///   - faults: what may happen.
    package init(seed: UInt64, faults: [Fault]) {
        self.seed = seed
        self.faults = faults
    }

    /// What repeats it.
    package var description: String { "seed \(seed), \(faults.count) faults" }

    /// A round of the schedule, whatever happened in those before.
    package func round(_ number: Int) -> Round? {
        guard !faults.isEmpty, number >= 0 else { return nil }
        // Each run through all faults has an order of its own.
        var order = FaultRandom(seed: seed ^ UInt64(number / faults.count) &* 0x2545_f491_4f6c_dd1d)
        let fault = faults.shuffled(using: &order)[number % faults.count]
        var random = FaultRandom(seed: seed &+ UInt64(number) &* 0x9e37_79b9)
        let main = step(fault, after: .zero, &random)
        var companions: [Step] = []
        var used: Duration = .zero
        let others = faults.filter { $0.targets.isDisjoint(with: fault.targets) }
        while companions.count < 4, random.chance(0.6) {
            guard let other = others.randomElement(using: &random) else { break }
            let next = step(other, after: random.duration(in: .zero ... .milliseconds(300)), &random)
            used += next.after + next.duration
            // The first may outlast the main fault; a long one has room for several.
            guard companions.isEmpty || used <= main.duration else { break }
            companions.append(next)
        }
        return Round(number: number, main: main, companions: companions)
    }

    private func step(_ fault: Fault, after: Duration, _ random: inout FaultRandom) -> Step {
        // Short ones are more frequent.
        let share = Double.random(in: 0...1, using: &random)
        let width = fault.durations.upperBound - fault.durations.lowerBound
        let duration = fault.durations.lowerBound + width * (share * share)
        return Step(fault: fault, seed: random.next(), after: after, duration: duration)
    }

    /// Makes the faults happen until it is time to end.
    ///
    /// - Parameters:
    ///   - laboratory: where.
    ///   - isOver: asked before each round; none begins once it says so.
    ///   - listener: is told of everything, and decides how long the calm after a round lasts.
    /// - Returns: how many faults were injected and healed.
    /// - Throws: `CancellationError`, or what kept the laboratory from being repaired.
    package func run(
        in laboratory: Laboratory,
        until isOver: @Sendable () -> Bool,
        onEvent listener: @escaping @Sendable (Event) async -> Void
    ) async throws -> Int {
        var count = 0
        var number = 0
        while !isOver(), let round = round(number) {
            try Task.checkCancellation()
            let results = await withTaskGroup(of: [Bool].self) { group in
                for chain in [[round.main], round.companions] where !chain.isEmpty {
                    group.addTask {
                        var results: [Bool] = []
                        for step in chain { results.append(await perform(step, in: laboratory, listener)) }
                        return results
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            count += results.count(where: { $0 })
            if results.contains(false) { try await laboratory.repair() }
            await listener(.calm(round: number, at: .now))
            number += 1
        }
        return count
    }

    private func perform(
        _ step: Step,
        in laboratory: Laboratory,
        _ listener: @Sendable (Event) async -> Void
    ) async -> Bool {
        // Cut short by cancellation, never skipped: what was injected is healed in any case.
        try? await Task.sleep(for: step.after)
        let began = ContinuousClock.now
        await listener(.began(fault: step.fault, at: began))
        do {
            let injected = try await step.fault.inject(in: laboratory, random: FaultRandom(seed: step.seed))
            try? await Task.sleep(for: step.duration)
            try await injected.heal()
            await listener(.ended(fault: step.fault, detail: injected.detail, began: began, at: .now))
            return true
        } catch {
            await listener(.failed(fault: step.fault, reason: "\(error)", at: .now))
            return false
        }
    }
}
