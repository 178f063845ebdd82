import GatehouseCore
import Policy

/// A small catalog: `public.customers` under the view `public.customer_names`, `audit.log`, `app.orders` with two partitions.
/// Unqualified names mean `public`, then `app`.
struct Shop: NameResolver {
    private static let reach: [Relation: Set<Relation>] = [
        Relation(schema: "public", name: "customers"): [Relation(schema: "public", name: "customers")],
        Relation(schema: "public", name: "customer_names"): [
            Relation(schema: "public", name: "customer_names"), Relation(schema: "public", name: "customers"),
        ],
        Relation(schema: "audit", name: "log"): [Relation(schema: "audit", name: "log")],
        Relation(schema: "app", name: "orders"): [
            Relation(schema: "app", name: "orders"), Relation(schema: "app", name: "orders_2025"),
            Relation(schema: "app", name: "orders_2026"),
        ],
        Relation(schema: "app", name: "orders_2026"): [
            Relation(schema: "app", name: "orders"), Relation(schema: "app", name: "orders_2026"),
        ],
        Relation(schema: "app", name: "Mixed"): [Relation(schema: "app", name: "Mixed")],
    ]

    func relations(reachedBy name: QualifiedName) -> Set<Relation>? {
        let schemas = name.schema.map { [$0] } ?? ["public", "app"]
        for schema in schemas {
            if let found = Self.reach[Relation(schema: schema, name: name.name)] { return found }
        }
        return []
    }
}

/// A catalog that could not be read.
struct Unreadable: NameResolver {
    func relations(reachedBy name: QualifiedName) -> Set<Relation>? { nil }
}

func principal(
    _ user: String = "alice", groups: [String] = ["agents"], issuer: String = "https://login.example.com", workload: [String: String] = [:]
) -> Principal {
    Principal(
        issuer: issuer, subject: "sub-\(user)", user: user, groups: groups, workload: workload, credential: .token(id: nil),
        expires: WallTime(seconds: 2_000))
}

let now = WallTime(seconds: 1_000)

func target(_ name: String = "orders", labels: [String: String] = ["env": "production"], roles: [String] = ["reader", "writer"]) -> Target {
    Target(
        name: name, protocolName: .postgres, host: "db", port: 5432, database: "orders", labels: labels,
        roles: roles.map { Target.Role(name: $0, user: $0, password: nil) })
}

let everybody = AccessRule(who: Who(), where: Where(), roles: ["*"])

func engine(_ rules: [Rule], masks: [MaskRule] = [], default decision: Rule.Effect = .deny) -> PolicyEngine {
    PolicyEngine(PolicyDocument(access: [everybody], rules: rules, masks: masks, defaultDecisions: ["orders": decision]))
}

func judge(
    _ action: Action, by rules: [Rule], masks: [MaskRule] = [], default decision: Rule.Effect = .deny, as caller: Principal = principal(),
    resolver: any NameResolver = Shop(), at time: WallTime = now
) throws -> Verdict {
    let engine = engine(rules, masks: masks, default: decision)
    let permit = try engine.admit(caller, to: target(), role: nil, at: now).get()
    return engine.judge(action, under: permit, resolver: resolver, at: time)
}

func deny(_ what: What, id: String = "no", priority: Int = 50, who: Who = Who(), where place: Where = Where()) -> Rule {
    Rule(id: id, priority: priority, who: who, where: place, what: what, effect: .deny, reason: "because", hint: "ask")
}

func allow(_ what: What = What(), id: String = "yes", priority: Int = 50, who: Who = Who(), where place: Where = Where()) -> Rule {
    Rule(id: id, priority: priority, who: who, where: place, what: what, effect: .allow)
}

func names(_ patterns: String...) throws -> [NamePattern] {
    try patterns.map { try NamePattern($0) }
}

/// An action on the tables named, `schema.name` or `name`.
func action(
    _ kinds: String..., reading: [String] = [], writing: [String] = [], defining: [String] = [], calling: [String] = [],
    flags: Action.Flags = [], settings: [SettingChange] = []
) -> Action {
    func name(_ text: String) -> QualifiedName {
        let parts = text.split(separator: ".")
        return parts.count == 2 ? QualifiedName(schema: String(parts[0]), name: String(parts[1])) : QualifiedName(name: text)
    }
    return Action(
        kinds: Set(kinds),
        objects: reading.map { ObjectReference(name: name($0), access: .read) }
            + writing.map { ObjectReference(name: name($0), access: .write) }
            + defining.map { ObjectReference(name: name($0), access: .define) },
        functions: calling.map(name), flags: flags, settings: settings)
}

func setting(_ name: String?, _ value: String?) -> SettingChange {
    SettingChange(name: name, value: value, isLocal: false)
}
