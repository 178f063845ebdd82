internal import GatehouseCore

/// What has been learnt of one statement so far.
struct Facts {
    /// Whether what is walked runs, is only planned (EXPLAIN), or is only kept for later (a view, a rule, a default).
    enum Effect {
        case runs
        case explained
        case defined
    }

    private(set) var kinds: Set<String> = []
    private(set) var objects: [ObjectReference] = []
    private(set) var functions: [QualifiedName] = []
    var columns: Set<String> = []
    var flags: Action.Flags = []
    var settings: [SettingChange] = []
    var defines: String?
    var runs: String?
    var copy: CopyFacts?
    var effect = Effect.runs
    /// The value of a literal was looked at: another literal in its place might give other facts.
    var readLiteral = false
    /// Names that could stand for a whole row, and unqualified names used as columns: what is in both is a whole row.
    var rowNames: Set<String> = ["excluded", "old", "new"]
    var bareNames: Set<String> = []

    private var seenObjects: Set<ObjectReference> = []
    private var seenFunctions: Set<QualifiedName> = []

    mutating func add(kind: String) {
        switch effect {
        case .runs: kinds.insert(kind)
        case .explained: kinds.insert("explain." + kind)
        case .defined: break
        }
    }

    mutating func add(object name: QualifiedName, _ access: ObjectReference.Access) {
        let reference = ObjectReference(name: name, access: effect == .runs ? access : .read)
        if seenObjects.insert(reference).inserted { objects.append(reference) }
    }

    mutating func add(function name: QualifiedName) {
        if seenFunctions.insert(name).inserted { functions.append(name) }
    }

    func action(normalized: String) -> Action {
        var flags = flags
        if !bareNames.isDisjoint(with: rowNames) { flags.insert(.wholeRow) }
        return Action(
            kinds: kinds, objects: objects, functions: functions, columns: columns, flags: flags, settings: settings,
            normalized: normalized, defines: defines, runs: runs, copy: copy)
    }
}
