/// What a column reference stands for (PostgreSQL's `transformColumnRef`).
extension LineageTracer {
    func strings(_ nodes: [Message]) throws -> [String] {
        var names: [String] = []
        for node in nodes where node.kind == .string { names.append(try node.text(Fields.Common.string) ?? "") }
        return names
    }

    mutating func column(_ node: Message, _ place: Place) throws -> LineageFlow {
        let fields = try node.messages(Fields.Common.columnFields)
        let names = try strings(fields)
        if fields.last?.kind == .star {
            // `ROW(t.*)`, `count(t.*)`: the whole row.
            guard names.count == fields.count - 1, !names.isEmpty else { return wholeLevel(place.scope) }
            return wholeRow(names, place.scope) ?? .unknown("\(names.joined(separator: ".")) is not known")
        }
        guard names.count == fields.count, let last = names.last else { return .unknown("a name is not understood") }
        if names.count == 1 { return unqualified(last, place.scope) }
        return qualified(Array(names.dropLast()), last, place.scope)
    }

    private mutating func see(_ item: LineageItem) {
        sight.items.insert(item.id)
        if !item.isRelation { sight.seesMadeRows = true }
    }

    /// The column of an item, and what else it may be; nil where the item has none of the name.
    private mutating func find(_ name: String, in item: LineageItem) -> (certain: LineageFlow?, possible: LineageFlow?) {
        var certain: LineageFlow?
        var possible = item.shape.open
        for column in item.shape.columns {
            if column.name == name {
                if certain == nil { certain = column.flow } else { certain?.add(column.flow) }
            } else if column.name == nil {
                if possible == nil { possible = column.flow } else { possible?.add(column.flow) }
            }
        }
        if certain != nil || possible != nil { see(item) }
        possible?.isPure = false
        return (certain, possible)
    }

    private mutating func unqualified(_ name: String, _ scope: LineageScope?) -> LineageFlow {
        var extra: LineageFlow?
        func with(_ flow: LineageFlow) -> LineageFlow {
            guard let extra else { return flow }
            var flow = flow
            flow.add(extra)
            return flow
        }
        var level = scope
        while let here = level {
            var found: LineageFlow?
            for item in here.items {
                let (certain, possible) = find(name, in: item)
                if let certain { if found == nil { found = certain } else { found?.add(certain) } }
                if let possible { if extra == nil { extra = possible } else { extra?.add(possible) } }
            }
            if let found { return with(found) }
            if LineageScope.systemColumns.contains(name), here.items.contains(where: \.isRelation) { return with(LineageFlow()) }
            level = here.parent
        }
        if let row = wholeRow([name], scope) { return with(row) }
        return extra ?? .unknown("\(name) is not known")
    }

    private mutating func qualified(_ qualifier: [String], _ name: String, _ scope: LineageScope?) -> LineageFlow {
        guard let items = items(qualifier, scope) else { return .unknown("\(qualifier.joined(separator: ".")) is not known") }
        var flow: LineageFlow?
        var extra: LineageFlow?
        for item in items {
            let (certain, possible) = find(name, in: item)
            if let certain { if flow == nil { flow = certain } else { flow?.add(certain) } }
            if let possible { if extra == nil { extra = possible } else { extra?.add(possible) } }
        }
        if var flow {
            if let extra { flow.add(extra) }
            return flow
        }
        if LineageScope.systemColumns.contains(name) { return extra ?? LineageFlow() }
        // `c.to_jsonb` calls to_jsonb(c) (PostgreSQL manual 4.2.6), and a column of a row inside of a row may be meant.
        var row = wholeRow(of: items)
        if let extra { row.add(extra) }
        if extra == nil, !isBuiltin(schema: nil, name) { row.unknown = row.unknown ?? "\(name) is not known" }
        return row
    }

    /// The nearest items of that name.
    func items(_ qualifier: [String], _ scope: LineageScope?) -> [LineageItem]? {
        guard let name = qualifier.last, qualifier.count <= 3 else { return nil }
        let schema = qualifier.dropLast().last
        var level = scope
        while let here = level {
            let found = here.items.filter { item in
                item.name == name && (schema == nil || (item.isRelation && (item.schema == nil || item.schema == schema)))
            }
            if !found.isEmpty { return found }
            level = here.parent
        }
        return nil
    }

    private mutating func wholeRow(_ qualifier: [String], _ scope: LineageScope?) -> LineageFlow? {
        items(qualifier, scope).map { wholeRow(of: $0) }
    }

    private mutating func wholeRow(of items: [LineageItem]) -> LineageFlow {
        var flow = LineageFlow()
        for item in items {
            see(item)
            flow.add(item.shape.all)
        }
        return flow
    }

    private mutating func wholeLevel(_ scope: LineageScope?) -> LineageFlow {
        wholeRow(of: scope?.items ?? [])
    }

    // MARK: Functions and types

    func isBuiltin(schema: String?, _ name: String) -> Bool {
        guard schema == nil || schema == "pg_catalog" else { return false }
        return Builtins.functions.contains(name) || Builtins.types.contains(name)
    }

    // MARK: What a column of a select list is called (`FigureColname`)

    /// nil: not certain.
    func name(of value: Message) throws -> String? {
        try figured(value, depth: 0)?.name
    }

    /// - Returns: The name, and whether a cast around it would keep it; nil where this does not know.
    private func figured(_ node: Message, depth: Int) throws -> (name: String, isStrong: Bool)? {
        guard depth < 64 else { return nil }
        let weak = (name: "?column?", isStrong: false)
        switch node.kind {
        case .columnRef:
            let fields = try node.messages(Fields.Common.columnFields)
            guard let last = try strings(fields).last, fields.last?.kind == .string else { return nil }
            return (last, true)
        case .functionCall:
            return try strings(try node.messages(Fields.Call.name)).last.map { ($0, true) }
        case .typeCast:
            guard let argument = try node.message(Fields.Expression.castArgument), let type = try node.message(Fields.Expression.castType)
            else { return nil }
            guard let inner = try figured(argument, depth: depth + 1) else { return nil }
            if inner.isStrong { return inner }
            return try strings(try type.messages(Fields.Common.typeNames)).last.map { ($0, false) }
        case .indirection:
            let steps = try node.messages(Fields.Expression.indirection)
            if let last = try strings(steps).last { return (last, true) }
            guard let argument = try node.message(LineageFields.Expression.indirectionArgument) else { return nil }
            return try figured(argument, depth: depth + 1)
        case .operatorExpression:
            let kind = Schema.enumName("A_Expr_Kind", try node.number(Fields.Expression.kind), dropping: "AEXPR_")
            return kind == "nullif" ? ("nullif", true) : weak
        case .constant, .parameter, .boolExpression, .nullTest, .booleanTest: return weak
        default: break
        }
        switch node.info.name {
        case "CollateClause":
            guard let argument = try node.message(LineageFields.Expression.collateArgument) else { return nil }
            return try figured(argument, depth: depth + 1)
        case "CoalesceExpr": return ("coalesce", true)
        case "AArrayExpr": return ("array", true)
        case "RowExpr": return ("row", true)
        default: return nil
        }
    }
}
