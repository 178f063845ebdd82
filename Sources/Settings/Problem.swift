/// Something wrong with a configuration, where it is, and what to do.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    public enum Severity: String, Sendable, Hashable {
        case error, warning
    }

    public var severity: Severity
    public var file: String
    /// From 1; 0 when the file as a whole is meant.
    public var line: Int
    /// From 1, counted in Unicode scalars; 0 when the file as a whole is meant.
    public var column: Int
    public var message: String

    /// `file:line:column: message`, as compilers write it, so that editors can jump there.
    public var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        return severity == .error ? "\(place): \(message)" : "\(place): warning: \(message)"
    }
}

/// A configuration that cannot be used: every error in it, in the file's order.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
    public let problems: [Problem]

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A place in the file.
struct Place: Hashable {
    var line: Int
    var column: Int

    static let wholeFile = Place(line: 0, column: 0)
}

/// Collects what is wrong while the file is read to its end.
final class ProblemList {
    let file: String
    private(set) var problems: [Problem] = []

    init(file: String) {
        self.file = file
    }

    func error(_ place: Place, _ message: String) {
        add(.error, place, message)
    }

    func warning(_ place: Place, _ message: String) {
        add(.warning, place, message)
    }

    private func add(_ severity: Problem.Severity, _ place: Place, _ message: String) {
        let problem = Problem(severity: severity, file: file, line: place.line, column: place.column, message: message)
        if !problems.contains(problem) { problems.append(problem) }
    }

    func sorted(_ severity: Problem.Severity) -> [Problem] {
        problems.filter { $0.severity == severity }.enumerated()
            .sorted { ($0.element.line, $0.element.column, $0.offset) < ($1.element.line, $1.element.column, $1.offset) }
            .map(\.element)
    }
}
