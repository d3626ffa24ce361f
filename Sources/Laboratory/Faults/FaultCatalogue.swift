/// Every fault a laboratory can make.
package enum FaultCatalogue {
    /// All of them, group by group.
    package static let all: [Fault] =
        kills + pauses + slow + databaseLinks + commandLinks + busLinks + redis + postgres

    /// The names of the groups, in order.
    package static let groups: [String] = all.reduce(into: []) { groups, fault in
        if groups.last != fault.group { groups.append(fault.group) }
    }

    /// The fault of a name.
    package static func named(_ name: String) -> Fault? {
        all.first { $0.name == name }
    }

    /// The faults that a choice means.
    ///
    /// - Parameter choice: `all`, `none`, or names of faults and groups, separated by commas.
    /// - Returns: the faults, in the order of the catalogue.
    /// - Throws: ``UnknownFault`` for a name that is neither.
    package static func matching(_ choice: String) throws(UnknownFault) -> [Fault] {
        var chosen: Set<String> = []
        for part in choice.split(separator: ",") where part != "none" {
            let found = all.filter { part == "all" || $0.name == part || $0.group == part }
            guard !found.isEmpty else { throw UnknownFault(name: String(part)) }
            chosen.formUnion(found.map(\.name))
        }
        return all.filter { chosen.contains($0.name) }
    }
}
