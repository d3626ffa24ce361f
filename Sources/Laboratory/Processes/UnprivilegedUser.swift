import Foundation

/// The user that servers run as when the tests run as root.
struct UnprivilegedUser: Sendable {
    let name: String
    let id: uid_t
    let group: gid_t

    /// `postgres` or `nobody` for root, nil for anybody else.
    static let current: UnprivilegedUser? = {
        guard geteuid() == 0 else { return nil }
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name)?.pointee {
                return UnprivilegedUser(name: name, id: entry.pw_uid, group: entry.pw_gid)
            }
        }
        return nil
    }()

    /// A command as that user.
    ///
    /// `setpriv` replaces itself by the command, so that the child's id is the server's.
    static func command(_ path: String, _ arguments: [String]) -> (path: String, arguments: [String]) {
        guard let current else { return (path, arguments) }
        return (
            "setpriv",
            ["--reuid=\(current.id)", "--regid=\(current.group)", "--init-groups", "--", path] + arguments
        )
    }
}
