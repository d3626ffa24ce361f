import Cache
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The protocol's machines in a simulated world; see ``World``.
///
/// By default about 1,000,000 steps over random seeds, in all profiles, and every negative control: half a minute on two
/// cores, unoptimised. `STOCK_SIMULATOR_STEPS=10000000 swift test --filter Simulation` takes two to five minutes.
///
/// A failure prints its seed, its profile and the last notes of its trace. `STOCK_SIMULATOR_SEED=<seed>` with
/// `STOCK_SIMULATOR_PROFILE=<name>` and the same number of steps repeats it, `STOCK_SIMULATOR_NOTES=<number>` prints more.
@Suite struct SimulationTests {
    static func run(_ profile: Profile, seed: UInt64, steps: Int) -> (World, Violation?) {
        let world = World(seed: seed, profile: profile)
        do {
            try world.run(steps: steps)
            return (world, nil)
        } catch {
            return (world, error as? Violation ?? Violation(description: "\(error)"))
        }
    }

    @Test("no schedule of faults makes an instance serve what it must not", arguments: Profile.all.indices)
    func seeds(_ index: Int) throws {
        let environment = Environment()
        let profile = Profile.all[index]
        guard environment.profile == nil || environment.profile == profile.name else { return }
        var generator = SystemRandomNumberGenerator()
        let seed = environment.seed ?? generator.next()
        let (world, violation) = Self.run(profile, seed: seed, steps: environment.steps / Profile.all.count)
        print("\(profile.name), seed \(seed): \(world.steps) steps, \(world.now / 1_000_000_000) s, \(world.tally)")
        if let violation {
            let again = World(seed: seed, profile: profile, traces: true)
            try? again.run(steps: environment.steps / Profile.all.count)
            for note in again.notes.suffix(environment.notes) { print(note) }
            Issue.record("\(profile.name), seed \(seed), step \(world.steps): \(violation)")
        }
    }
}

/// What the environment asks for.
struct Environment {
    var seed: UInt64? { Self.value("STOCK_SIMULATOR_SEED").flatMap { UInt64($0) } }
    var profile: String? { Self.value("STOCK_SIMULATOR_PROFILE") }
    var steps: Int { Self.value("STOCK_SIMULATOR_STEPS").flatMap { Int($0) } ?? 1_000_000 }
    var notes: Int { Self.value("STOCK_SIMULATOR_NOTES").flatMap { Int($0) } ?? 40 }

    static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
