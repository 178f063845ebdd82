import Foundation

/// What the kernel knows of this process (proc(5)), under the names that Prometheus clients share.
enum ProcessMetrics {
    static func read() -> String {
        var text = ""
        func gauge(_ name: String, _ value: Double?, kind: String = "gauge") {
            guard let value else { return }
            text += "# TYPE \(name) \(kind)\n\(name) \(Labels.number(value))\n"
        }
        gauge("process_resident_memory_bytes", residentBytes())
        gauge("process_open_fds", openDescriptors())
        gauge("process_max_fds", maximumDescriptors())
        gauge("process_threads", threads())
        gauge("process_cpu_seconds_total", processorSeconds(), kind: "counter")
        return text
    }

    private static func fields(_ path: String) -> [Substring]? {
        (try? String(contentsOfFile: path, encoding: .utf8))?.split { $0 == " " || $0 == "\n" }
    }

    /// `statm` counts pages.
    private static func residentBytes() -> Double? {
        guard let fields = fields("/proc/self/statm"), fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openDescriptors() -> Double? {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count) }
    }

    private static func maximumDescriptors() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Double(limit.rlim_cur)
    }

    private static func threads() -> Double? {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")).map { Double($0.count) }
    }

    private static func processorSeconds() -> Double? {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
