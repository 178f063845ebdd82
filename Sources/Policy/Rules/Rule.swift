public import GatehouseCore

/// One rule of the policy: who, where, what, and what then.
public struct Rule: Sendable, Hashable, Codable {
    public enum Effect: String, Sendable, Hashable, Codable, CaseIterable {
        case allow, hold, deny
    }

    /// Unique; what a denied client and the evidence are told.
    public var id: String
    /// Lower goes first; rules of the same priority go in the file's order.
    public var priority: Int
    public var who: Who
    public var place: Where
    public var what: What
    /// nil: always.
    public var when: When?
    /// What must hold besides, for a rule of a set: the place where the set is used says so. nil outside of sets.
    public var scope: RuleScope?
    public var effect: Effect
    /// How what a hold stops may yet run; nil for the other effects.
    public var hold: HoldTerms?
    /// Why, for the person or agent that is denied.
    public var reason: String
    /// What is allowed instead, or whom to ask.
    public var hint: String
    /// The line of the configuration, for messages. Not part of the policy's version.
    public var sourceLine: Int?

    public static let defaultPriority = 100

    public init(
        id: String, priority: Int = Rule.defaultPriority, who: Who = Who(), where place: Where = Where(), what: What = What(),
        when: When? = nil, scope: RuleScope? = nil, effect: Effect, hold: HoldTerms? = nil, reason: String = "", hint: String = "",
        sourceLine: Int? = nil
    ) {
        self.id = id
        self.priority = priority
        self.who = who
        self.place = place
        self.what = what
        self.when = when
        self.scope = scope
        self.effect = effect
        self.hold = hold
        self.reason = reason
        self.hint = hint
        self.sourceLine = sourceLine
    }

    private enum CodingKeys: String, CodingKey {
        case id, priority, who, what, when, scope, effect, hold, reason, hint
        case place = "where"
    }
}

/// Whom, where and when a set of rules is used for.
public struct RuleScope: Sendable, Hashable, Codable {
    public var who: Who
    public var place: Where
    public var when: When?

    public init(who: Who = Who(), where place: Where = Where(), when: When? = nil) {
        self.who = who
        self.place = place
        self.when = when
    }

    private enum CodingKeys: String, CodingKey {
        case who, when
        case place = "where"
    }
}

/// Whom a rule is about. All that is named must hold; a list holds when one of it does; nothing named is anybody.
public struct Who: Sendable, Hashable, Codable {
    public var groups: [Glob]
    public var users: [Glob]
    /// `iss` of the caller's token, since two issuers may use the same group and user names.
    public var issuers: [Glob]
    /// Workload claims by name; a claim that the caller does not have never holds.
    public var claims: [String: [Glob]]

    public init(groups: [Glob] = [], users: [Glob] = [], issuers: [Glob] = [], claims: [String: [Glob]] = [:]) {
        self.groups = groups
        self.users = users
        self.issuers = issuers
        self.claims = claims
    }

    public func matches(_ principal: Principal) -> Bool {
        guard groups.isEmpty || matchingGroup(of: principal) != nil else { return false }
        guard users.isEmpty || users.contains(where: { $0.matches(principal.user) }) else { return false }
        guard issuers.isEmpty || issuers.contains(where: { $0.matches(principal.issuer) }) else { return false }
        return claims.allSatisfy { name, patterns in
            guard let value = principal.workload[name] else { return false }
            return patterns.contains { $0.matches(value) }
        }
    }

    /// The first of the caller's groups that is named here.
    func matchingGroup(of principal: Principal) -> String? {
        principal.groups.first { group in groups.contains { $0.matches(group) } }
    }
}

/// Which targets a rule is about. All that is named must hold; a list holds when one of it does; nothing named is everywhere.
public struct Where: Sendable, Hashable, Codable {
    public var targets: [Glob]
    /// Labels by name; a label that the target does not have never holds.
    public var labels: [String: Glob]

    public init(targets: [Glob] = [], labels: [String: Glob] = [:]) {
        self.targets = targets
        self.labels = labels
    }

    public func matches(_ target: Target) -> Bool {
        guard targets.isEmpty || targets.contains(where: { $0.matches(target.name) }) else { return false }
        return labels.allSatisfy { name, pattern in target.labels[name].map(pattern.matches) ?? false }
    }
}

/// Which actions a rule is about. All that is named must hold; nothing named is every action.
///
/// For a rule that denies, a list holds when one fact of the action is on it. For a rule that allows, a list holds when
/// every fact of the action is on it, so that an allowed statement does nothing that was not named.
public struct What: Sendable, Hashable, Codable {
    public var kinds: [KindPattern]
    public var tables: [NamePattern]
    public var functions: [NamePattern]
    /// Names of server settings that are changed.
    public var settings: [Glob]
    /// true: the fact must be there; false: it must not; nil: it does not matter.
    public var missingWhere: Bool?
    public var opaque: Bool?
    public var unparsed: Bool?
    public var copyProgram: Bool?
    public var copyFile: Bool?
    /// A function is called that is not one of the server's own harmless ones.
    public var unknownFunction: Bool?
    /// The text holds more than one statement.
    public var multiStatement: Bool?
    /// A stored procedure is called.
    public var callsProcedure: Bool?
    /// Rows that are read go into another table or a file of the server.
    public var movesData: Bool?
    /// A query whose result may be a table's whole content.
    public var unboundedRead: Bool?
    /// Values of a column that is masked for the caller are put where they are not masked. Such an action is denied unless the
    /// rule that decides says `true` here.
    public var copiesMaskedData: Bool?
    /// A column that is masked for the caller chooses rows or their order, or may be told by an error.
    public var probesMaskedData: Bool?
    /// How many rows the server expects the statement to work on.
    public var estimatedRows: RowCondition?

    public init(
        kinds: [KindPattern] = [], tables: [NamePattern] = [], functions: [NamePattern] = [], settings: [Glob] = [],
        missingWhere: Bool? = nil, opaque: Bool? = nil, unparsed: Bool? = nil, copyProgram: Bool? = nil, copyFile: Bool? = nil,
        unknownFunction: Bool? = nil, multiStatement: Bool? = nil, callsProcedure: Bool? = nil, movesData: Bool? = nil,
        unboundedRead: Bool? = nil, copiesMaskedData: Bool? = nil, probesMaskedData: Bool? = nil, estimatedRows: RowCondition? = nil
    ) {
        self.kinds = kinds
        self.tables = tables
        self.functions = functions
        self.settings = settings
        self.missingWhere = missingWhere
        self.opaque = opaque
        self.unparsed = unparsed
        self.copyProgram = copyProgram
        self.copyFile = copyFile
        self.unknownFunction = unknownFunction
        self.multiStatement = multiStatement
        self.callsProcedure = callsProcedure
        self.movesData = movesData
        self.unboundedRead = unboundedRead
        self.copiesMaskedData = copiesMaskedData
        self.probesMaskedData = probesMaskedData
        self.estimatedRows = estimatedRows
    }

    /// Whether the rule is about every action, whatever it does.
    public var isEverything: Bool { self == What() }
}

/// Who may open a session, where, and as what. Nothing else may.
public struct AccessRule: Sendable, Hashable, Codable {
    public var who: Who
    public var place: Where
    /// Names of the target's roles.
    public var roles: [Glob]
    /// The line of the configuration, for messages and evidence. Not part of the policy's version.
    public var sourceLine: Int?

    public init(who: Who, where place: Where, roles: [Glob], sourceLine: Int? = nil) {
        self.who = who
        self.place = place
        self.roles = roles
        self.sourceLine = sourceLine
    }

    private enum CodingKeys: String, CodingKey {
        case who, roles
        case place = "where"
    }
}

/// Columns whose values are not shown, and to whom they are all the same.
public struct MaskRule: Sendable, Hashable, Codable {
    public enum Strategy: String, Sendable, Hashable, Codable, CaseIterable {
        /// A fixed text in place of the value.
        case redact
        /// The end of the value stays.
        case partial
        /// A keyed hash: equal values stay equal.
        case hash
        /// NULL.
        case null
        /// A keyed pseudonym of the value's own shape.
        case token
        /// Dates move by a number of days that the key decides.
        case dateShift = "date_shift"
        /// Numbers become the nearest multiple.
        case round
    }

    /// What becomes of what a mask replaces.
    public enum KeepOriginal: String, Sendable, Hashable, Codable, CaseIterable {
        /// It is gone.
        case none
        /// It is in the recording, sealed to the break-glass recipients.
        case sealed
    }

    /// Who must not see what a mask hides.
    public enum View: String, Sendable, Hashable, Codable, CaseIterable {
        /// The client; the recording holds clear values.
        case client
        /// Whoever reads the recording, and approvers; the client sees clear values.
        case recording
        case both
    }

    /// What becomes of a result whose column a mask would have to withhold.
    public enum Otherwise: String, Sendable, Hashable, Codable, CaseIterable {
        /// Its values are NULL.
        case null
        /// The statement is denied before it runs.
        case error
    }

    /// What a strategy is told; nil is what it does without. Each belongs to one strategy, or a few: the loader checks that.
    public struct Options: Sendable, Hashable, Codable {
        /// Of partial: characters that stay at the beginning and at the end.
        public var keepFirst: Int?
        public var keepLast: Int?
        /// Of partial: what stands for the hidden ones.
        public var character: String?
        /// Of partial: what stands behind the last `@` stays.
        public var keepDomain: Bool?
        /// Of token and date_shift: columns with the same domain have the same keys.
        public var domain: String?
        /// Of date_shift: the most days.
        public var days: Int?
        /// Of round: a decimal.
        public var step: String?

        public init(
            keepFirst: Int? = nil, keepLast: Int? = nil, character: String? = nil, keepDomain: Bool? = nil, domain: String? = nil,
            days: Int? = nil, step: String? = nil
        ) {
            self.keepFirst = keepFirst
            self.keepLast = keepLast
            self.character = character
            self.keepDomain = keepDomain
            self.domain = domain
            self.days = days
            self.step = step
        }
    }

    public var id: String
    public var columns: [ColumnPattern]
    public var strategy: Strategy
    /// nil where nothing is said, so that policies without options keep their version.
    public var options: Options?
    /// nil where nothing is said: nothing is kept.
    public var keepOriginal: KeepOriginal?
    /// nil where nothing is said: both.
    public var appliesTo: View?
    /// nil where nothing is said: NULL.
    public var otherwise: Otherwise?
    /// Who may let a session see clear values for a time, and on which terms; nil: nobody.
    public var unmask: HoldTerms?
    /// Who sees clear values; nil: nobody.
    public var except: Who?
    public var place: Where
    /// The line of the configuration, for messages. Not part of the policy's version.
    public var sourceLine: Int?

    public init(
        id: String, columns: [ColumnPattern], strategy: Strategy, options: Options? = nil, keepOriginal: KeepOriginal? = nil,
        appliesTo: View? = nil, otherwise: Otherwise? = nil, except: Who? = nil, unmask: HoldTerms? = nil, where place: Where = Where(),
        sourceLine: Int? = nil
    ) {
        self.id = id
        self.columns = columns
        self.strategy = strategy
        self.options = options
        self.keepOriginal = keepOriginal
        self.appliesTo = appliesTo
        self.otherwise = otherwise
        self.unmask = unmask
        self.except = except
        self.place = place
        self.sourceLine = sourceLine
    }

    private enum CodingKeys: String, CodingKey {
        case id, columns, strategy, options, keepOriginal, appliesTo, otherwise, except, unmask
        case place = "where"
    }

    public var keepsOriginal: Bool { keepOriginal == .sealed }
    public var view: View { appliesTo ?? .both }

    func applies(to principal: Principal, at target: Target) -> Bool {
        place.matches(target) && !(except?.matches(principal) ?? false)
    }
}
