import Yams

/// One scalar of the file, with its variables put in.
struct Scalar {
    var text: String
    var place: Place
    /// As written: what messages may show.
    var written: String
    var isSubstituted: Bool
}

/// One mapping of the file. Each key is asked for once; ``finish()`` then reports the keys that nobody asked for.
final class Section {
    /// For messages: `targets[2].tls`; empty for the whole file.
    let path: String
    let place: Place
    let context: ReadingContext
    private var entries: [String: (key: Place, value: Node)] = [:]
    private var order: [String] = []
    private var known: [String] = []

    init?(_ node: Node, path: String, place: Place? = nil, _ context: ReadingContext) {
        let place = place ?? node.place
        self.path = path
        self.place = place
        self.context = context
        guard case .mapping(let mapping) = node else {
            context.problems.error(place, "`\(path)` must be a mapping (key: value lines), not \(node.sort)")
            return nil
        }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                context.problems.error(key.place, "a key must be plain text")
                continue
            }
            if entries.updateValue((key.place, value), forKey: scalar.string) != nil {
                context.problems.error(key.place, "`\(scalar.string)` is given twice; keep one")
            }
            order.append(scalar.string)
        }
    }

    var keys: [String] { order }

    func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Where a key stands; the section itself when it is not there.
    func place(of key: String) -> Place { entries[key]?.key ?? place }

    func has(_ key: String) -> Bool { entries[key] != nil }

    /// Reports every key that was not asked for.
    func finish() {
        for key in order where !known.contains(key) {
            guard let entry = entries[key] else { continue }
            let hint = suggestion(for: key, among: known)
            let allowed = hint.isEmpty ? ": \(path.isEmpty ? "the file" : "`\(path)`") knows \(choices(known))" : hint
            context.problems.error(entry.key, "unknown key `\(name(key))`\(allowed)")
        }
    }

    func node(_ key: String) -> Node? {
        if !known.contains(key) { known.append(key) }
        return entries[key]?.value
    }

    func scalar(_ key: String) -> Scalar? {
        node(key).flatMap { context.scalar($0, name(key)) }
    }

    func required(_ key: String, like example: String) -> Scalar? {
        guard node(key) != nil else {
            context.problems.error(place, "`\(name(key))` is missing; add it, for example `\(key): \(example)`")
            return nil
        }
        return scalar(key)
    }

    /// Reads a scalar by `parse`; what it throws is reported with the key's name.
    func value<Value>(_ key: String, _ parse: (String) throws(ValueError) -> Value) -> Value? {
        scalar(key).flatMap { context.parse($0, name(key), parse) }
    }

    func integer(_ key: String, within range: ClosedRange<Int>) -> Int? {
        value(key) { text throws(ValueError) in
            guard let number = Int(text) else { throw ValueError(message: "is not a whole number") }
            return try checked(number, within: range)
        }
    }

    func boolean(_ key: String) -> Bool? {
        value(key) { text throws(ValueError) in
            switch text {
            case "true": return true
            case "false": return false
            default: throw ValueError(message: "is neither true nor false")
            }
        }
    }

    func size(_ key: String, within range: ClosedRange<Int>) -> Int? {
        value(key) { text throws(ValueError) in try checked(try parseSize(text), within: range) }
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type = Choice.self) -> Choice?
    where Choice.RawValue == String {
        value(key) { text throws(ValueError) in
            if let choice = Choice(rawValue: text) { return choice }
            let names = Choice.allCases.map(\.rawValue)
            throw ValueError(message: "must be \(choices(names))\(suggestion(for: text, among: names))")
        }
    }

    /// A list of scalars. A single scalar is not a list: the two are easily confused where one name holds a comma.
    func list(_ key: String) -> [Scalar]? {
        node(key).flatMap { context.list($0, name(key)) }
    }

    func section(_ key: String) -> Section? {
        node(key).flatMap { Section($0, path: name(key), place: place(of: key), context) }
    }

    func sections(_ key: String) -> [Section] {
        guard let node = node(key) else { return [] }
        guard case .sequence(let sequence) = node else {
            context.problems.error(node.place, "`\(name(key))` must be a list (lines that begin with `- `), not \(node.sort)")
            return []
        }
        return sequence.enumerated().compactMap { Section($1, path: "\(name(key))[\($0 + 1)]", context) }
    }
}

/// What reading needs everywhere.
final class ReadingContext {
    let problems: ProblemList
    let environment: [String: String]
    /// What relative paths in the file start from.
    let directory: String
    /// Whether the files that are named are looked at, and secrets found.
    let readsFiles: Bool
    /// Masks that keep originals, to be held against the recipients of those, which another section names.
    var masksThatKeep: [(name: String, place: Place)] = []
    var namesBreakGlassRecipients = false

    init(problems: ProblemList, environment: [String: String], directory: String, readsFiles: Bool = true) {
        self.problems = problems
        self.environment = environment
        self.directory = directory
        self.readsFiles = readsFiles
    }

    func scalar(_ node: Node, _ name: String) -> Scalar? {
        guard case .scalar(let scalar) = node else {
            problems.error(node.place, "`\(name)` must be one value, not \(node.sort)")
            return nil
        }
        let isPlain = scalar.style == .plain || scalar.style == .any
        if scalar.string.isEmpty || (isPlain && (scalar.string == "~" || scalar.string == "null")) {
            problems.error(node.place, "`\(name)` has no value; give one, or leave the key out")
            return nil
        }
        do {
            let (text, isSubstituted) = try substitute(scalar.string, from: environment)
            guard !text.isEmpty else {
                problems.error(node.place, "`\(name)` (\(scalar.string)) is empty; set the variable to a value")
                return nil
            }
            return Scalar(text: text, place: node.place, written: scalar.string, isSubstituted: isSubstituted)
        } catch {
            problems.error(node.place, "`\(name)` \(error.message)")
            return nil
        }
    }

    func list(_ node: Node, _ name: String) -> [Scalar]? {
        guard case .sequence(let sequence) = node else {
            problems.error(node.place, "`\(name)` must be a list, as in [a, b], not \(node.sort)")
            return nil
        }
        if sequence.isEmpty { problems.error(node.place, "`\(name)` is an empty list; name something, or leave the key out") }
        return sequence.enumerated().compactMap { scalar($1, "\(name)[\($0 + 1)]") }
    }

    func parse<Value>(_ scalar: Scalar, _ name: String, _ parse: (String) throws(ValueError) -> Value) -> Value? {
        do {
            return try parse(scalar.text)
        } catch {
            problems.error(scalar.place, "`\(name)`: `\(scalar.written)` \(error.message)")
            return nil
        }
    }
}

private func checked(_ number: Int, within range: ClosedRange<Int>) throws(ValueError) -> Int {
    guard range.contains(number) else {
        throw ValueError(message: "is out of range: \(range.lowerBound) to \(range.upperBound)")
    }
    return number
}

extension Node {
    var place: Place {
        mark.map { Place(line: $0.line, column: $0.column) } ?? .wholeFile
    }

    /// What it is, for messages.
    var sort: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "one value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
