import Foundation

/// How many files and sockets this process may have open.
enum DescriptorLimit {
    /// Descriptors that are not clients' connections: stores, logs, event loops, and some to spare.
    static let reserve = 256

    /// Raises the limit to what the system lets a process raise it to: as a rule it begins at 1,024, for programs of old that use `select`.
    ///
    /// - Returns: the limit that holds now.
    static func raise() -> Int {
        let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(descriptors, &limit) == 0 else { return 1024 }
        var raised = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
        return Int(clamping: setrlimit(descriptors, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur)
    }
}
