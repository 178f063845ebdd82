internal import GatehouseCore

/// Everything that is not a query.
extension Walker {
    /// - Parameter node: The statement as the client sent it, none around it.
    mutating func outermost(_ node: Message) throws {
        switch node.kind {
        case .select: try select(node, isOutermost: true)
        case .insert: try insert(node, isOutermost: true)
        case .update: try update(node, isOutermost: true)
        case .delete: try delete(node, isOutermost: true)
        case .merge: try merge(node, isOutermost: true)
        case .setVariable: try set(node)
        default: try statement(node)
        }
    }

    mutating func statement(_ node: Message) throws {
        switch node.kind {
        case .copy: try copy(node)
        case .drop: try drop(node)
        case .explain: try explain(node)
        case .createTableAs: try createTableAs(node)
        case .prepare: try prepare(node)
        case .execute:
            facts.add(kind: "execute")
            facts.flags.insert(.opaque)
            facts.runs = try node.text(Fields.Statement.executeName)
            try visitChildren(node)
        case .declareCursor:
            facts.add(kind: "declare")
            facts.defines = try node.text(Fields.Statement.declareName)
            if let query = try node.message(Fields.Statement.declareQuery) { try outermost(query) }
        case .fetch:
            facts.add(kind: try node.flag(Fields.Statement.fetchIsMove) ? "move" : "fetch")
            facts.runs = try node.text(Fields.Statement.fetchName)
        case .doStatement:
            facts.add(kind: "do")
            facts.flags.insert(.opaque)
        case .call:
            facts.add(kind: "call")
            facts.flags.formUnion([.opaque, .callsProcedure])
            try visitChildren(node)
        case .transaction: try transaction(node)
        case .discard: try discard(node)
        case .vacuum: try vacuum(node)
        case .grant: try grant(node, "GrantStmt", suffix: "")
        case .grantRole: try grant(node, "GrantRoleStmt", suffix: ".role")
        case .comment: try describe(node, kind: "comment", Fields.Statement.commentType, Fields.Statement.commentObject)
        case .securityLabel: try describe(node, kind: "security_label", Fields.Statement.labelType, Fields.Statement.labelObject)
        case .rename: try rename(node)
        case .createTrigger: try trigger(node, kind: "create.trigger", Fields.Statement.triggerFunction)
        case .createEventTrigger: try trigger(node, kind: "create.event_trigger", Fields.Statement.eventTriggerFunction)
        case .createFunction:
            let kind = try node.flag(Fields.Statement.isProcedure) ? "create.procedure" : "create.function"
            try routineOptions(try node.messages(Fields.Statement.functionOptions), kind: kind)
            try definition(node, kind: kind)
        case .define: try definition(node, kind: "create." + Kinds.sort(try node.number(Fields.Statement.defineKind)))
        default: try other(node)
        }
    }

    private mutating func other(_ node: Message) throws {
        let info = node.info
        if let field = Kinds.alterBySort[info.name], let number = info.numbers[field] {
            let kind = "alter." + Kinds.sort(try node.number(number))
            switch info.name {
            case "AlterTableStmt": try definition(node, kind: kind, parts: try alterations(node))
            case "AlterOwnerStmt": try definition(node, kind: kind, parts: ["change_owner"])
            case "AlterFunctionStmt":
                try routineOptions(try node.messages(Fields.Statement.functionActions), kind: kind)
                try definition(node, kind: kind)
            default: try definition(node, kind: kind)
            }
        } else if let kind = Kinds.holdsStatements[info.name] {
            note(kind: kind)
            try visitChildren(node)
        } else {
            try definition(node, kind: Kinds.byNode[info.name] ?? "other." + info.snakeName)
        }
    }

    /// What ALTER TABLE does, by the library's names: `drop_column`, `change_owner`.
    private func alterations(_ node: Message) throws -> Set<String> {
        var found: Set<String> = []
        for command in try node.messages(Fields.Statement.alterCommands) where command.kind == .alterTableCommand {
            let name = Schema.shared.enums["AlterTableType"]?[try command.number(Fields.Statement.alterCommandType)] ?? "AT_Unknown"
            found.insert(Kinds.snakeCase(name.hasPrefix("AT_") ? String(name.dropFirst(3)) : name))
        }
        return found
    }

    /// SECURITY DEFINER, and languages in which a routine can do what the server's own account can.
    private mutating func routineOptions(_ options: [Message], kind: String) throws {
        for option in options {
            guard let value = try option.message(Fields.Statement.optionValue) else { continue }
            switch try option.text(Fields.Statement.optionName) {
            case "security":
                let isInvoker = value.info.name == "Boolean" ? try !value.flag(Fields.Constant.booleanValue) : false
                if !isInvoker { note(kind: kind + ".security_definer") }
            case "language":
                let name = try value.text(Fields.Common.string)?.asciiLowercased ?? ""
                if name == "c" || name == "internal" || (name.hasPrefix("pl") && name.hasSuffix("u")) { note(kind: kind + ".untrusted") }
            default: break
            }
        }
    }

    private mutating func note(kind: String) {
        facts.add(kind: kind)
        if Kinds.changesSchema(kind) { facts.flags.insert(.changesSchema) }
    }

    /// A statement whose own relations are defined (or written, or locked) and whose expressions are kept for later.
    ///
    /// - Parameter parts: What it does below `kind`, if that can be told.
    private mutating func definition(_ node: Message, kind: String, parts: Set<String> = [], except skipped: Int = -1) throws {
        if parts.isEmpty { note(kind: kind) }
        for part in parts { note(kind: "\(kind).\(part)") }
        let access: ObjectReference.Access =
            switch kind {
            case "truncate", "refresh": .write
            case "lock", "vacuum", "analyze": .read
            default: .define
            }
        let info = node.info
        let outer = facts.effect
        try node.children { number, child in
            guard number != skipped else { return }
            facts.effect = outer
            if Kinds.usesRelation(kind: kind, field: info.fields[number].name) {
                try target(child, kind: kind, access)
            } else {
                if outer == .runs { facts.effect = .defined }
                if child.kind != .string {
                    try visit(child)
                } else if info.fields[number].listsColumns, let name = try child.text(Fields.Common.string) {
                    facts.columns.insert(name)
                }
            }
        }
        facts.effect = outer
        if kind == "alter.system" || kind == "alter.role" || kind == "alter.database" { facts.readLiteral = true }
    }

    private mutating func target(_ node: Message, kind: String, _ access: ObjectReference.Access) throws {
        if node.kind == .rangeVar {
            try relation(node, access, mayBeCommonTable: false)
        } else if node.info.isStatement {
            try definition(node, kind: kind)  // CREATE FOREIGN TABLE holds a CREATE TABLE.
        } else {
            try node.children { _, child in
                if child.kind == .rangeVar {
                    try relation(child, access, mayBeCommonTable: false)
                } else if child.kind == .string {
                    if let name = try child.text(Fields.Common.string) { facts.columns.insert(name) }
                } else {
                    try visit(child)
                }
            }
        }
    }

    // MARK: Objects named in lists

    /// Names under a node that names something: a String, a List of them, or a TypeName.
    private func nameParts(_ node: Message) throws -> [String] {
        switch node.kind {
        case .string: [try node.text(Fields.Common.string) ?? ""]
        case .list: try strings(try node.messages(Fields.Common.items))
        default: []
        }
    }

    private mutating func named(_ node: Message, sort: String) throws {
        var parts = try nameParts(node)
        if Kinds.partsOfRelations.contains(sort) {
            parts = parts.dropLast()
        } else if !Kinds.relations.contains(sort) {
            return
        }
        if let name = qualified(parts) { facts.add(object: name, .define) }
    }

    private mutating func drop(_ node: Message) throws {
        let sort = Kinds.sort(try node.number(Fields.Statement.dropType))
        note(kind: "drop." + sort)
        for object in try node.messages(Fields.Statement.dropObjects) { try named(object, sort: sort) }
    }

    private mutating func describe(_ node: Message, kind: String, _ typeField: Int, _ objectField: Int) throws {
        facts.add(kind: kind)
        let type = Schema.enumName("ObjectType", try node.number(typeField), dropping: "OBJECT_")
        guard let object = try node.message(objectField) else { return }
        if type == "column" {
            let parts = try nameParts(object)
            if let column = parts.last { facts.columns.insert(column) }
            if let name = qualified(parts.dropLast()) { facts.add(object: name, .define) }
        } else {
            try named(object, sort: type == "tabconstraint" ? "trigger" : Kinds.sort(try node.number(typeField)))
        }
    }

    private mutating func rename(_ node: Message) throws {
        let type = Schema.enumName("ObjectType", try node.number(Fields.Statement.renameType), dropping: "OBJECT_")
        let isPart = type == "column" || type == "attribute"
        let sort = isPart ? try node.number(Fields.Statement.renameRelationType) : try node.number(Fields.Statement.renameType)
        if isPart, let column = try node.text(Fields.Statement.renameSubname) { facts.columns.insert(column) }
        // A routine by another name is still what it was.
        let isRoutine = ["function", "procedure", "routine", "aggregate"].contains(type)
        try definition(node, kind: "alter." + Kinds.sort(sort), parts: isRoutine ? ["rename"] : [])
    }

    private mutating func trigger(_ node: Message, kind: String, _ function: Int) throws {
        if let name = qualified(try strings(try node.messages(function))) { facts.add(function: name) }
        try definition(node, kind: kind, except: function)
    }

    private mutating func grant(_ node: Message, _ name: String, suffix: String) throws {
        let isGrant = try node.flag(name == "GrantStmt" ? Fields.Statement.isGrant : Fields.Statement.isRoleGrant)
        note(kind: (isGrant ? "grant" : "revoke") + suffix)
        try node.children { _, child in
            if child.kind == .rangeVar {
                try relation(child, .define, mayBeCommonTable: false)
            } else if child.kind != .string {
                try visit(child)
            }
        }
    }

    // MARK: Statements that hold others

    private mutating func explain(_ node: Message) throws {
        facts.add(kind: "explain")
        let outer = facts.effect
        if outer == .runs, try !option("analyze", in: try node.messages(Fields.Statement.explainOptions)) { facts.effect = .explained }
        if let query = try node.message(Fields.Statement.explainQuery) { try outermost(query) }
        facts.effect = outer
    }

    /// Whether a boolean option is given and not clearly off. Said twice, once on is on.
    private func option(_ name: String, in options: [Message]) throws -> Bool {
        for option in options where try option.text(Fields.Statement.optionName) == name {
            guard let value = try option.message(Fields.Statement.optionValue) else { return true }
            let text: String
            if value.kind == .integer {
                text = String(try value.number(Fields.Constant.integerValue))
            } else {
                text = try value.text(Fields.Common.string)?.asciiLowercased ?? ""
            }
            if !["false", "off", "0"].contains(text) { return true }
        }
        return false
    }

    private mutating func createTableAs(_ node: Message) throws {
        let sort = Kinds.sort(try node.number(Fields.Statement.asType))
        note(kind: sort == "materialized_view" ? "create.materialized_view" : "create.table_as")
        if let into = try node.message(Fields.Statement.asInto) { try movesRows(into) }
        let outer = sendsRows
        sendsRows = false
        if let query = try node.message(Fields.Statement.asQuery) { try outermost(query) }
        sendsRows = outer
    }

    private mutating func prepare(_ node: Message) throws {
        facts.add(kind: "prepare")
        facts.defines = try node.text(Fields.Statement.prepareName)
        if let query = try node.message(Fields.Statement.prepareQuery) { try outermost(query) }
    }

    private mutating func copy(_ node: Message) throws {
        let isFrom = try node.flag(Fields.Copy.isFrom)
        facts.add(kind: isFrom ? "copy.from" : "copy.to")
        if let target = try node.message(Fields.Copy.relation) { try relation(target, isFrom ? .write : .read, mayBeCommonTable: false) }
        if let query = try node.message(Fields.Copy.query) { try outermost(query) }
        if try node.has(Fields.Copy.file) || node.flag(Fields.Copy.isProgram) {
            facts.flags.insert(try node.flag(Fields.Copy.isProgram) ? .copyProgram : .copyFile)
            if !isFrom { facts.flags.insert(.movesData) }
        } else {
            facts.copy = try copyFacts(node)
        }
        try visitChildren(node, except: Fields.Copy.relation, Fields.Copy.query)
    }

    private mutating func copyFacts(_ node: Message) throws -> CopyFacts {
        // Options decide how the data looks, so that texts which differ in them are not one text.
        facts.readLiteral = true
        var table: QualifiedName?
        if let relation = try node.message(Fields.Copy.relation) {
            let schema = try relation.text(Fields.RangeVar.schema) ?? ""
            table = QualifiedName(schema: schema.isEmpty ? nil : schema, name: try relation.text(Fields.RangeVar.name) ?? "")
        }
        let columns = try strings(try node.messages(Fields.Copy.columns))
        let options = try node.messages(Fields.Copy.options).map { option in
            CopyFacts.Option(name: try option.text(Fields.Statement.optionName) ?? "", value: try optionText(option))
        }
        return CopyFacts(table: table, columns: columns.isEmpty ? nil : columns, options: options)
    }

    private func optionText(_ option: Message) throws -> String? {
        guard let value = try option.message(Fields.Statement.optionValue) else { return nil }
        switch value.kind {
        case .string: return try value.text(Fields.Common.string) ?? ""
        case .integer: return String(try value.number(Fields.Constant.integerValue))
        default: return nil
        }
    }

    private mutating func vacuum(_ node: Message) throws {
        let isVacuum = try node.flag(Fields.Statement.vacuumIsVacuum)
        if isVacuum, try option("analyze", in: try node.messages(Fields.Statement.vacuumOptions)) { facts.add(kind: "analyze") }
        try definition(node, kind: isVacuum ? "vacuum" : "analyze")
    }

    // MARK: Session state

    /// SET and RESET as statements.
    private mutating func set(_ node: Message) throws {
        let kind = Schema.enumName("VariableSetKind", try node.number(Fields.Set.kind), dropping: "VAR_")
        if kind == "set_multi" {
            facts.add(kind: "transaction.set")
            return
        }
        let name = try node.text(Fields.Set.name)?.asciiLowercased
        if name == "role" || name == "session_authorization" {
            facts.add(kind: "set.role")
        } else {
            facts.add(kind: kind == "reset" || kind == "reset_all" ? "reset" : "set")
        }
        try setting(node)
    }

    private mutating func discard(_ node: Message) throws {
        facts.add(kind: "discard")
        let target = Schema.enumName("DiscardMode", try node.number(Fields.Statement.discardTarget), dropping: "DISCARD_")
        if target == "all" { facts.settings.append(SettingChange(name: nil, value: nil, isLocal: false)) }
        if target == "all" || target == "temp" { facts.flags.insert(.changesSchema) }
    }

    private mutating func transaction(_ node: Message) throws {
        let kind = Schema.enumName("TransactionStmtKind", try node.number(Fields.Statement.transactionKind), dropping: "TRANS_STMT_")
        switch kind {
        case "begin", "start":
            facts.add(kind: "transaction.begin")
            facts.flags.insert(.controlsTransaction)
        case "commit", "rollback", "prepare":
            facts.add(kind: "transaction." + kind)
            facts.flags.insert(.controlsTransaction)
        default: facts.add(kind: "transaction." + kind)
        }
    }
}
