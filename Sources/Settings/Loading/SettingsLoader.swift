public import Foundation
import GatehouseCore
import Policy
import Yams

extension GatehouseSettings {
    /// What a configuration that can be used says, and what in it deserves a second look.
    public struct Loaded: Sendable {
        public let settings: GatehouseSettings
        public let warnings: [Problem]
    }

    /// A configuration larger than this is not one.
    static let largestFile = 4 * 1_048_576

    /// Reads a configuration file, and the secret files that it names.
    ///
    /// - Parameter environment: Where `${env:NAME}` is looked up.
    /// - Throws: Every error in the file at once, each with its place.
    public static func load(
        file: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> Loaded {
        try load(try text(of: file), file: file, directory: directory(of: file), environment: environment)
    }

    /// Reads of a configuration file where recordings are, and nothing else: an auditor needs no secrets but the store's.
    ///
    /// - Returns: The store, and the data directory if one is named.
    /// - Throws: Every error in these two.
    public static func loadStore(
        file: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> (store: StoreSettings, dataDirectory: String?) {
        let problems = ProblemList(file: file)
        let context = ReadingContext(problems: problems, environment: environment, directory: directory(of: file))
        let root = root(try text(of: file), context)
        let store = root.map { SettingsReader(context).readStore($0) }
        let data = root?.path("data_directory")?.path
        if case .directory(nil)? = store, data == nil, let root { _ = root.required("data_directory", like: "/var/lib/gatehouse") }
        let errors = problems.sorted(.error)
        guard let store, errors.isEmpty else { throw SettingsError(problems: errors) }
        return (store, data)
    }

    static func text(of file: String) throws(SettingsError) -> String {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw SettingsError(file, "cannot be read: check that it exists and that this user may read it")
        }
        guard data.count <= largestFile else { throw SettingsError(file, "is larger than 4 MiB") }
        guard let text = String(data: data, encoding: .utf8) else { throw SettingsError(file, "is not UTF-8 text") }
        return text
    }

    static func directory(of file: String) -> String {
        URL(fileURLWithPath: file).standardizedFileURL.deletingLastPathComponent().path
    }

    /// Reads a configuration's text.
    ///
    /// - Parameters:
    ///   - file: Its name in messages.
    ///   - directory: What relative paths in it start from.
    public static func load(
        _ text: String, file: String, directory: String, environment: [String: String]
    ) throws(SettingsError) -> Loaded {
        let problems = ProblemList(file: file)
        let context = ReadingContext(problems: problems, environment: environment, directory: directory)
        let settings = root(text, context).flatMap { SettingsReader(context).read($0) }
        let errors = problems.sorted(.error)
        guard let settings, errors.isEmpty else { throw SettingsError(problems: errors) }
        return Loaded(settings: settings, warnings: problems.sorted(.warning))
    }

    static func root(_ text: String, _ context: ReadingContext) -> Section? {
        do {
            guard let node = try Yams.compose(yaml: text) else {
                context.problems.error(.wholeFile, "is empty; start from gatehouse.example.yaml")
                return nil
            }
            return Section(node, path: "", place: Place(line: 1, column: 1), context)
        } catch let error as YamlError {
            let (place, message) = describe(error)
            context.problems.error(place, message)
        } catch {
            context.problems.error(.wholeFile, "is not YAML")
        }
        return nil
    }

    /// The parser stops at its first error, so this one is reported alone.
    private static func describe(_ error: YamlError) -> (Place, String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let what = context.map { "\($0.text.trimmingCharacters(in: .whitespaces)): \(problem)" } ?? problem
            return (Place(line: mark.line, column: mark.column), "this is not YAML: \(what); check the indentation and quotes here")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = choices(keys.map { "`\($0)`" })
            return (Place(line: context.mark.line, column: context.mark.column), "\(names) is given twice; keep one")
        case .reader(let problem, _, _, _):
            return (.wholeFile, "is not text that YAML allows: \(problem)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return (.wholeFile, "is not YAML")
        }
    }
}

extension SettingsError {
    init(_ file: String, _ message: String) {
        self.init(problems: [Problem(severity: .error, file: file, line: 0, column: 0, message: message)])
    }
}

/// Reads the sections of a file. Each part returns what it could read and reports the rest, so that one run finds all.
struct SettingsReader {
    let context: ReadingContext
    var problems: ProblemList { context.problems }

    init(_ context: ReadingContext) {
        self.context = context
    }

    func read(_ root: Section) -> GatehouseSettings? {
        let node = root.required("node", like: "gatehouse-1").flatMap { checkedName($0, "node") }
        let dataDirectory = root.has("data_directory") ? root.path("data_directory")?.path : nil
        if !root.has("data_directory") { _ = root.required("data_directory", like: "/var/lib/gatehouse") }
        let log = readLog(root)
        let recording = readRecording(root)
        let store = readStore(root)
        let retention = readRetention(root)
        let admin = readAdmin(root)
        let issuers = readIssuers(root)
        let listeners = readListeners(root)
        let targets = readTargets(root)
        let policy = readPolicy(root, targets)
        checkOriginals()
        let limits = readLimits(root)
        let events = readEvents(root)
        let webhooks = readWebhooks(root)
        let maskKey = readMaskKey(root)
        root.finish()
        checkAddresses(listeners, admin)

        guard let node, let dataDirectory, let admin else { return nil }
        return GatehouseSettings(
            node: node, dataDirectory: dataDirectory, log: log, recording: recording, store: store, retention: retention,
            admin: admin, issuers: issuers.map(\.value),
            listeners: listeners.map(\.value), targets: targets.map(\.target), policy: policy, limits: limits, events: events,
            webhooks: webhooks, maskKey: maskKey)
    }

    /// Names travel in login names, file names and evidence, so they are kept plain.
    func checkedName(_ scalar: Scalar, _ name: String) -> String? {
        let text = scalar.text
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            }
        }
        guard isPlain, text.utf8.count <= 128, !text.hasPrefix("."), !text.hasPrefix("-") else {
            problems.error(
                scalar.place,
                "`\(name)`: `\(scalar.written)` is not a name: use letters, digits, `-`, `_` and `.`, at most 128, a letter or digit first")
            return nil
        }
        return text
    }

    /// Reports the second and later uses of a name.
    func checkUnique(_ names: [(name: String, place: Place)], _ what: String) {
        var seen: [String: Place] = [:]
        for (name, place) in names {
            if let first = seen[name] {
                problems.error(place, "\(what) `\(name)` is already defined in line \(first.line); names are unique")
            } else {
                seen[name] = place
            }
        }
    }
}

/// A value and where it was read.
struct Placed<Value> {
    var value: Value
    var place: Place
}
