import HTTPTypes
import Kernel

extension Route {
    /// What a caller has to know beside what the operation does: who may ask, and what may be asked twice.
    ///
    /// Made of what the route is, so that it cannot say anything else.
    var explanation: String {
        var sentences = [summary + "."]
        switch access {
        case .open:
            sentences.append("Nobody has to say who they are.")
        case .authenticated:
            sentences.append("For everybody with an access token or an API key.")
        case .members(let roles, let scope):
            let names = Role.allCases.filter(roles.contains).map(\.rawValue).joined(separator: ", ")
            let keys = scope.map { "API keys with the scope \($0.rawValue)" } ?? "no API key"
            sentences.append("For members who are \(names), and \(keys).")
        }
        if isCached {
            sentences.append(
                "Answered from the cache, which says so in Cache-Status; Cache-Control: no-cache asks the database."
            )
        }
        if needsKey {
            sentences.append("Sent again with the same Idempotency-Key it is done once, and answers the same.")
        } else if takesKey {
            sentences.append("With an Idempotency-Key it may be sent again: it is done once, and answers the same.")
        }
        if isUpsert {
            sentences.append("If-None-Match: * makes what is not there, If-Match replaces what is.")
        } else if needsMatch {
            sentences.append("If-Match keeps a change by somebody else from being overwritten unseen.")
        }
        if throttle != nil { sentences.append("One address may try so often, and then has to wait.") }
        return sentences.joined(separator: " ")
    }
}
