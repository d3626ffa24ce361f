import Foundation

/// A plan that ran, as auto_explain tells it.
struct Plan: Decodable {
    let query: String
    let root: Node

    enum CodingKeys: String, CodingKey {
        case query = "Query Text"
        case root = "Plan"
    }

    struct Node: Decodable {
        let type: String
        let relation: String?
        let index: String?
        let condition: String?
        let filter: String?
        let joinFilter: String?
        let rowsPerLoop: Double?
        let loops: Double?
        let filteredPerLoop: Double?
        let joinFilteredPerLoop: Double?
        let children: [Node]?

        enum CodingKeys: String, CodingKey {
            case type = "Node Type"
            case relation = "Relation Name"
            case index = "Index Name"
            case condition = "Index Cond"
            case filter = "Filter"
            case joinFilter = "Join Filter"
            case rowsPerLoop = "Actual Rows"
            case loops = "Actual Loops"
            case filteredPerLoop = "Rows Removed by Filter"
            case joinFilteredPerLoop = "Rows Removed by Join Filter"
            case children = "Plans"
        }

        var rows: Double { (rowsPerLoop ?? 0) * (loops ?? 0) }
        var filtered: Double { (filteredPerLoop ?? 0) * (loops ?? 0) }
        var joinFiltered: Double { (joinFilteredPerLoop ?? 0) * (loops ?? 0) }
    }
}

/// What a plan must not do to a table that grows.
enum PlanRule: String {
    /// Reads the table from end to end.
    case sequentialScan = "sequential scan"
    /// Reads an index from end to end, with no limit above.
    case wholeIndex = "whole index"
    /// Discards more rows than it keeps.
    case filter = "filter"
    /// Compares more pairs of rows than match.
    case joinFilter = "join filter"
    /// Sorts many rows for a page of few.
    case sortedPage = "sort for a page"
}

/// One offence.
struct PlanFault: Hashable {
    let statement: String
    let rule: PlanRule
    let relation: String
    let rows: Int
    let detail: String

    /// So few rows are nothing, whatever becomes of them.
    private static let few = 50.0

    /// What the plans of a statement do that they must not.
    static func faults(of statement: String, _ plans: [Plan], growing: Set<String>) -> [PlanFault] {
        var faults: [PlanFault] = []
        for plan in plans {
            visit(plan.root, below: [], query: plan.query, statement, growing, &faults)
        }
        return faults
    }

    private static func visit(
        _ node: Plan.Node,
        below ancestors: [Plan.Node],
        query: String,
        _ statement: String,
        _ growing: Set<String>,
        _ faults: inout [PlanFault]
    ) {
        func fault(_ rule: PlanRule, _ relation: String, _ rows: Double, _ words: String) {
            let text = query.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(160)
            faults.append(
                PlanFault(
                    statement: statement,
                    rule: rule,
                    relation: relation,
                    rows: Int(rows),
                    detail: "\(words), in: \(text)"
                )
            )
        }
        if let relation = node.relation, growing.contains(relation), node.type != "ModifyTable" {
            let place = node.index.map { "\(relation) by \($0)" } ?? relation
            if node.type == "Seq Scan", node.rows + node.filtered > few {
                fault(
                    .sequentialScan,
                    relation,
                    node.rows + node.filtered,
                    "\(relation) from end to end, \(Int(node.rows + node.filtered)) rows"
                )
            } else if node.type.hasPrefix("Index"), node.condition == nil,
                !ancestors.contains(where: { $0.type == "Limit" }), node.rows + node.filtered > few
            {
                fault(.wholeIndex, relation, node.rows + node.filtered, "\(place) from end to end")
            }
            if node.filtered > max(few, node.rows) {
                fault(
                    .filter,
                    relation,
                    node.filtered,
                    "\(Int(node.filtered)) rows of \(place) discarded, \(Int(node.rows)) kept by \(node.filter ?? "")"
                )
            }
        }
        if node.joinFiltered > max(few, node.rows),
            let relation = relations(of: node).intersection(growing).sorted().first
        {
            fault(
                .joinFilter,
                relation,
                node.joinFiltered,
                "\(Int(node.joinFiltered)) pairs discarded, \(Int(node.rows)) kept by \(node.joinFilter ?? "")"
            )
        }
        if node.type == "Sort" || node.type == "Incremental Sort",
            let limit = ancestors.last(where: { $0.type == "Limit" }),
            !ancestors.reversed().prefix(while: { $0.type != "Limit" }).contains(where: { $0.type == "Aggregate" }),
            let input = node.children?.first, input.rows > 10 * limit.rows + few,
            let relation = relations(of: node).intersection(growing).sorted().first
        {
            fault(
                .sortedPage,
                relation,
                input.rows,
                "\(Int(input.rows)) rows of \(relation) sorted for \(Int(limit.rows))"
            )
        }
        for child in node.children ?? [] {
            visit(child, below: ancestors + [node], query: query, statement, growing, &faults)
        }
    }

    private static func relations(of node: Plan.Node) -> Set<String> {
        (node.children ?? []).reduce(into: Set(node.relation.map { [$0] } ?? [])) { $0.formUnion(relations(of: $1)) }
    }
}
