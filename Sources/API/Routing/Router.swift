package import HTTPTypes

/// Finds the route of a request: a trie over the segments of paths, with the methods at its leaves.
///
/// Not Hummingbird's router: this one is made from the table of routes, knows the methods of a path for `Allow`, and finds
/// a route without a dictionary or a string being made.
package struct Router: Sendable {
    /// What was found.
    package enum Match: Sendable {
        /// A route, and the text of its varying segments, still percent-encoded.
        case route(Route, [Substring])
        /// The path is known, the method is not; these are.
        case otherMethod([HTTPRequest.Method])
        /// No such path.
        case nothing
    }

    private struct Node {
        var children: [(segment: [UInt8], node: Int)] = []
        var wildcard: Int?
        var routes: [(method: HTTPRequest.Method, route: Route)] = []
    }

    private var nodes: [Node] = [Node()]

    /// Makes the trie.
    ///
    /// - Parameter routes: the table; of two with the same method and path the first wins, and a test forbids it.
    package init(_ routes: [Route]) {
        for route in routes {
            var current = 0
            for segment in route.path.split(separator: "/") {
                current =
                    segment.hasPrefix("{") ? wildcard(of: current) : child(of: current, Array(segment.utf8))
            }
            nodes[current].routes.append((route.method, route))
        }
    }

    private mutating func child(of node: Int, _ segment: [UInt8]) -> Int {
        if let known = nodes[node].children.first(where: { $0.segment == segment }) { return known.node }
        nodes.append(Node())
        nodes[node].children.append((segment, nodes.count - 1))
        return nodes.count - 1
    }

    private mutating func wildcard(of node: Int) -> Int {
        if let known = nodes[node].wildcard { return known }
        nodes.append(Node())
        nodes[node].wildcard = nodes.count - 1
        return nodes.count - 1
    }

    /// Finds the route.
    ///
    /// A fixed segment goes before a varying one (`/lookup` before `/{id}`); empty segments match nothing, so a path has one
    /// spelling.
    ///
    /// - Parameters:
    ///   - method: the method; `HEAD` finds what `GET` does.
    ///   - path: the path without its query.
    /// - Returns: the route, or what is there instead.
    package func match(_ method: HTTPRequest.Method, _ path: Substring) -> Match {
        var current = 0
        var parameters: [Substring] = []
        var rest = path.utf8[...]
        guard rest.first == UInt8(ascii: "/") else { return .nothing }
        while !rest.isEmpty {
            rest = rest.dropFirst()
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            let segment = rest[..<end]
            let length = segment.count
            if let child = nodes[current].children.first(where: {
                // Lengths first: few names of areas have the same.
                $0.segment.count == length && $0.segment.elementsEqual(segment)
            }) {
                current = child.node
            } else if let wildcard = nodes[current].wildcard, !segment.isEmpty {
                current = wildcard
                parameters.append(Substring(segment))
            } else {
                return .nothing
            }
            rest = rest[end...]
        }
        let routes = nodes[current].routes
        let wanted = method == .head ? .get : method
        if let found = routes.first(where: { $0.method == wanted }) { return .route(found.route, parameters) }
        return routes.isEmpty ? .nothing : .otherMethod(routes.map(\.method))
    }
}
