internal import GatehouseCore

/// Walks one statement's tree and collects its facts.
///
/// Every node is visited: what has no meaning of its own here is walked through, so a name cannot hide in an unusual place.
/// The recursion is bounded by `NestingGuard`, which refuses a text before it is parsed.
struct Walker {
    var facts = Facts()
    /// Common table expressions in scope, with how many scopes of that name are open.
    var commonTables: [String: Int] = [:]
    /// Inside a query, where a type's name means a conversion that runs.
    var queryDepth = 0
    /// What column `name` holds in every row of the query at hand, when that is `pg_settings` filtered by one name.
    var settingsName: String?
    /// The rows of the outermost query go to the client.
    var sendsRows = true

    mutating func visitChildren(_ node: Message, except skipped: Int...) throws {
        try visitChildren(node, skipping: skipped)
    }

    private mutating func visitChildren(_ node: Message, skipping skipped: [Int]) throws {
        let listsColumns = node.info.fields
        try node.children { number, child in
            guard !skipped.contains(number) else { return }
            if child.kind == .string {
                if listsColumns[number].listsColumns, let name = try child.text(Fields.Common.string) { facts.columns.insert(name) }
            } else {
                try visit(child)
            }
        }
    }

    mutating func visit(_ nodes: [Message]) throws {
        for node in nodes { try visit(node) }
    }

    mutating func visit(_ node: Message) throws {
        switch node.kind {
        case .select: try select(node, isOutermost: false)
        case .insert: try insert(node, isOutermost: false)
        case .update: try update(node, isOutermost: false)
        case .delete: try delete(node, isOutermost: false)
        case .merge: try merge(node, isOutermost: false)
        case .rangeVar: try relation(node, .read, mayBeCommonTable: true)
        case .alias: try alias(node, namesRow: true)
        case .joinExpression: try join(node)
        case .rangeFunction: try rangeFunction(node)
        case .rangeTableSample: try sample(node)
        case .lockingClause: facts.add(kind: "select.lock")  // Its names are aliases of the FROM list, not relations.
        case .functionCall: try call(node)
        case .columnRef: try column(node, isPlainItem: false)
        case .star: facts.flags.insert(.innerStar)
        case .indirection: try indirection(node)
        case .operatorExpression: try operation(node, Fields.Expression.name)
        case .subLink: try subLink(node)
        case .sortBy: try operation(node, Fields.Expression.sortOperator)
        case .typeName: try typeName(node)
        case .jsonFunction: try jsonFunction(node)
        case .onConflict: try onConflict(node)
        case .columnDefinition: try named(node, Fields.Statement.columnName)
        case .indexElement: try named(node, Fields.Statement.indexColumn)
        case .alterTableCommand: try alterTableCommand(node)
        case .statisticsElement: try named(node, Fields.Statement.statisticsColumn)
        case .partitionElement: try named(node, Fields.Statement.partitionColumn)
        case .setVariable: try setting(node)
        case .objectWithArguments, .roleSpec: break  // Names a routine or role; nothing is called or read.
        default:
            if node.info.isStatement { try statement(node) } else { try visitChildren(node) }
        }
    }

    /// A node whose own name is a column's.
    private mutating func named(_ node: Message, _ field: Int) throws {
        if let name = try node.text(field) { facts.columns.insert(name) }
        try visitChildren(node)
    }

    private mutating func alterTableCommand(_ node: Message) throws {
        // `name` is a column for most commands, and a constraint, trigger or owner for the others: one name too many is harmless.
        if let name = try node.text(Fields.Statement.commandName) { facts.columns.insert(name) }
        try visitChildren(node)
    }

    // MARK: Relations

    func strings(_ nodes: [Message]) throws -> [String] {
        var names: [String] = []
        for node in nodes where node.kind == .string { names.append(try node.text(Fields.Common.string) ?? "") }
        return names
    }

    /// The last two parts of a dotted name; a catalog in front says nothing, since only the current one can be named.
    func qualified(_ parts: [String]) -> QualifiedName? {
        guard let name = parts.last else { return nil }
        return QualifiedName(schema: parts.dropLast().last, name: name)
    }

    mutating func relation(_ node: Message, _ access: ObjectReference.Access, mayBeCommonTable: Bool) throws {
        let name = try node.text(Fields.RangeVar.name) ?? ""
        let schema = try node.text(Fields.RangeVar.schema)
        if !(mayBeCommonTable && schema == nil && commonTables[name, default: 0] > 0) {
            facts.add(object: QualifiedName(schema: schema, name: name), access)
        }
        if let alias = try node.message(Fields.RangeVar.alias) {
            try self.alias(alias, namesRow: true)
            // `customers AS c(a, b)` renames columns by position: any of them may be meant.
            if try alias.has(Fields.Common.aliasColumns) { facts.flags.insert(.innerStar) }
        } else {
            facts.rowNames.insert(name)
        }
    }

    mutating func alias(_ node: Message, namesRow: Bool) throws {
        if namesRow, let name = try node.text(Fields.Common.aliasName) { facts.rowNames.insert(name) }
        facts.columns.formUnion(try strings(try node.messages(Fields.Common.aliasColumns)))
    }

    private mutating func join(_ node: Message) throws {
        facts.columns.formUnion(try strings(try node.messages(Fields.Range.using)))
        if try node.flag(Fields.Range.isNatural) { facts.flags.insert(.innerStar) }
        if let alias = try node.message(Fields.Range.joinAlias), try alias.has(Fields.Common.aliasColumns) {
            facts.flags.insert(.innerStar)
        }
        try visitChildren(node, except: Fields.Range.using)
    }

    /// A function in FROM. Its alias stands for a row of its result, which holds a table's row only if its arguments did,
    /// or if the function is unknown.
    private mutating func rangeFunction(_ node: Message) throws {
        var isKnown = true
        for function in try node.messages(Fields.Range.functions) {
            for call in function.kind == .list ? try function.messages(Fields.Common.items) : [function] {
                guard call.kind == .functionCall, let name = qualified(try strings(try call.messages(Fields.Call.name))) else { continue }
                if !isBuiltin(name) {
                    isKnown = false
                    facts.rowNames.insert(name.name)
                }
            }
        }
        if let alias = try node.message(Fields.Range.functionAlias) { try self.alias(alias, namesRow: !isKnown) }
        try visitChildren(node, except: Fields.Range.functionAlias)
    }

    private mutating func sample(_ node: Message) throws {
        let parts = try strings(try node.messages(Fields.Range.sampleMethod))
        if let method = qualified(parts), method.schema != nil || !["system", "bernoulli"].contains(method.name) {
            facts.add(function: method)
            facts.flags.insert(.callsUnknownFunction)
        }
        try visitChildren(node, except: Fields.Range.sampleMethod)
    }
}
