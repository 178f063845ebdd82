import Foundation

/// Where the project's own parts are.
enum Project {
    static let root: String = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// `GATEHOUSE_BINARY`, or the debug build that `swift build` makes.
    static let gatehouse = ProcessInfo.processInfo.environment["GATEHOUSE_BINARY"] ?? root + "/.build/debug/gatehouse"

    /// The Python that set-up filled, or the one on PATH.
    static let python: String = {
        let own = root + "/.build-venv/bin/python"
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }()

    static let jdbcDriver = "/usr/share/java/postgresql.jar"

    /// `make soak` sets it: long suites then run at their full length.
    static let soak = ProcessInfo.processInfo.environment["GATEHOUSE_SOAK"] == "1"

    static func script(_ name: String) -> String { root + "/scripts/" + name }
    static func support(_ name: String) -> String { root + "/Tests/Support/" + name }
}
