import DequeModule

/// A queue in which parties take turns by what their work costs, however much any of them asks for.
///
/// Start-time fair queuing (Goyal, Vin and Cheng, 1996). A virtual clock stands at the start of the piece of work begun last. A party's
/// next piece starts where its last one ended on that clock, or now if it has rested, and the earliest start goes first. So one with a
/// thousand pieces in line delays another by the piece that is being worked on, and one whose pieces are a thousand times as dear waits
/// until the others have had as much. Unlike round robin with a deficit it also knows what a party had while nobody waited: keeping one
/// piece in line at a time, from many connections, gains nothing.
///
/// Pure: its owner decides how many pieces are worked on at once, and which parties may begin another one.
package struct FairQueue<Party: Hashable & Sendable, Element> {
    private struct Piece {
        let element: Element
        let cost: Int
        /// Orders equal starts by arrival.
        let number: UInt64
    }

    private struct Line {
        var pieces: Deque<Piece> = []
        /// Where its first piece starts on the clock.
        var start: Int
    }

    private var clock = 0
    private var lastNumber: UInt64 = 0
    /// Parties that have something in line.
    private var lines: [Party: Line] = [:]
    /// Where the next piece of the others starts, where that is later than the clock.
    private var debts: [Party: Int] = [:]
    /// When to look for debts that are paid.
    private var sweep = 64
    private var working: [Party: Int] = [:]

    /// How many pieces wait.
    package private(set) var count = 0

    /// A queue without anybody.
    package init() {}

    /// Whether nothing waits.
    package var isEmpty: Bool { count == 0 }

    /// How many pieces of a party wait.
    ///
    /// - Parameter party: The party.
    /// - Returns: The number.
    package func count(of party: Party) -> Int { lines[party]?.pieces.count ?? 0 }

    /// How many pieces of a party are being worked on.
    ///
    /// - Parameter party: The party.
    /// - Returns: The number.
    package func working(of party: Party) -> Int { working[party] ?? 0 }

    // MARK: Coming

    /// Puts a piece at the end of its party's line.
    ///
    /// - Parameters:
    ///   - element: What waits.
    ///   - party: Whose it is.
    ///   - cost: What it costs, 1 or more, in a unit of the owner's.
    package mutating func append(_ element: Element, of party: Party, cost: Int = 1) {
        insert(element, of: party, cost: cost, isFirst: false)
    }

    /// Puts a piece at the head of its party's line.
    ///
    /// - Parameters:
    ///   - element: What waits.
    ///   - party: Whose it is.
    ///   - cost: What it costs; little, if its party has paid for it before.
    package mutating func prepend(_ element: Element, of party: Party, cost: Int = 1) {
        insert(element, of: party, cost: cost, isFirst: true)
    }

    private mutating func insert(_ element: Element, of party: Party, cost: Int, isFirst: Bool) {
        lastNumber &+= 1
        let piece = Piece(element: element, cost: max(1, cost), number: lastNumber)
        var line = lines.removeValue(forKey: party) ?? Line(start: start(of: party))
        if isFirst {
            line.pieces.prepend(piece)
        } else {
            line.pieces.append(piece)
        }
        lines[party] = line
        count += 1
    }

    // MARK: Work

    /// The party whose turn it is.
    ///
    /// Looks at each party that waits once.
    ///
    /// - Parameter mayBegin: Whether a party may have another piece worked on.
    /// - Returns: The party, nil if none may or nothing waits.
    package func next(where mayBegin: (Party) -> Bool = { _ in true }) -> Party? {
        var best: (party: Party, start: Int, number: UInt64)?
        for (party, line) in lines {
            guard let number = line.pieces.first?.number, mayBegin(party) else { continue }
            if let best, (best.start, best.number) < (line.start, number) { continue }
            best = (party, line.start, number)
        }
        return best?.party
    }

    /// The party whose turn it is, of those with few enough pieces being worked on.
    ///
    /// - Parameter limit: How many one party may have.
    /// - Returns: The party, nil if none may begin another or nothing waits.
    package func next(limit: Int) -> Party? { next { working(of: $0) < limit } }

    /// Begins the first piece in a party's line.
    ///
    /// - Parameter party: The party.
    /// - Returns: What waited, nil if nothing did.
    package mutating func begin(_ party: Party) -> Element? {
        guard var line = lines.removeValue(forKey: party), let piece = line.pieces.popFirst() else { return nil }
        count -= 1
        clock = max(clock, line.start)
        line.start += piece.cost
        if line.pieces.isEmpty {
            owes(party, line.start)
        } else {
            lines[party] = line
        }
        working[party, default: 0] += 1
        return piece.element
    }

    /// Begins a piece that need not wait.
    ///
    /// - Parameters:
    ///   - party: Whose it is.
    ///   - cost: What it costs.
    package mutating func begin(_ party: Party, cost: Int) {
        if lines[party] != nil {
            lines[party]?.start += max(1, cost)
        } else {
            clock = start(of: party)
            owes(party, clock + max(1, cost))
        }
        working[party, default: 0] += 1
    }

    /// Ends a piece that was begun.
    ///
    /// - Parameter party: Whose it was.
    package mutating func end(_ party: Party) {
        guard let number = working[party] else { return }
        working[party] = number > 1 ? number - 1 : nil
        if working.isEmpty, lines.isEmpty {
            // Nobody is kept waiting by what anybody had.
            debts.removeAll(keepingCapacity: true)
        }
    }

    /// How many parties it remembers for what they had.
    var remembered: Int { debts.count }

    private func start(of party: Party) -> Int { max(debts[party] ?? 0, clock) }

    private mutating func owes(_ party: Party, _ start: Int) {
        debts[party] = start
        guard debts.count >= sweep else { return }
        let clock = clock
        debts = debts.filter { $0.value > clock }
        sweep = max(64, 2 * debts.count)
    }

    // MARK: Going

    /// Takes pieces out of every line.
    ///
    /// - Parameter isGone: Whether a piece no longer waits.
    /// - Returns: Those pieces.
    package mutating func removeAll(where isGone: (Element) -> Bool) -> [Element] {
        var gone: [Element] = []
        for party in Array(lines.keys) { gone += removeAll(of: party, where: isGone) }
        return gone
    }

    /// Takes pieces out of one party's line.
    ///
    /// - Parameters:
    ///   - party: The party.
    ///   - isGone: Whether a piece no longer waits.
    /// - Returns: Those pieces.
    package mutating func removeAll(of party: Party, where isGone: (Element) -> Bool) -> [Element] {
        guard var line = lines[party], line.pieces.contains(where: { isGone($0.element) }) else { return [] }
        lines[party] = nil
        var gone: [Element] = []
        line.pieces.removeAll { piece in
            guard isGone(piece.element) else { return false }
            gone.append(piece.element)
            return true
        }
        count -= gone.count
        if line.pieces.isEmpty {
            owes(party, line.start)
        } else {
            lines[party] = line
        }
        return gone
    }

    /// Shows every piece that waits, in no order.
    ///
    /// - Parameter body: Sees each.
    package func forEach(_ body: (Element) -> Void) {
        for line in lines.values {
            for piece in line.pieces { body(piece.element) }
        }
    }
}
