internal import GatehouseCore

extension Walker {
    // MARK: Columns

    /// - Parameter isPlainItem: The whole of an item of the outermost select list.
    mutating func column(_ node: Message, isPlainItem: Bool) throws {
        let parts = try node.messages(Fields.Common.columnFields)
        guard let last = parts.last else { return }
        if last.kind == .star {
            if !isPlainItem { facts.flags.insert(.innerStar) }
            return
        }
        guard last.kind == .string, let name = try last.text(Fields.Common.string) else { return }
        facts.columns.insert(name)
        if parts.count == 1 {
            facts.bareNames.insert(name)
        } else if Builtins.takesRow.contains(name) {
            // PostgreSQL manual 4.2.6, 8.16.5: `c.to_jsonb` calls to_jsonb(c) where c has no such column.
            facts.flags.insert(.wholeRow)
        }
    }

    mutating func indirection(_ node: Message) throws {
        for step in try node.messages(Fields.Expression.indirection) where step.kind == .string {
            guard let name = try step.text(Fields.Common.string) else { continue }
            facts.columns.insert(name)
            if Builtins.takesRow.contains(name) { facts.flags.insert(.wholeRow) }
        }
        try visitChildren(node)
    }

    // MARK: Functions, operators, types

    func isBuiltin(_ name: QualifiedName) -> Bool {
        guard name.schema == nil || name.schema == "pg_catalog" else { return false }
        return Builtins.functions.contains(name.name) || Builtins.types.contains(name.name)
    }

    mutating func call(_ node: Message) throws {
        guard let name = qualified(try strings(try node.messages(Fields.Call.name))) else { return try visitChildren(node) }
        let arguments = try node.messages(Fields.Call.arguments)
        facts.add(function: name)
        let setsConfiguration = name.name == "set_config" && (name.schema == nil || name.schema == "pg_catalog")
        // Of a plain name it does what SET does, which the facts tell.
        let isKnown = setsConfiguration ? try setConfig(arguments) : isBuiltin(name)
        if !isKnown { facts.flags.insert(.callsUnknownFunction) }
        if TextRunners.contains(name.name, arguments: arguments.count) { facts.flags.insert(.opaque) }
        // Functional notation: `ssn(c)` reads column ssn of row c.
        if arguments.count == 1, arguments[0].kind == .columnRef || arguments[0].kind == .subLink || arguments[0].kind == .functionCall {
            if name.schema == nil { facts.columns.insert(name.name) }
        }
        try visitChildren(node)
    }

    /// JSON_VALUE and its like are syntax in 16 and later; an older server takes them for functions of that name.
    mutating func jsonFunction(_ node: Message) throws {
        let name = Schema.enumName("JsonExprOp", try node.number(Fields.Expression.json), dropping: "")
        facts.add(function: QualifiedName(name: name.hasSuffix("_op") ? String(name.dropLast(3)) : name))
        try visitChildren(node)
    }

    /// A node that names an operator in `field`: OPERATOR(schema.op) and unknown operators are calls.
    mutating func operation(_ node: Message, _ field: Int) throws {
        if let name = qualified(try strings(try node.messages(field))) {
            let isOwn = name.schema == nil || name.schema == "pg_catalog"
            let isKnown = isOwn && (Builtins.operators.contains(name.name) || Self.syntaxOperators.contains(name.name))
            if name.schema != nil || !isKnown { facts.add(function: name) }
            if !isKnown { facts.flags.insert(.callsUnknownFunction) }
        }
        try visitChildren(node, except: field)
    }

    mutating func subLink(_ node: Message) throws {
        if let query = try node.message(Fields.Expression.subLinkQuery) {
            let type = Schema.enumName("SubLinkType", try node.number(Fields.Expression.subLinkType), dropping: "")
            try noteGathering(query, isArray: type == "array_sublink")
        }
        try operation(node, Fields.Expression.subLinkOperator)
    }

    /// What the grammar writes as the operator of BETWEEN.
    private static let syntaxOperators: Set<String> = ["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC", "!="]

    /// A conversion to a type of the user's own runs that type's input function, cast or domain checks.
    mutating func typeName(_ node: Message) throws {
        if queryDepth > 0, let name = qualified(try strings(try node.messages(Fields.Common.typeNames))) {
            let isOwn = name.schema == nil || name.schema == "pg_catalog"
            if !(isOwn && Builtins.types.contains(name.name)) {
                facts.flags.insert(.callsUnknownFunction)
                if name.schema != nil { facts.add(function: name) }
            }
        }
        try visitChildren(node, except: Fields.Common.typeNames)
    }

    // MARK: Literals

    /// The text of a string constant, also behind a cast. Reading it ties the facts to this literal.
    mutating func literalText(_ node: Message) throws -> String? {
        switch node.kind {
        case .constant:
            facts.readLiteral = true
            return try node.message(Fields.Constant.string).map { try $0.text(Fields.Common.string) ?? "" }
        case .typeCast:
            guard let type = try node.message(Fields.Expression.castType), let inner = try node.message(Fields.Expression.castArgument)
            else { return nil }
            // Only conversions that keep the text: `'x'::char(1)` does not.
            let name = qualified(try strings(try type.messages(Fields.Common.typeNames)))?.name
            return name == "text" || name == "unknown" ? try literalText(inner) : nil
        default: return nil
        }
    }

    // MARK: Settings

    /// set_config(name, value, is_local): PostgreSQL manual 9.27.1. Returns whether the name is a plain one.
    private mutating func setConfig(_ arguments: [Message]) throws -> Bool {
        facts.add(kind: "set")
        let isPositional = arguments.count == 3 && !arguments.contains { $0.kind == .namedArgument }
        var name = isPositional ? try literalText(arguments[0])?.asciiLowercased : nil
        let isPlain = name != nil
        if isPositional, name == nil, let settingsName, try isBareName(arguments[0]) { name = settingsName }
        let value = isPositional ? try literalText(arguments[1]) : nil
        let isLocal = isPositional ? try truth(of: arguments[2]) == .isTrue : false
        facts.readLiteral = true
        if name == nil || name == "role" || name == "session_authorization" { facts.add(kind: "set.role") }
        facts.settings.append(SettingChange(name: name, value: value, isLocal: isLocal))
        return isPlain
    }

    /// SET and RESET inside another statement: ALTER ROLE .. SET, CREATE FUNCTION .. SET.
    mutating func setting(_ node: Message) throws {
        let kind = Schema.enumName("VariableSetKind", try node.number(Fields.Set.kind), dropping: "VAR_")
        facts.readLiteral = true
        if kind == "set_multi" { return }
        let name = try node.text(Fields.Set.name)?.asciiLowercased
        var values: [String]? = kind == "set_value" ? [] : nil
        for value in try node.messages(Fields.Set.values) {
            if let text = try settingValue(value) { values?.append(text) } else { values = nil }
        }
        let isLocal = try node.flag(Fields.Set.isLocal)
        facts.settings.append(SettingChange(name: name, value: values?.joined(separator: ", "), isLocal: isLocal))
    }

    private func settingValue(_ node: Message) throws -> String? {
        guard node.kind == .constant else { return nil }
        if let string = try node.message(Fields.Constant.string) { return try string.text(Fields.Common.string) ?? "" }
        if let integer = try node.message(Fields.Constant.integer) { return String(try integer.number(Fields.Constant.integerValue)) }
        if let float = try node.message(Fields.Constant.float) { return try float.text(Fields.Constant.floatValue) ?? "" }
        return nil
    }
}

extension String {
    /// PostgreSQL compares setting names by ASCII letters alone (guc_name_compare).
    var asciiLowercased: String {
        String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }
}

/// Functions that run text given to them, or reach a relation or server that only their text names.
enum TextRunners {
    private static let names: Set<String> = [
        "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "cursor_to_xmlschema",
        "table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema", "schema_to_xml", "schema_to_xmlschema",
        "schema_to_xml_and_xmlschema", "database_to_xml", "database_to_xmlschema", "database_to_xml_and_xmlschema", "ts_stat",
        // Contributed modules: tablefunc, xml2, and schedulers that run a command later.
        "connectby", "xpath_table", "pg_background_launch", "schedule", "schedule_in_database", "create_distributed_function",
        "run_command_on_workers", "run_command_on_placements", "run_command_on_shards", "hypopg_create_index",
        "pgrowlocks",
    ]

    static func contains(_ name: String, arguments: Int) -> Bool {
        // ts_rewrite(query, text) runs its text; the form with three tsqueries does not.
        names.contains(name) || name.hasPrefix("dblink") || name.hasPrefix("crosstab") || (name == "ts_rewrite" && arguments < 3)
    }
}
