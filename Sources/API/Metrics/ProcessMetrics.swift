import Foundation

/// What the system knows of this process, under the names that every collector of Prometheus knows.
package struct ProcessMetrics: Sendable {
    private let start = Date().timeIntervalSince1970

    /// Begins now: to be made as the process starts.
    package init() {}

    /// Asks the kernel; takes no lock and touches no store.
    package func samples() -> [MetricSample] {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let (virtual, resident) = Self.memory()
        return [
            MetricSample("process_cpu_seconds_total", Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)),
            MetricSample("process_resident_memory_bytes", Double(resident)),
            MetricSample("process_virtual_memory_bytes", Double(virtual)),
            MetricSample("process_open_fds", Double(Self.entries("/proc/self/fd"))),
            MetricSample("process_max_fds", Double(limit.rlim_cur)),
            MetricSample("process_threads", Double(Self.entries("/proc/self/task"))),
            MetricSample("process_start_time_seconds", start),
        ]
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    /// Bytes of address space and of memory, from the pages that `/proc/self/statm` counts.
    private static func memory() -> (virtual: Int, resident: Int) {
        guard let file = fopen("/proc/self/statm", "r") else { return (0, 0) }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, Int32(line.count), file) != nil else { return (0, 0) }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let pages = text.split(separator: " ").prefix(2).map { Int($0) ?? 0 }
        let size = Int(sysconf(Int32(_SC_PAGESIZE)))
        return pages.count == 2 ? (pages[0] * size, pages[1] * size) : (0, 0)
    }

    /// How many entries a folder has, without a string for each.
    private static func entries(_ folder: String) -> Int {
        guard let open = opendir(folder) else { return 0 }
        defer { closedir(open) }
        var count = 0
        while readdir(open) != nil { count += 1 }
        // Itself and the folder above it.
        return max(0, count - 2)
    }
}
