/// What flows into an expression.
extension LineageTracer {
    mutating func flow(_ node: Message?, _ place: Place) throws -> LineageFlow {
        guard let node else { return LineageFlow() }
        let flow = try deeper { try $0.expression(node, place) }
        // Conditions that stand side by side do not mix what they are about.
        if places != nil, flow.values.count > 1, node.kind != .boolExpression { places?.mix(flow.values) }
        return flow
    }

    mutating func flow(_ nodes: [Message], _ place: Place) throws -> LineageFlow {
        var flow = LineageFlow()
        for node in nodes { flow.add(try self.flow(node, place)) }
        return flow
    }

    private mutating func expression(_ node: Message, _ place: Place) throws -> LineageFlow {
        switch node.kind {
        case .columnRef: return try column(node, place)
        case .constant, .parameter, .string, .integer, .star, .currentOf: return LineageFlow()
        case .functionCall: return try call(node, place)
        case .subLink: return try subLink(node, place)
        case .typeCast: return try cast(node, place)
        case .typeName: return try type(node)
        case .indirection: return try indirection(node, place)
        case .operatorExpression: return try operation(node, place)
        case .sortBy: return try sortKey(node, place)
        case .indexElement: return try indexElement(node, place)
        case .resTarget: return try flow(try node.message(Fields.Target.value), place)
        case .select:
            // JSON_ARRAY(SELECT ..).
            return everything(of: try select(node, place, isOutermost: false))
        case .boolExpression, .nullTest, .booleanTest, .namedArgument, .list, .jsonFunction, .alias: return try parts(node, place)
        default: break
        }
        switch node.info.name {
        case "CaseExpr": return try caseExpression(node, place)
        case "SQLValueFunction", "SetToDefault", "Float", "Boolean", "BitString", "JsonFormat", "MergeSupportFunc", "JsonTablePathSpec":
            return LineageFlow()
        case "CollateClause", "AIndices", "AArrayExpr", "RowExpr", "CoalesceExpr", "MinMaxExpr", "XmlExpr", "XmlSerialize",
            "GroupingFunc", "CaseWhen", "JsonObjectConstructor", "JsonArrayConstructor", "JsonArrayQueryConstructor", "JsonObjectAgg",
            "JsonArrayAgg", "JsonAggConstructor", "JsonKeyValue", "JsonValueExpr", "JsonOutput", "JsonReturning", "JsonIsPredicate",
            "JsonParseExpr", "JsonScalarExpr", "JsonSerializeExpr", "JsonArgument", "JsonBehavior", "WindowDef", "MultiAssignRef",
            "GroupingSet", "RangeTableFunc", "RangeTableFuncCol", "JsonTable", "JsonTableColumn", "InferClause":
            return try parts(node, place)
        default: return .unknown("\(node.info.name) is not followed")
        }
    }

    private mutating func parts(_ node: Message, _ place: Place) throws -> LineageFlow {
        var children: [Message] = []
        try node.children { _, child in children.append(child) }
        return try flow(children, place)
    }

    /// What the server may name in an error when it works on `flow`.
    private mutating func probe(_ flow: LineageFlow) {
        if !flow.isEmpty { probes.addControl(flow) }
    }

    /// Its conditions flow into it too: `CASE substr(ssn, 1, 1) WHEN '1' THEN '1' ..` spells the value.
    private mutating func caseExpression(_ node: Message, _ place: Place) throws -> LineageFlow {
        var result = try flow(try node.message(LineageFields.Expression.caseDefault), place)
        var condition = try flow(try node.message(LineageFields.Expression.caseArgument), place)
        for arm in try node.messages(LineageFields.Expression.caseArms) {
            condition.add(try flow(try arm.message(LineageFields.Expression.whenCondition), place))
            result.add(try flow(try arm.message(LineageFields.Expression.whenResult), place))
        }
        probe(condition)
        result.addControl(condition)
        result.isPure = false
        return result
    }

    private mutating func sortKey(_ node: Message, _ place: Place) throws -> LineageFlow {
        var key = try flow(try node.message(LineageFields.Select.sortNode), place)
        if let name = try unknownOperator(node, Fields.Expression.sortOperator) { key.unknown = key.unknown ?? name }
        return key
    }

    /// ON CONFLICT (name): which row is met tells of its value.
    private mutating func indexElement(_ node: Message, _ place: Place) throws -> LineageFlow {
        var result = try parts(node, place)
        if let name = try node.text(Fields.Statement.indexColumn), !name.isEmpty { result.add(unqualified(name, place.scope)) }
        return result
    }

    // MARK: Operators and casts

    private static let quietOperators: Set<String> = ["=", "<>", "!=", "<", ">", "<=", ">=", "||"]
    private static let syntaxOperators: Set<String> = ["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC", "!="]

    private func unknownOperator(_ node: Message, _ field: Int) throws -> String? {
        let parts = try strings(try node.messages(field))
        guard let name = parts.last else { return nil }
        let schema = parts.dropLast().last
        let isKnown =
            (schema == nil || schema == "pg_catalog") && (Builtins.operators.contains(name) || Self.syntaxOperators.contains(name))
        return isKnown ? nil : "it uses an operator whose reading cannot be known"
    }

    private mutating func operation(_ node: Message, _ place: Place) throws -> LineageFlow {
        var result = try flow(try node.message(Fields.Expression.left), place)
        let right = try flow(try node.message(Fields.Expression.right), place)
        if places != nil { try noteComparison(node, left: result, right: right) }
        result.add(right)
        if let reason = try unknownOperator(node, Fields.Expression.name) { result.unknown = result.unknown ?? reason }
        if let name = try strings(try node.messages(Fields.Expression.name)).last, !Self.quietOperators.contains(name) { probe(result) }
        return result
    }

    private mutating func cast(_ node: Message, _ place: Place) throws -> LineageFlow {
        var result = try flow(try node.message(Fields.Expression.castArgument), place)
        let type = try node.message(Fields.Expression.castType)
        if let type { result.add(try self.type(type)) }
        result.isPure = false
        let name = try type.flatMap { try strings(try $0.messages(Fields.Common.typeNames)).last }
        if name != "text", name != "varchar", name != "bpchar" { probe(result) }
        return result
    }

    /// A type of the user's own has code of the user's own.
    private mutating func type(_ node: Message) throws -> LineageFlow {
        let parts = try strings(try node.messages(Fields.Common.typeNames))
        guard let name = parts.last else { return LineageFlow() }
        let schema = parts.dropLast().last
        if schema == nil || schema == "pg_catalog", Builtins.types.contains(name) { return LineageFlow() }
        return .unknown("it converts to a type whose code cannot be known")
    }

    // MARK: Functions

    /// Functions that never raise an error over their arguments' values, short of memory.
    private static let quietFunctions: Set<String> = [
        "upper", "lower", "initcap", "reverse", "length", "char_length", "octet_length", "btrim", "ltrim", "rtrim", "md5", "concat",
        "count", "min", "max", "string_agg", "array_agg", "json_agg", "jsonb_agg", "to_json", "to_jsonb", "row_to_json", "left", "right",
        "replace", "translate", "strpos", "first_value", "last_value", "lag", "lead", "quote_literal", "quote_nullable",
    ]

    /// More functions that give one value for one row, as conditions use them. Any other may give many: `ORDER BY
    /// (generate_series(33, 126) = ascii(ssn))` chooses among rows that the statement makes.
    private static let plainFunctions: Set<String> = [
        "substr", "substring", "split_part", "regexp_replace", "position", "starts_with", "date_trunc", "date_part", "extract", "now",
        "age",
        "to_char", "to_date", "abs", "round", "floor", "ceil", "mod", "sum", "avg", "bool_and", "bool_or", "like_escape", "date",
        "timezone",
    ]

    private mutating func call(_ node: Message, _ place: Place) throws -> LineageFlow {
        let parts = try strings(try node.messages(Fields.Call.name))
        guard let name = parts.last else { return .unknown("a function's name is not understood") }
        let arguments = try node.messages(Fields.Call.arguments)
        if !Self.quietFunctions.contains(name), !Self.plainFunctions.contains(name) { sight.seesMadeRows = true }
        var result = try flow(arguments, place)
        if !Self.quietFunctions.contains(name) { probe(result) }
        if try node.flag(LineageFields.Call.isDistinct) { probe(result) }
        var control = try flow(try node.messages(LineageFields.Call.order), place)
        control.add(try flow(try node.message(LineageFields.Call.filter), place))
        control.add(try flow(try node.message(Fields.Call.over), place))
        probe(control)
        result.addControl(control)
        let isKnown = isBuiltin(schema: parts.dropLast().last, name) && !TextRunners.contains(name, arguments: arguments.count)
        if !isKnown { result.unknown = result.unknown ?? "it calls a function whose reading cannot be known" }
        result.isPure = false
        return result
    }

    // MARK: Parts of values

    private mutating func indirection(_ node: Message, _ place: Place) throws -> LineageFlow {
        guard let argument = try node.message(LineageFields.Expression.indirectionArgument) else { return .unknown("a part of nothing") }
        let steps = try node.messages(Fields.Expression.indirection)
        if let column = try columnOfRow(argument, steps, place) { return column }
        var result = try flow(argument, place)
        for step in steps {
            if step.kind == .string, let name = try step.text(Fields.Common.string) {
                // `(x).f` may call f(x).
                if Builtins.takesRow.contains(name) { probe(result) }
            } else if step.kind != .star {
                result.add(try flow(step, place))
            }
        }
        result.isPure = false
        return result
    }

    /// `(c).ssn`, where c is something in FROM.
    private mutating func columnOfRow(_ argument: Message, _ steps: [Message], _ place: Place) throws -> LineageFlow? {
        guard steps.count == 1, steps[0].kind == .string, let field = try steps[0].text(Fields.Common.string),
            let item = try item(named: argument, place), item.shape.open == nil
        else { return nil }
        let columns = item.shape.columns.filter { $0.name == field }
        guard columns.count == 1, item.shape.columns.allSatisfy({ $0.name != nil }) else { return nil }
        sight.items.insert(item.id)
        if !item.isRelation { sight.seesMadeRows = true }
        return columns[0].flow
    }

    /// The only thing in FROM that a bare reference can stand for as a whole row; nil where it may be a column.
    func item(named node: Message, _ place: Place) throws -> LineageItem? {
        guard node.kind == .columnRef else { return nil }
        let fields = try node.messages(Fields.Common.columnFields)
        guard fields.count == 1, let name = try strings(fields).first else { return nil }
        var level = place.scope
        while let here = level {
            for item in here.items
            where item.shape.open != nil || item.shape.columns.contains(where: { $0.name == nil || $0.name == name }) { return nil }
            level = here.parent
        }
        guard let items = items([name], place.scope), items.count == 1 else { return nil }
        return items[0]
    }

    // MARK: Queries in expressions

    private mutating func subLink(_ node: Message, _ place: Place) throws -> LineageFlow {
        sight.seesMadeRows = true
        guard let query = try node.message(Fields.Expression.subLinkQuery) else { return .unknown("a query is missing") }
        let type = Schema.enumName("SubLinkType", try node.number(Fields.Expression.subLinkType), dropping: "")
        let shape = try select(query, place, isOutermost: false)
        if type == "exists_sublink" {
            var result = LineageFlow()
            result.addControl(shape.rows)
            return result
        }
        if type == "expr_sublink", shape.columns.count == 1, shape.open == nil {
            var result = shape.columns[0].flow
            result.addControl(shape.rows)
            return result
        }
        var result = everything(of: shape)
        result.add(try flow(try node.message(LineageFields.Expression.subLinkTest), place))
        if let reason = try unknownOperator(node, Fields.Expression.subLinkOperator) { result.unknown = result.unknown ?? reason }
        return result
    }
}
