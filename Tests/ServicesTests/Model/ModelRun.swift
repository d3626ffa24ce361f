import Kernel
import NIOCore
import Synchronization
import TestSupport

@testable import Services

/// Where database and model part, and how to see it again.
struct ModelFailure: Error, CustomStringConvertible {
    let seed: UInt64
    /// How many commands lead there; no fewer do.
    let commands: Int
    let detail: String
    var last: [String] = []

    var description: String {
        """
        seed \(seed): \(detail)
        Again: STOCK_MODEL_SEED=\(seed) STOCK_MODEL_COMMANDS=\(commands). The last commands:
        \(last.joined(separator: "\n"))
        """
    }
}

/// A run of random commands on a tenant of its own.
struct ModelRun: Sendable {
    let shop: Shop
    let database: TestDatabase
    let seed: UInt64
    /// Gives the model a fault.
    var forgetsCosts = false
    /// After how many commands all figures are compared.
    var interval = 250

    // MARK: One command after the other

    /// Gives commands one after the other; each answer is foretold, and figures are compared now and then.
    ///
    /// - Returns: What came of them.
    /// - Throws: ``ModelFailure`` with the shortest prefix that shows it.
    func oneByOne(_ commands: Int) async throws -> ModelTally {
        do {
            return try await attempt(commands, interval: interval)
        } catch let failure as ModelFailure {
            throw try await shrunk(failure)
        }
    }

    /// Finds the first command after which figures differ, by giving shorter and shorter prefixes to new tenants.
    private func shrunk(_ failure: ModelFailure) async throws -> ModelFailure {
        var failure = failure
        var good = max(0, (failure.commands - 1) / interval * interval)
        while failure.commands - good > 1 {
            let middle = (good + failure.commands) / 2
            do {
                _ = try await attempt(middle, interval: middle)
                good = middle
            } catch let shorter as ModelFailure {
                failure = shorter
            }
        }
        return failure
    }

    private func attempt(_ commands: Int, interval: Int) async throws -> ModelTally {
        let tenant = try await ModelTenant.make(shop, database, seed: seed, forgetsCosts: forgetsCosts)
        var maker = CommandMaker(tenant.state.withLock { $0.model }, ModelRandom(seed: seed))
        tenant.state.withLock { $0 = ModelTenant.State(model: ModelTenant.model(seed: 0), ids: ModelIDs(decimals: 0)) }
        var ids = ModelIDs(decimals: maker.model.rules.decimals)
        var tally = ModelTally()
        // Put into words only where they part, which would cost more for each command than all that the model computes of it.
        var last: [(step: Int, clerk: Clerk, command: ModelCommand)] = []
        for step in 1...max(commands, 1) {
            let isOpening = step <= ModelTenant.openings.count
            let (clerk, command) =
                isOpening ? (Clerk(role: .owner), ModelTenant.openings[step - 1]) : maker.next()
            if last.count == 8 { last.removeFirst() }
            last.append((step, clerk, command))
            let foretold = maker.model.refusal(of: command, by: clerk)
            let answer = await self.answer(to: try ids.call(command), tenant, clerk, step)
            let detail: String?
            switch answer {
            case .success(let answer) where foretold == nil:
                tally.done += 1
                let told = try maker.model.apply(command)
                let body = try JSONObjectBody(answer.body)
                try ids.adopt(command, body)
                detail = Self.difference(told, body, decimals: ids.decimals)
            case .failure(let problem)
            where foretold == problem.code
                || problem.code == .forbidden && foretold != nil && maker.model.isElsewhere(command, for: clerk):
                tally.refused[problem.code, default: 0] += 1
                detail = nil
            case .success: detail = "it was done, where the model refuses it with \(foretold?.rawValue ?? "")"
            case .failure(let problem):
                let model = foretold.map { "refuses it with \($0.rawValue)" } ?? "does it"
                detail = "\(problem.code.rawValue), where the model \(model): \(problem.detail) \(problem.errors)"
            }
            if let detail { throw ModelFailure(seed: seed, commands: step, detail: detail, last: Self.told(last)) }
            if step % interval == 0 || step == commands {
                let differences = try await tenant.differences(maker.model, ids)
                if !differences.isEmpty {
                    let detail = differences.prefix(12).joined(separator: "; ")
                    throw ModelFailure(seed: seed, commands: step, detail: detail, last: Self.told(last))
                }
            }
        }
        return tally
    }

    private static func told(_ commands: [(step: Int, clerk: Clerk, command: ModelCommand)]) -> [String] {
        commands.map { "\($0.step). \($0.clerk.role) at \($0.clerk.location.map { "\($0)" } ?? "all"): \($0.command)" }
    }

    /// Amounts of an answer that the model says otherwise, by their places (`lines/0/total`); nil if none.
    private static func difference(_ told: [String: Minor], _ body: JSONObjectBody, decimals: Int) -> String? {
        for (place, amount) in told.sorted(by: { $0.key < $1.key }) {
            let text = text(at: place.split(separator: "/").map(String.init)[...], of: body)
            guard text.flatMap({ Exact.number($0, scale: decimals) }) != amount else { continue }
            return "\(place) is \(text ?? "not there"), by the model \(Exact.text(amount, scale: decimals))"
        }
        return nil
    }

    private static func text(at place: ArraySlice<String>, of body: JSONObjectBody) -> String? {
        guard let name = place.first else { return nil }
        guard let index = place.dropFirst().first.flatMap({ Int($0) }) else { return body[name] }
        let members = body.list(name)
        return members.indices.contains(index) ? text(at: place.dropFirst(2), of: members[index]) : nil
    }

    /// The answer to a command; now and then it is sent with a key, and once more, which is to be answered as before.
    private func answer(
        to call: ModelCall,
        _ tenant: ModelTenant,
        _ clerk: Clerk,
        _ step: Int
    ) async -> Result<Answer, Problem> {
        func once(_ key: IdempotencyKey?) async -> Result<Answer, Problem> {
            do {
                return .success(try await call(shop, try tenant.context(clerk), key))
            } catch let problem as Problem {
                return .failure(problem)
            } catch {
                return .failure(Problem(.internalError, "\(error)"))
            }
        }
        guard step % 16 == 0 else { return await once(nil) }
        let key = IdempotencyKey(route: "POST /model", key: "k\(step)", requestHash: Array(repeating: 7, count: 32))
        let first = await once(key)
        // What takes no key is done twice, and is the same.
        let second = await once(key)
        if case .success(let a) = first, case .success(let b) = second, b.replayed, a.body != b.body {
            return .failure(Problem(.internalError, "A key was answered twice, and otherwise."))
        }
        if case .failure(let a) = first, case .failure(let b) = second, a.code != b.code { return second }
        return first
    }

    // MARK: Many at once

    /// Gives commands by several at once, each with documents of their own and the same goods and customers.
    ///
    /// Sums follow from what was done, in whatever order; a refusal is foretold by what was known before or after it, or
    /// comes from what others did meanwhile.
    func atOnce(_ commands: Int, by owners: Int) async throws -> ModelTally {
        let tenant = try await ModelTenant.make(shop, database, seed: seed)
        var beginning = (tenant.state.withLock { $0.model }, ModelIDs(decimals: 0))
        beginning.1 = ModelIDs(decimals: beginning.0.rules.decimals)
        for command in ModelTenant.openings {
            _ = try await beginning.1.call(command)(shop, try tenant.context(Clerk(role: .owner)), nil)
            _ = try beginning.0.apply(command)
        }
        let (model, ids) = beginning
        tenant.state.withLock { $0 = ModelTenant.State(model: model, ids: ids) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for owner in 0..<owners {
                group.addTask {
                    var random = ModelRandom(seed: seed &+ UInt64(owner) &* 7_919)
                    for _ in 0..<commands / owners { try await step(tenant, owner, &random) }
                }
            }
            try await group.waitForAll()
        }
        let (after, made, tally) = tenant.state.withLock { ($0.model, $0.ids, $0.tally) }
        let differences = try await tenant.differences(after, made)
        if !differences.isEmpty {
            let detail = differences.prefix(12).joined(separator: "; ")
            throw ModelFailure(seed: seed, commands: commands, detail: detail)
        }
        return tally
    }

    private struct Issued: Sendable {
        let number: Int
        let clerk: Clerk
        let command: ModelCommand
        let foretold: Problem.Code?
        let call: ModelCall
    }

    private func step(_ tenant: ModelTenant, _ owner: Int, _ random: inout ModelRandom) async throws {
        let before = random
        let (issued, next) = try tenant.state.withLock { state throws in
            try Self.issue(&state, owner, before)
        }
        random = next
        let answer: Result<Answer, Problem>
        do {
            answer = .success(try await issued.call(shop, try tenant.context(issued.clerk), nil))
        } catch let problem as Problem {
            answer = .failure(problem)
        }
        try tenant.state.withLock { state throws in try settle(&state, issued, answer, owner) }
    }

    private static func issue(
        _ state: inout ModelTenant.State,
        _ owner: Int,
        _ random: ModelRandom
    ) throws -> (Issued, ModelRandom) {
        var maker = CommandMaker(state.model, random, owner: owner)
        let (clerk, command) = maker.next()
        let random = maker.random
        var own = ModelTenant.UnderWay(touches: state.model.touches(of: command))
        for number in state.underWay.keys {
            own.met.formUnion(state.underWay[number]?.touches ?? [])
            state.underWay[number]?.met.formUnion(own.touches)
        }
        state.number += 1
        state.underWay[state.number] = own
        let issued = Issued(
            number: state.number,
            clerk: clerk,
            command: command,
            foretold: state.model.refusal(of: command, by: clerk),
            call: try state.ids.call(command)
        )
        return (issued, random)
    }

    private func settle(
        _ state: inout ModelTenant.State,
        _ issued: Issued,
        _ answer: Result<Answer, Problem>,
        _ owner: Int
    ) throws {
        let own = state.underWay.removeValue(forKey: issued.number)
        let known = state.model.refusal(of: issued.command, by: issued.clerk)
        let code: Problem.Code?
        switch answer {
        case .success: code = nil
        case .failure(let problem):
            code = problem.code
            if problem.code == .overloaded {
                state.tally.overloaded += 1
                return
            }
        }
        let met = own.map { $0.met.intersection($0.touches) } ?? []
        // What others do gives a command another fault, or takes away one that hid another.
        let isExplained =
            code == issued.foretold || code == known
            || code == .forbidden && state.model.isElsewhere(issued.command, for: issued.clerk)
            || [code, issued.foretold, known].contains { code in
                code.map { code in met.contains { code.canFollow(from: $0) } } ?? false
            }
        guard isExplained else {
            let told = code?.rawValue ?? "done"
            let foretold = issued.foretold?.rawValue ?? "done"
            throw ModelFailure(
                seed: seed,
                commands: issued.number,
                detail: "\(told), where the model says \(foretold), and nobody else was there: \(issued.command)"
            )
        }
        guard case .success(let answer) = answer else {
            code.map { state.tally.refused[$0, default: 0] += 1 }
            return
        }
        state.tally.done += 1
        let body = try JSONObjectBody(answer.body)
        var seen: [Micro]?
        if case .enterCount = issued.command {
            seen = try body.list("data").map { line in
                try required(line["on_hand_seen"].flatMap { Exact.number($0, scale: 6) })
            }
        }
        _ = try state.model.apply(issued.command, owner: owner, seen: seen)
        try state.ids.adopt(issued.command, body)
    }
}
