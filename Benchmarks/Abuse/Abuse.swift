import BlockingClient
import Foundation
import Synchronization

/// A neighbour who sells once in 0.2 s, alone and while somebody else does his worst.
///
/// usage: abuse PORT NEIGHBOUR_TOKEN PRODUCT NOISY_TOKEN NOISY_KEY SECONDS [ATTACK...]
///
/// The neighbour keeps to a schedule, and a sale's time counts from when it was due. It and the attackers come from addresses of their
/// own in 127.0.0.0/8. Attackers without a tenant keep to a schedule as well: how fast a closed loop of refusals can spin says nothing. What
/// many of them do in one period is spread over it: all at once would measure how fast the machine starts threads.
@main
struct Abuse {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 7, let port = UInt16(arguments[1]), let seconds = Double(arguments[6]) else {
            FileHandle.standardError.write(
                Data("usage: abuse PORT NEIGHBOUR_TOKEN PRODUCT NOISY_TOKEN NOISY_KEY SECONDS [ATTACK...]\n".utf8)
            )
            exit(64)
        }
        let abuse = Abuse(
            port: port,
            neighbour: arguments[2],
            product: arguments[3],
            noisy: arguments[4],
            noisyKey: arguments[5],
            seconds: seconds
        )
        let wanted = arguments.count > 7 ? arguments[7...].compactMap { Attack(rawValue: $0) } : Attack.allCases
        _ = abuse.sell(for: 5, name: "warm up")
        for attack in wanted { abuse.measure(attack) }
    }

    /// What somebody else does.
    enum Attack: String, CaseIterable {
        /// Batches of 1,000 products on four connections, each as soon as the last was answered.
        case bulks
        /// `POST /v1/auth/login?aa&ab&...` of 2,690 names, without a credential, 100 a second.
        case names
        /// A megabyte of JSON to `/v1/auth/refresh`, without a credential, 20 a second.
        case bodies
        /// Queries that nobody asked before, with one key, on 256 connections, 1,000 a second.
        case queries
        /// 4,300 connections that send nothing, made again when they are closed, 1,000 a second at most.
        case silence
        /// Log-ins of ten clients, each from many addresses at many accounts, 50 a second.
        case logins
        /// Keys that are made up, 100 a second.
        case keys

        /// The goal: how many times as long a sale may take as alone.
        var goal: Double { self == .logins ? 2 : 1.5 }
    }

    let port: UInt16
    let neighbour: String
    let product: String
    let noisy: String
    let noisyKey: String
    let seconds: Double

    // MARK: The neighbour

    /// How sales went.
    struct Sales {
        var milliseconds: [Double] = []
        var refused: [String: Int] = [:]

        func percentile(_ share: Double) -> Double {
            let sorted = milliseconds.sorted()
            guard !sorted.isEmpty else { return .nan }
            return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
    }

    func sell(for seconds: Double, name: String) -> Sales {
        var sales = Sales()
        var connection: Connection?
        let start = ContinuousClock.now
        for number in 0..<Int(seconds * 5) {
            let due = start.advanced(by: .milliseconds(200 * number))
            let wait = due - ContinuousClock.now
            if wait > .zero { Thread.sleep(forTimeInterval: Self.seconds(wait)) }
            let body = """
                {"lines":[{"product_id":"\(product)","quantity":"1"}],"payments":[{"method":"cash","amount":"1.00"}]}
                """
            let request = Self.request(
                "POST",
                "/v1/sales",
                ["Authorization": "Bearer \(neighbour)", "Idempotency-Key": "\(name)-\(UUID())"],
                body
            )
            var outcome = "no answer"
            // A connection that was closed while it was idle is replaced once, as every client does.
            for _ in 0..<2 where outcome == "no answer" {
                do {
                    if connection?.isClosed ?? true { connection = try Connection(port: port, source: 2, patience: 10) }
                    outcome = Self.status(try connection?.exchange(request).head ?? "")
                } catch {
                    connection = nil
                }
            }
            if outcome == "201" {
                sales.milliseconds.append(Self.seconds(ContinuousClock.now - due) * 1_000)
            } else {
                sales.refused[outcome, default: 0] += 1
            }
        }
        return sales
    }

    // MARK: The measurement

    func measure(_ attack: Attack) {
        let before = sell(for: seconds, name: "before")
        let answers = Answers()
        let isOver = Atomic<Bool>(false)
        let attackers = Thread.all(start(attack, answers) { isOver.load(ordering: .relaxed) })
        Thread.sleep(forTimeInterval: 1)
        let during = sell(for: seconds, name: "during")
        isOver.store(true, ordering: .relaxed)
        attackers.wait()
        // What was still under way when the attack ended is not the next measurement's.
        Thread.sleep(forTimeInterval: 2)
        let after = sell(for: seconds, name: "after")
        var alone = before
        alone.milliseconds += after.milliseconds
        let ratio = during.percentile(0.99) / alone.percentile(0.99)
        let refused = during.refused.values.reduce(0, +)
        func text(_ sales: Sales) -> String {
            String(
                format: "p50 %.1f, p99 %.1f, max %.1f ms",
                sales.percentile(0.5),
                sales.percentile(0.99),
                sales.percentile(1)
            )
        }
        let count = during.milliseconds.count + refused
        print("\(attack.rawValue): \(refused) of \(count) sales refused \(during.refused)")
        print("  alone: \(text(alone)); beside it: \(text(during))")
        print(String(format: "  p99 ratio %.2f, goal %.1f; attackers got ", ratio, attack.goal) + answers.text)
        fflush(nil)
    }

    /// What attackers were answered.
    final class Answers: Sendable {
        private let counts = Mutex<[String: Int]>([:])

        func add(_ kind: String) { counts.withLock { $0[kind, default: 0] += 1 } }

        var text: String {
            counts.withLock { counts in
                counts.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }.joined(separator: ", ")
            }
        }
    }

    // MARK: The attacks

    private func start(
        _ attack: Attack,
        _ answers: Answers,
        _ isOver: @escaping @Sendable () -> Bool
    ) -> [@Sendable () -> Void] {
        switch attack {
        case .bulks:
            return (0..<4).map { client in
                repeating(answers, isOver, rate: nil, source: { _ in 1 }) { number in
                    let rows = (0..<1_000).map {
                        #"{"sku":"N\#(client)-\#($0)","name":"Product \#(number) of \#($0)","price":"1.00"}"#
                    }
                    return Self.request(
                        "POST",
                        "/v1/products/batch",
                        ["Authorization": "Bearer \(noisy)", "Idempotency-Key": "\(client)-\(number)-\(UUID())"],
                        #"{"products":[\#(rows.joined(separator: ","))]}"#
                    )
                }
            }
        case .names:
            let query = (0..<2_690).map { "\(Self.letter($0 / 52))\(Self.letter($0 % 52))" }.joined(separator: "&")
            let request = Self.request("POST", "/v1/auth/login?\(query.prefix(8_000))", [:], "{}")
            return (0..<4).map { _ in repeating(answers, isOver, rate: 25, source: { _ in 1 }) { _ in request } }
        case .bodies:
            let body = #"{"refresh_token":["# + String(repeating: "[],", count: 330_000) + "[]]}"
            let request = Self.request("POST", "/v1/auth/refresh", [:], body)
            return (0..<4).map { _ in repeating(answers, isOver, rate: 5, source: { _ in 1 }) { _ in request } }
        case .queries:
            return (0..<256).map { client in
                repeating(answers, isOver, rate: 4, phase: Double(client) / 256, source: { _ in 1 }) { number in
                    Self.request(
                        "GET",
                        "/v1/products?q=x\(client)x\(number)",
                        ["Authorization": "Bearer \(noisyKey)"]
                    )
                }
            }
        case .silence:
            let port = port
            return (0..<4).map { _ in
                {
                    var connections: [Connection] = []
                    while !isOver() {
                        let open = connections.filter { !$0.isClosed }
                        for _ in open.count..<connections.count { answers.add("closed") }
                        connections = open
                        for _ in 0..<25 where connections.count < 1_075 {
                            guard let connection = try? Connection(port: port) else { break }
                            connections.append(connection)
                            answers.add("opened")
                        }
                        Thread.sleep(forTimeInterval: 0.1)
                    }
                }
            }
        case .logins:
            return (0..<10).map { client in
                repeating(
                    answers,
                    isOver,
                    rate: 5,
                    phase: Double(client) / 10,
                    source: { UInt32(0x01_0000 + client * 1_000 + $0 % 1_000) },
                    keepsConnection: false
                ) { number in
                    Self.request(
                        "POST",
                        "/v1/auth/login",
                        [:],
                        #"{"email":"a\#(client)n\#(number)@example.com","password":"not the password"}"#
                    )
                }
            }
        case .keys:
            // Well made but for what they stand for, so that each has to be looked up.
            let text = noisyKey
            return (0..<4).map { _ in
                repeating(answers, isOver, rate: 25, source: { _ in 1 }) { _ in
                    Self.request("GET", "/v1/units", ["Authorization": "Bearer \(Self.forged(text))"])
                }
            }
        }
    }

    /// A client that asks again and again, by a schedule or as soon as it was answered.
    private func repeating(
        _ answers: Answers,
        _ isOver: @escaping @Sendable () -> Bool,
        rate: Double?,
        phase: Double = 0,
        source: @escaping @Sendable (Int) -> UInt32,
        keepsConnection: Bool = true,
        _ request: @escaping @Sendable (Int) -> [UInt8]
    ) -> @Sendable () -> Void {
        let port = port
        return {
            var connection: Connection?
            let start = ContinuousClock.now
            var number = 0
            while !isOver() {
                if let rate {
                    let due = start.advanced(by: .milliseconds(Int((Double(number) + phase) * 1_000 / rate)))
                    let wait = due - ContinuousClock.now
                    if wait > .zero { Thread.sleep(forTimeInterval: Self.seconds(wait)) }
                }
                do {
                    if !keepsConnection || (connection?.isClosed ?? true) {
                        connection = try Connection(port: port, source: source(number), patience: 10)
                    }
                    answers.add(Self.status(try connection?.exchange(request(number)).head ?? ""))
                } catch {
                    answers.add("no answer")
                    connection = nil
                }
                number += 1
            }
        }
    }

    // MARK: Texts

    private static func request(
        _ method: String,
        _ path: String,
        _ fields: [String: String],
        _ body: String? = nil
    ) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if let body {
            text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        return Array((body == nil ? text + "\r\n" : text).utf8)
    }

    private static func status(_ head: String) -> String {
        head.split(separator: " ").dropFirst().first.map(String.init) ?? "no answer"
    }

    private static func letter(_ number: Int) -> Character {
        Character(UnicodeScalar(UInt8(number < 26 ? 97 + number : 65 + (number - 26) % 26)))
    }

    /// A key with other digits where its id is.
    private static func forged(_ key: String) -> String {
        let parts = key.split(separator: "_", omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            index == 2 ? String(part.map { _ in Character(String(Int.random(in: 0...9))) }) : String(part)
        }.joined(separator: "_")
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

extension Thread {
    /// Runs each body on a thread of its own.
    ///
    /// - Parameter bodies: What to run.
    /// - Returns: What to wait on for all of them.
    fileprivate static func all(_ bodies: [@Sendable () -> Void]) -> DispatchGroup {
        let group = DispatchGroup()
        for body in bodies {
            group.enter()
            let thread = Thread {
                body()
                group.leave()
            }
            thread.stackSize = 256 * 1024
            thread.start()
        }
        return group
    }
}
