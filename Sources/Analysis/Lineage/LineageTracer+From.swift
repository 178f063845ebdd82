internal import GatehouseCore

/// FROM.
extension LineageTracer {
    /// Things in FROM: by what names they are seen, and what `*` makes of them.
    struct Sources {
        var items: [LineageItem] = []
        var star = LineageShape()

        mutating func add(_ other: Sources) {
            items += other.items
            star.columns += other.star.columns
            if let open = other.star.open { if star.open == nil { star.open = open } else { star.open?.add(open) } }
        }
    }

    mutating func from(_ nodes: [Message], _ place: Place, isOutermost: Bool, rows: inout LineageFlow) throws -> Sources {
        var sources = Sources()
        for node in nodes {
            let source = try self.source(node, place, beside: sources.items, isOutermost: isOutermost, rows: &rows)
            try spend(source.star.columns.count)
            sources.add(source)
        }
        return sources
    }

    /// - Parameter beside: What stands to the left, for LATERAL.
    private mutating func source(
        _ node: Message, _ place: Place, beside: [LineageItem], isOutermost: Bool, rows: inout LineageFlow
    ) throws -> Sources {
        try deeper { tracer in
            switch node.kind {
            case .rangeVar: return try tracer.relation(node, place, rows: &rows)
            case .rangeSubselect:
                let lateral = try node.flag(LineageFields.Range.isLateral)
                let inner = lateral ? place.beside(beside) : place
                guard let query = try node.message(Fields.Range.subquery) else {
                    return try tracer.made(.unknown("a query is missing"), nil, &rows)
                }
                let shape = try tracer.select(query, inner, isOutermost: false)
                return try tracer.made(shape, try node.message(LineageFields.Range.subqueryAlias), &rows)
            case .joinExpression: return try tracer.join(node, place, beside: beside, isOutermost: isOutermost, rows: &rows)
            case .rangeFunction: return try tracer.function(node, place.beside(beside), rows: &rows)
            case .rangeTableSample:
                guard let sampled = try node.message(Fields.Range.sampled) else {
                    return try tracer.made(.unknown("nothing is sampled"), nil, &rows)
                }
                for argument in try node.messages(LineageFields.Range.sampleArguments) {
                    try tracer.choose(argument, place.beside(beside), isOutermost: isOutermost, into: &rows)
                }
                return try tracer.source(sampled, place, beside: beside, isOutermost: isOutermost, rows: &rows)
            default: return try tracer.tableFunction(node, place.beside(beside), rows: &rows)
            }
        }
    }

    // MARK: Relations and queries

    private mutating func relation(_ node: Message, _ place: Place, rows: inout LineageFlow) throws -> Sources {
        let name = try node.text(Fields.RangeVar.name) ?? ""
        let schema = try node.text(Fields.RangeVar.schema).flatMap { $0.isEmpty ? nil : $0 }
        let alias = try node.message(Fields.RangeVar.alias)
        if schema == nil, let table = place.tables?.table(name) {
            return try made(try shape(of: table), alias, &rows, name: name)
        }
        var shape = try shape(ofRelation: QualifiedName(schema: schema, name: name))
        if let alias { shape.rename(try strings(try alias.messages(Fields.Common.aliasColumns))) }
        let item = try item(
            try alias?.text(Fields.Common.aliasName) ?? name, schema: alias == nil ? schema : nil, isRelation: true, shape: shape)
        return Sources(items: [item], star: LineageShape(columns: shape.columns, open: shape.open))
    }

    /// Rows that the statement makes itself.
    private mutating func made(
        _ shape: LineageShape, _ alias: Message?, _ rows: inout LineageFlow, name: String? = nil
    ) throws -> Sources {
        var shape = shape
        rows.addControl(shape.rows)
        if let alias { shape.rename(try strings(try alias.messages(Fields.Common.aliasColumns))) }
        let item = try item(try alias?.text(Fields.Common.aliasName) ?? name, shape: shape)
        return Sources(items: [item], star: LineageShape(columns: shape.columns, open: shape.open))
    }

    // MARK: Joins

    private mutating func join(
        _ node: Message, _ place: Place, beside: [LineageItem], isOutermost: Bool, rows: inout LineageFlow
    ) throws -> Sources {
        guard let leftNode = try node.message(Fields.Range.left), let rightNode = try node.message(Fields.Range.right) else {
            return try made(.unknown("a join lacks a side"), nil, &rows)
        }
        let left = try source(leftNode, place, beside: beside, isOutermost: isOutermost, rows: &rows)
        let right = try source(rightNode, place, beside: beside + left.items, isOutermost: isOutermost, rows: &rows)
        var inner = place
        inner.scope = LineageScope(left.items + right.items, in: place.scope)
        try choose(try node.message(LineageFields.Range.condition), inner, isOutermost: isOutermost, into: &rows)

        var using = try strings(try node.messages(Fields.Range.using))
        let isNatural = try node.flag(Fields.Range.isNatural)
        if isNatural {
            using = left.star.columns.compactMap(\.name).filter { name in right.star.columns.contains { $0.name == name } }
        }
        var result = merged(left, right, using, isNatural: isNatural, rows: &rows)
        guard let alias = try node.message(Fields.Range.joinAlias) else {
            if let usingAlias = try node.message(LineageFields.Range.usingAlias) {
                let columns = Array(result.star.columns.prefix(using.count))
                result.items.append(
                    try item(try usingAlias.text(Fields.Common.aliasName), shape: LineageShape(columns: columns, open: result.star.open)))
            }
            return result
        }
        // The names inside are hidden by the one outside.
        return try made(result.star, alias, &rows)
    }

    /// The columns of a join: those that are merged first, then the rest of both sides.
    private mutating func merged(
        _ left: Sources, _ right: Sources, _ using: [String], isNatural: Bool, rows: inout LineageFlow
    ) -> Sources {
        var result = Sources(items: left.items + right.items)
        let isCertain =
            left.star.open == nil && right.star.open == nil
            && (using.isEmpty && !isNatural || (left.star.columns + right.star.columns).allSatisfy { $0.name != nil })
        guard isCertain else {
            var open = left.star.all
            open.add(right.star.all)
            if isNatural || !using.isEmpty {
                chosen(by: open, isProbe: false, into: &rows)
                places?.mix(open.values)
            }
            // Of a join by names that are not all known, any column may be merged from two.
            result.star.open = open
            return result
        }
        var leftColumns = left.star.columns
        var rightColumns = right.star.columns
        for name in using {
            guard let first = leftColumns.firstIndex(where: { $0.name == name }),
                let second = rightColumns.firstIndex(where: { $0.name == name })
            else {
                result.star.open = .unknown("\(name) is not known")
                continue
            }
            var flow = leftColumns.remove(at: first).flow
            flow.add(rightColumns.remove(at: second).flow)
            chosen(by: flow, isProbe: false, into: &rows)
            places?.mix(flow.values)
            result.star.columns.append(LineageOutput(name: name, flow: flow))
        }
        result.star.columns += leftColumns + rightColumns
        return result
    }

    // MARK: Functions

    /// The server's own functions that give one column, named as they are themselves or by their alias.
    private static let singleColumn: Set<String> = [
        "generate_series", "generate_subscripts", "string_to_table", "regexp_split_to_table", "regexp_matches", "jsonb_object_keys",
        "json_object_keys",
    ]

    private mutating func function(_ node: Message, _ place: Place, rows: inout LineageFlow) throws -> Sources {
        var flow = LineageFlow()
        var single: String?
        var count = 0
        for entry in try node.messages(Fields.Range.functions) {
            let parts = entry.kind == .list ? try entry.messages(Fields.Common.items) : [entry]
            for part in parts where part.kind != .list {
                count += 1
                flow.add(try self.flow(part, place))
                if part.kind == .functionCall { single = try strings(try part.messages(Fields.Call.name)).last }
            }
            // The definitions of an untyped function's columns stand beside it.
            for part in parts where part.kind == .list { flow.add(try self.flow(try part.messages(Fields.Common.items), place)) }
        }
        // How many rows there are tells of the arguments as well.
        chosen(by: flow, isProbe: false, into: &rows)
        let alias = try node.message(Fields.Range.functionAlias)
        let name = try alias?.text(Fields.Common.aliasName) ?? single
        var shape = LineageShape()
        let definitions = try node.messages(LineageFields.Range.definitions)
        if count == 1, !definitions.isEmpty {
            for definition in definitions {
                shape.columns.append(LineageOutput(name: try definition.text(Fields.Statement.columnName), flow: flow))
            }
        } else if count == 1, let single, Self.singleColumn.contains(single) {
            shape.columns = [LineageOutput(name: name, flow: flow)]
        } else {
            shape.open = flow
        }
        if try node.flag(LineageFields.Range.ordinality) { shape.columns.append(LineageOutput(name: "ordinality", flow: flow)) }
        shape.rows = LineageFlow()
        shape.rows.addControl(flow)
        return try made(shape, alias, &rows, name: name)
    }

    /// XMLTABLE and JSON_TABLE.
    private mutating func tableFunction(_ node: Message, _ place: Place, rows: inout LineageFlow) throws -> Sources {
        let flow = try self.flow(node, place)
        chosen(by: flow, isProbe: false, into: &rows)
        var alias: Message?
        if node.info.name == "RangeTableFunc" { alias = try node.message(LineageFields.Range.tableFunctionAlias) }
        if node.info.name == "JsonTable" { alias = try node.message(LineageFields.Range.jsonTableAlias) }
        return try made(LineageShape(open: flow), alias, &rows)
    }
}

extension LineageTracer.Place {
    /// The same with what stands to the left in FROM.
    func beside(_ items: [LineageItem]) -> Self {
        Self(scope: LineageScope(items, in: scope), tables: tables)
    }
}
