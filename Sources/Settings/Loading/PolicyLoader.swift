public import Foundation
public import GatehouseCore
public import Policy

/// What a configuration says of who may do what where, read without the secrets that it names.
public struct PolicyFile: Sendable, Hashable {
    public let targets: [Target]
    public let policy: PolicyDocument

    /// Reads targets, access, rules, sets and masks of a configuration, and nothing else. No file that it names is looked at.
    ///
    /// - Throws: Every error in these sections.
    public static func load(
        file: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> PolicyFile {
        let problems = ProblemList(file: file)
        let context = ReadingContext(
            problems: problems, environment: environment, directory: GatehouseSettings.directory(of: file), readsFiles: false)
        guard let root = GatehouseSettings.root(try GatehouseSettings.text(of: file), context) else {
            throw SettingsError(problems: problems.sorted(.error))
        }
        let reader = SettingsReader(context)
        let targets = reader.readTargets(root)
        let policy = reader.readPolicy(root, targets)
        let errors = problems.sorted(.error)
        guard errors.isEmpty else { throw SettingsError(problems: errors) }
        return PolicyFile(targets: targets.map(\.target), policy: policy)
    }
}

/// One expectation of a policy: who sends what where, and what should become of it.
public struct PolicyCase: Sendable, Hashable {
    public enum Expectation: String, Sendable, Hashable, CaseIterable {
        case allow, hold, deny
        /// The session itself is not opened.
        case refused
    }

    /// nil: the statement says enough.
    public var name: String?
    public var user: String
    public var groups: [String]
    /// `iss` of the token; empty where the policy names none.
    public var issuer: String
    public var claims: [String: String]
    public var target: String
    /// nil: the target's first.
    public var role: String?
    public var statement: String
    /// As though the server had said so; nil: no estimate.
    public var estimatedRows: Int?
    /// When; nil: now.
    public var time: WallTime?
    public var expect: Expectation
    /// The id of the rule that must decide; nil: any.
    public var rule: String?
    /// Where the case stands in its file.
    public var line: Int

    /// Reads a file of cases (docs/policy.md).
    ///
    /// - Throws: Every error in it.
    public static func load(file: String) throws(SettingsError) -> [PolicyCase] {
        try load(try GatehouseSettings.text(of: file), file: file)
    }

    public static func load(_ text: String, file: String) throws(SettingsError) -> [PolicyCase] {
        let problems = ProblemList(file: file)
        let context = ReadingContext(problems: problems, environment: [:], directory: "/", readsFiles: false)
        var cases: [PolicyCase] = []
        if let root = GatehouseSettings.root(text, context) {
            let defaults = root.section("defaults").map { CaseParts($0, SettingsReader(context)) }
            let sections = root.sections("cases")
            if sections.isEmpty { problems.error(root.place(of: "cases"), "`cases` is missing or empty; add a list of them") }
            cases = sections.compactMap { PolicyCase($0, defaults, SettingsReader(context)) }
            root.finish()
        }
        let errors = problems.sorted(.error)
        guard errors.isEmpty else { throw SettingsError(problems: errors) }
        return cases
    }

    private init?(_ section: Section, _ defaults: CaseParts?, _ reader: SettingsReader) {
        let name = section.scalar("name")?.text
        let statement = section.required("statement", like: "DROP TABLE customers")?.text
        if !section.has("expect") { _ = section.required("expect", like: "deny") }
        let expect: Expectation? = section.choice("expect")
        let rule = section.scalar("rule")?.text
        let rows = section.integer("estimated_rows", within: 0...Int.max)
        let time = section.value("at", parseInstant)
        let own = CaseParts(section, reader)
        let user = own.user ?? defaults?.user
        let target = own.target ?? defaults?.target
        if user == nil, !section.has("user") { _ = section.required("user", like: "alice") }
        if target == nil, !section.has("target") { _ = section.required("target", like: "orders") }
        guard let user, let target, let statement, let expect else { return nil }
        self.init(
            name: name, user: user, groups: own.groups ?? defaults?.groups ?? [], issuer: own.issuer ?? defaults?.issuer ?? "",
            claims: own.claims ?? defaults?.claims ?? [:], target: target, role: own.role ?? defaults?.role, statement: statement,
            estimatedRows: rows, time: time, expect: expect, rule: rule, line: section.place.line)
    }

    public init(
        name: String? = nil, user: String, groups: [String], issuer: String = "", claims: [String: String] = [:], target: String,
        role: String? = nil, statement: String, estimatedRows: Int? = nil, time: WallTime? = nil, expect: Expectation,
        rule: String? = nil, line: Int = 0
    ) {
        self.name = name
        self.user = user
        self.groups = groups
        self.issuer = issuer
        self.claims = claims
        self.target = target
        self.role = role
        self.statement = statement
        self.estimatedRows = estimatedRows
        self.time = time
        self.expect = expect
        self.rule = rule
        self.line = line
    }
}

/// Who and where, which `defaults` may say for all cases.
private struct CaseParts {
    let user: String?
    let groups: [String]?
    let issuer: String?
    let claims: [String: String]?
    let target: String?
    let role: String?

    init(_ section: Section, _ reader: SettingsReader) {
        user = section.scalar("user")?.text
        groups = section.list("groups")?.map(\.text)
        issuer = section.scalar("issuer")?.text
        claims = section.section("claims").map { part in
            part.keys.reduce(into: [:]) { $0[$1] = part.scalar($1)?.text }
        }
        target = section.scalar("target")?.text
        role = section.scalar("role")?.text
        section.finish()
    }
}
