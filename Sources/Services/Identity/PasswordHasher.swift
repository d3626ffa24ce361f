import Crypto
import CryptoExtras
import Domain
import Fairness
import Foundation
package import Kernel
import Synchronization

/// What hashing one password costs: scrypt's N = 2^ln, r and p.
package struct PasswordCost: Sendable, Equatable {
    /// The binary logarithm of N.
    package var ln: Int

    /// The block size; memory is 128 * N * r bytes.
    package var r: Int

    /// How many times that is done.
    package var p: Int

    /// Makes a cost; tests use a low one.
    package init(ln: Int, r: Int, p: Int) {
        self.ln = ln
        self.r = r
        self.p = p
    }

    /// 32 MiB and about 225 ms: one of the parameter sets OWASP lists, and the least that is shipped.
    package static let standard = PasswordCost(ln: 15, r: 8, p: 3)

    /// N * r * p, to compare what two hashes cost.
    fileprivate var work: Int { (1 << ln) * r * p }
}

/// Hashes and checks passwords on threads of their own, a few at once and by turns, and lets everything else go first.
///
/// Hashing takes longer than everything else this process does together, so it must neither sit on the cooperative pool nor
/// pile up in front of sales: a quarter of the cores, one at least, at a low priority. Addresses take turns, so that whoever tries
/// passwords by the dozen delays somebody else's log-in by one hash.
package final class PasswordHasher: Sendable {
    /// Nil when it is one's turn, else why it never will be.
    private typealias Turn = CheckedContinuation<Problem?, Never>

    private struct Waiter {
        let turn: Turn
        let deadline: ContinuousClock.Instant
    }

    private struct Queue {
        var running = 0
        var refused: Int64 = 0
        var waiting = FairQueue<String, Waiter>()
    }

    /// How many hashes are computed at once.
    private static let maximumRunning = max(1, ProcessInfo.processInfo.activeProcessorCount / 4)
    /// How many wait; one is refused rather than answered after its deadline.
    private static let maximumWaiting = 16
    /// Of which one address may have this many.
    private static let maximumWaitingPerAddress = 8

    private let cost: PasswordCost
    private let queue = Mutex(Queue())

    /// Makes a hasher.
    ///
    /// - Parameter cost: What new hashes cost; older, weaker ones are replaced at the next login.
    package init(cost: PasswordCost) { self.cost = cost }

    /// How many hashes are being computed.
    var running: Int { queue.withLock { $0.running } }

    /// How many wait for their turn.
    var waiting: Int { queue.withLock { $0.waiting.count } }

    /// How busy it is.
    package struct Load: Sendable, Equatable {
        /// Hashes being computed.
        package let running: Int
        /// Those that wait for their turn.
        package let waiting: Int
        /// Those that found no room, since the process began.
        package let refused: Int64
    }

    /// How busy it is at this moment.
    package var load: Load {
        queue.withLock { Load(running: $0.running, waiting: $0.waiting.count, refused: $0.refused) }
    }

    /// The PHC string of a password under a fresh salt: `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`.
    ///
    /// - Parameters:
    ///   - password: As typed.
    ///   - address: Who asks, for turns; those who do not say share one.
    ///   - deadline: After this nobody waits for it any more.
    /// - Returns: What is stored.
    /// - Throws: 429 `rate_limited` if too many are waiting, 503 `overloaded` if its turn came too late.
    package func hash(
        _ password: String,
        from address: String = "",
        until deadline: ContinuousClock.Instant? = nil
    ) async throws(Problem) -> String {
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let cost = cost
        let prepared = PasswordRules.prepared(password)
        let digest = try await run(address, deadline) { Self.derive(prepared, salt: salt, cost: cost) }
        guard let digest else { throw Problem(.internalError, "Something went wrong on our side.") }
        return PHCString(cost: cost, salt: salt, hash: digest).text
    }

    /// Whether a password is the one of a stored hash.
    ///
    /// Hashes from before passwords were prepared are of the very bytes that were typed: these are tried, too.
    ///
    /// - Parameters:
    ///   - password: As typed.
    ///   - stored: A PHC string; `nil` or one that cannot be read takes as long and answers no.
    ///   - address: Who asks, for turns; those who do not say share one.
    ///   - deadline: After this nobody waits for it any more.
    /// - Returns: Whether it fits, and whether it should be hashed anew because the stored hash is not what today's would be.
    /// - Throws: 429 `rate_limited` if too many are waiting, 503 `overloaded` if its turn came too late.
    package func verify(
        _ password: String,
        against stored: String?,
        from address: String = "",
        until deadline: ContinuousClock.Instant? = nil
    ) async throws(Problem) -> (isMatch: Bool, isWeak: Bool) {
        let phc = stored.flatMap { PHCString($0) }
        let salt = phc?.salt ?? Array("unknown account.".utf8)
        let cost = phc?.cost ?? cost
        let prepared = PasswordRules.prepared(password)
        let digest = try await run(address, deadline) { Self.derive(prepared, salt: salt, cost: cost) }
        if let phc, let digest, ConstantTime.equal(digest, phc.hash) { return (true, phc.cost.work < self.cost.work) }
        // Strings that look the same are equal in Swift: their bytes tell.
        guard !prepared.utf8.elementsEqual(password.utf8) else { return (false, false) }
        let raw = try await run(address, deadline) { Self.derive(password, salt: salt, cost: cost) }
        guard let phc, let raw, ConstantTime.equal(raw, phc.hash) else { return (false, false) }
        return (true, true)
    }

    private static func derive(_ password: String, salt: [UInt8], cost: PasswordCost) -> [UInt8]? {
        let memory = 128 * (1 << cost.ln) * cost.r + 128 * cost.r * cost.p + (1 << 20)
        let key = try? KDF.Scrypt.deriveKey(
            from: Array(password.utf8),
            salt: salt,
            outputByteCount: 32,
            rounds: 1 << cost.ln,
            blockSize: cost.r,
            parallelism: cost.p,
            maxMemory: memory
        )
        return key?.withUnsafeBytes { Array($0) }
    }

    /// Runs work on a thread of its own, once it is its turn.
    private func run<T: Sendable>(
        _ address: String,
        _ deadline: ContinuousClock.Instant?,
        _ work: @escaping @Sendable () -> T
    ) async throws(Problem) -> T {
        if let deadline, ContinuousClock.now >= deadline { throw Self.tooLate }
        let refusal = await withCheckedContinuation { (turn: Turn) in
            let verdict = queue.withLock { queue -> Problem?? in
                if queue.running < Self.maximumRunning {
                    queue.running += 1
                    queue.waiting.begin(address, cost: 1)
                    return .some(nil)
                }
                guard queue.waiting.count < Self.maximumWaiting,
                    queue.waiting.count(of: address) < Self.maximumWaitingPerAddress
                else {
                    queue.refused += 1
                    return .some(Self.tooMany)
                }
                let patience = deadline ?? ContinuousClock.now.advanced(by: .seconds(60))
                queue.waiting.append(Waiter(turn: turn, deadline: patience), of: address)
                return nil
            }
            if let verdict { turn.resume(returning: verdict) }
        }
        if let refusal { throw refusal }
        let result = await withCheckedContinuation { (finished: CheckedContinuation<T, Never>) in
            Thread {
                Self.yieldToEverythingElse()
                finished.resume(returning: work())
            }.start()
        }
        passOn(from: address)
        return result
    }

    /// Gives the place to the next, so that it never looks free in between; those who gave up get none.
    private func passOn(from address: String) {
        let now = ContinuousClock.now
        let (late, next) = queue.withLock { queue -> ([Waiter], Waiter?) in
            queue.waiting.end(address)
            let late = queue.waiting.removeAll { $0.deadline <= now }
            guard let party = queue.waiting.next(), let waiter = queue.waiting.begin(party) else {
                queue.running -= 1
                return (late, nil)
            }
            return (late, waiter)
        }
        for waiter in late { waiter.turn.resume(returning: Self.tooLate) }
        next?.turn.resume(returning: nil)
    }

    private static let tooMany = Problem(
        .rateLimited,
        "Too many logins are going on. Try again in a moment.",
        retryAfter: 2
    )
    private static let tooLate = Problem(.overloaded, "The request waited too long for its turn.", retryAfter: 2)

    /// Lowers this thread's priority: on Linux niceness is a thread's own, and a new thread's number is 0 to itself.
    ///
    /// Everything else gets twice as much of a core that both want; much less, and on a busy machine no log-in would end in time.
    private static func yieldToEverythingElse() {
        #if os(Linux)
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 3)
        #endif
    }
}

/// A hash with its parameters, in the format of the Password Hashing Competition.
struct PHCString: Sendable, Equatable {
    let cost: PasswordCost
    let salt: [UInt8]
    let hash: [UInt8]

    init(cost: PasswordCost, salt: [UInt8], hash: [UInt8]) {
        self.cost = cost
        self.salt = salt
        self.hash = hash
    }

    /// Reads a stored string; parameters that would take more than 2^18 * 8 blocks are refused, as a planted row must not stop
    /// the process.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
        var values: [Substring: Int] = [:]
        for field in parts[2].split(separator: ",") {
            let pair = field.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, let number = Int(pair[1]), number > 0 else { return nil }
            values[pair[0]] = number
        }
        guard let ln = values["ln"], let r = values["r"], let p = values["p"], values.count == 3,
            ln <= 18, r <= 32, p <= 16,
            let salt = Self.decode(parts[3]), let hash = Self.decode(parts[4]), hash.count == 32, salt.count >= 8
        else { return nil }
        self.init(cost: PasswordCost(ln: ln, r: r, p: p), salt: salt, hash: hash)
    }

    /// The string to store.
    var text: String {
        "$scrypt$ln=\(cost.ln),r=\(cost.r),p=\(cost.p)$\(Self.encode(salt))$\(Self.encode(hash))"
    }

    // PHC strings use the standard alphabet of base64, without padding.
    private static func encode(_ bytes: [UInt8]) -> String {
        String(Base64URL.encode(bytes).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        guard !text.contains("-"), !text.contains("_") else { return nil }
        return Base64URL.decode(String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }))
    }
}
