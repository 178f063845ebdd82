import GatehouseCore

/// What is known about one action, in the form that rules ask for it. What only table rules need is found when the first
/// of them asks.
struct Facts {
    let action: Action
    private let resolver: any NameResolver
    private var resolved: [Object]?

    /// One of the action's objects.
    struct Object {
        let reference: ObjectReference
        /// What it reaches; nil where that cannot be known.
        let reached: Set<Relation>?
    }

    init(_ action: Action, _ resolver: any NameResolver) {
        self.action = action
        self.resolver = resolver
        storesCode = action.kinds.contains(where: storesCodeBy)
        creates = action.kinds.contains { $0.hasPrefix("create.") }
        isWholesale = action.kinds.contains { wholesaleKinds.contains($0) || (action.objects.isEmpty && wideKinds.contains($0)) }
        setsQuietly =
            !action.settings.isEmpty
            && !action.kinds.contains { kind in settingKinds.contains { kind.hasPrefix($0) } }
    }

    var isUnparsed: Bool { action.flags.contains(.unparsed) }
    /// Runs something that was not seen.
    var isOpaque: Bool { action.flags.contains(.opaque) }

    /// Stores code that was not looked at, to be run later by its name: to a rule that denies by content, as opaque as
    /// running it now.
    let storesCode: Bool
    /// Makes something new, whose name need not reach anything yet.
    let creates: Bool

    /// Acts on tables that it does not name: whole schemas, all that somebody owns, ALL TABLES IN SCHEMA.
    let isWholesale: Bool

    /// A setting is changed by other means than a statement whose kind says so (`set_config`, UPDATE pg_settings). The
    /// action then counts as a `set` besides.
    let setsQuietly: Bool

    /// Only puts settings back to what the session, checked when it began, started with.
    var onlyResets: Bool {
        action.settings.allSatisfy { $0.value == nil } && action.kinds.allSatisfy { $0.hasPrefix("reset") || $0.hasPrefix("discard") }
    }

    /// The action's objects, each with what it reaches.
    mutating func objects() -> [Object] {
        if let resolved { return resolved }
        let objects = action.objects.map { Object(reference: $0, reached: resolver.relations(reachedBy: $0.name)) }
        resolved = objects
        return objects
    }
}

private let settingKinds = [
    "set", "reset", "discard", "alter.role", "alter.user", "alter.database", "alter.system", "create.function", "create.procedure",
    "alter.function", "alter.procedure", "alter.routine",
]
/// What keeps code, or another name for a function, to be run later by a statement that does not show it.
private let storingKinds: Set<String> = [
    "create.function", "create.procedure", "create.rule", "create.operator", "create.aggregate", "create.cast", "create.transform",
    "create.conversion", "create.operator_class", "create.access_method", "alter.function.rename", "alter.procedure.rename",
    "alter.routine.rename", "alter.aggregate.rename",
]

private func storesCodeBy(_ kind: String) -> Bool {
    // Most kinds are told apart by their first letter.
    guard let first = kind.utf8.first, first == UInt8(ascii: "c") || first == UInt8(ascii: "a") else { return false }
    if storingKinds.contains(kind) { return true }
    return kind.lastIndex(of: ".").map { storingKinds.contains(String(kind[..<$0])) } ?? false
}

private let wholesaleKinds: Set<String> = ["drop.schema", "drop.owned", "drop.database", "drop.extension"]
/// Wholesale when they name no table.
private let wideKinds: Set<String> = ["grant", "revoke", "create.publication", "alter.publication"]
