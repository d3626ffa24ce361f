/// What the environment says, looked through for names that somebody meant for us.
///
/// A name one or two letters off one of ours is a mistake and stops the start, as a bad value does, where nobody else would make such a
/// name up. Other names that begin as ours do, or nearly so, get a line in the log: the environment is not ours alone, and platforms
/// put the addresses of databases into it under names of their own. What Kubernetes and Docker put there for a service named `redis` or
/// `stock` (`REDIS_PORT=tcp://10.0.0.1:6379`, `STOCK_PORT_8080_TCP_ADDR`) is not for us, even where the name is.
struct Surroundings {
    /// The environment without what links of services left in the names of ours.
    let variables: [String: String]
    /// A line for each name that begins like ours and is none.
    let warnings: [String]

    /// Names with these beginnings are given by others, too.
    private static let shared: Set<Substring> = ["DATABASE", "REDIS", "HTTP", "LOG"]

    /// Looks through an environment.
    ///
    /// - Parameter environment: names and values.
    /// - Throws: ``ConfigurationError`` for a name that is nearly one of ours.
    init(_ environment: [String: String]) throws {
        let known = Set(Variable.all.map(\.name)).union(Variable.ofTestBuilds)
        let prefixes = Set(Variable.all.map { Self.prefix(of: $0.name) })
        var variables = environment
        var warnings: [String] = []
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            if Self.isServiceLink(name, value) {
                variables[name] = nil
                continue
            }
            guard !known.contains(name), !Self.isForOthers(name) else { continue }
            let nearest = Variable.nearest(to: name)
            let isNear = nearest.map { $0.distance <= 2 } ?? false
            let isOurs = prefixes.contains(Self.prefix(of: name)) && name.contains("_")
            guard isNear || isOurs else { continue }
            if let nearest, isNear, isOurs, !Self.shared.contains(Self.prefix(of: name)) {
                throw ConfigurationError(unknown: name, nearest: nearest.variable)
            }
            let hint = nearest.map { "; nearest is \($0.variable.name)" } ?? ""
            warnings.append("\(name) is no variable of stock and was ignored\(hint)")
        }
        self.variables = variables
        self.warnings = warnings
    }

    private static func prefix(of name: String) -> Substring { name.prefix { $0 != "_" } }

    /// Whether a name and its value are those of a service's link.
    private static func isServiceLink(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.hasSuffix("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
            return true
        }
        let isAddress = value.hasPrefix("tcp://") || value.hasPrefix("udp://")
        if name.hasSuffix("_PORT"), isAddress { return true }
        let parts = name.split(separator: "_")
        return zip(parts, parts.dropFirst()).contains { $0 == "PORT" && Int($1) != nil }
    }

    /// Names of other programs that begin as ours do.
    private static func isForOthers(_ name: String) -> Bool {
        name == "HTTP_PROXY" || Variable.prefixesOfTests.contains { name.hasPrefix($0) }
    }
}

extension Variable {
    /// The variable whose name is the least different from another name, if it is not altogether different.
    ///
    /// - Parameter name: the name.
    /// - Returns: the variable, and by how many letters it differs.
    static func nearest(to name: String) -> (variable: Variable, distance: Int)? {
        let candidates = all.map { (variable: $0, distance: distance($0.name, name)) }
        guard let nearest = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
        return nearest.distance <= max(2, nearest.variable.name.count / 2) ? nearest : nil
    }

    /// How many letters have to be put in, taken out, exchanged or swapped with the next to make one text of the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8)
        let b = Array(right.utf8.prefix(100))
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1] + [Int](repeating: 0, count: b.count)
            for j in b.indices {
                row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
                }
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
