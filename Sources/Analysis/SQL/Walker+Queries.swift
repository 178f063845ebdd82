internal import GatehouseCore

/// SELECT, INSERT, UPDATE, DELETE and MERGE.
extension Walker {
    // MARK: WITH

    /// Visits the queries of a WITH clause; the names that it brings into scope, to be given to `leave`.
    ///
    /// Without RECURSIVE a query sees only those before it (PostgreSQL manual 7.8); with it, all, itself included.
    private mutating func enter(_ with: Message?) throws -> [String] {
        guard let with else { return [] }
        let isRecursive = try with.flag(Fields.With.isRecursive)
        let queries = try with.messages(Fields.With.queries)
        var names: [String] = []
        for query in queries { names.append(try query.text(Fields.With.name) ?? "") }
        if isRecursive { for name in names { commonTables[name, default: 0] += 1 } }
        for (query, name) in zip(queries, names) {
            facts.columns.formUnion(try strings(try query.messages(Fields.With.columns)))
            try visitChildren(query, except: Fields.With.columns)
            if !isRecursive { commonTables[name, default: 0] += 1 }
        }
        return names
    }

    private mutating func leave(_ names: [String]) {
        for name in names { commonTables[name, default: 1] -= 1 }
    }

    // MARK: SELECT

    /// - Parameter isOutermost: Its rows are what the client gets, so its list is the one that is not "inner".
    mutating func select(_ node: Message, isOutermost: Bool) throws {
        queryDepth += 1
        defer { queryDepth -= 1 }
        facts.add(kind: "select")
        if isOutermost, try !node.has(Fields.Select.into) { try noteBound(node) }
        let outerSettingsName = settingsName
        settingsName = try filteredSettingsName(node)
        defer { settingsName = outerSettingsName }
        let names = try enter(try node.message(Fields.Select.with))
        try notePlaces(node)
        let isSetOperation = Schema.enumName("SetOperation", try node.number(Fields.Select.operation), dropping: "SETOP_") != "none"
        if let into = try node.message(Fields.Select.into) { try selectInto(into) }
        if isOutermost {
            if try isSetOperation || node.has(Fields.Select.values) { facts.flags.insert(.computes) }
            try outputs(try node.messages(Fields.Select.targets))
        } else {
            try visit(try node.messages(Fields.Select.targets))
        }
        try visitChildren(node, except: Fields.Select.with, Fields.Select.into, Fields.Select.targets)
        leave(names)
    }

    /// A number in ORDER BY, GROUP BY or DISTINCT ON is a place in the select list: lineage looks at it.
    private mutating func notePlaces(_ node: Message) throws {
        for key in try node.messages(LineageFields.Select.sort) where try key.message(LineageFields.Select.sortNode)?.kind == .constant {
            facts.readLiteral = true
        }
        for field in [LineageFields.Select.group, LineageFields.Select.distinct] {
            for key in try node.messages(field) where key.kind == .constant { facts.readLiteral = true }
        }
    }

    /// `SELECT set_config(name, ..) FROM pg_settings WHERE name = 'x'` is how pg_dump changes a setting that a server may not
    /// have. Nothing but that very shape is taken for it.
    private mutating func filteredSettingsName(_ node: Message) throws -> String? {
        let from = try node.messages(Fields.Select.from)
        guard from.count == 1, from[0].kind == .rangeVar, try node.message(Fields.Select.with) == nil,
            try from[0].text(Fields.RangeVar.name) == "pg_settings", try from[0].message(Fields.RangeVar.alias) == nil,
            let condition = try node.message(Fields.Select.condition), condition.kind == .operatorExpression,
            Schema.enumName("A_Expr_Kind", try condition.number(Fields.Expression.kind), dropping: "AEXPR_") == "op",
            try strings(try condition.messages(Fields.Expression.name)) == ["="],
            let left = try condition.message(Fields.Expression.left), try isBareName(left),
            let right = try condition.message(Fields.Expression.right)
        else { return nil }
        let schema = try from[0].text(Fields.RangeVar.schema) ?? ""
        guard schema.isEmpty || schema == "pg_catalog" else { return nil }
        return try literalText(right)?.asciiLowercased
    }

    /// The column reference `name`.
    func isBareName(_ node: Message) throws -> Bool {
        guard node.kind == .columnRef else { return false }
        return try strings(try node.messages(Fields.Common.columnFields)) == ["name"]
    }

    /// The outermost list, of SELECT or RETURNING.
    private mutating func outputs(_ items: [Message]) throws {
        for item in items {
            guard item.kind == .resTarget, let value = try item.message(Fields.Target.value) else {
                try visit(item)
                continue
            }
            if value.kind == .columnRef {
                try column(value, isPlainItem: true)
            } else {
                facts.flags.insert(.computes)
                try visit(value)
            }
        }
    }

    private mutating func returning(_ node: Message, _ field: Int, isOutermost: Bool) throws {
        let items = try node.messages(field)
        if isOutermost { try outputs(items) } else { try visit(items) }
    }

    mutating func selectInto(_ into: Message) throws {
        facts.add(kind: "create.table_as")
        try movesRows(into)
    }

    /// The target of SELECT INTO, CREATE TABLE AS and CREATE MATERIALIZED VIEW.
    mutating func movesRows(_ into: Message) throws {
        facts.flags.formUnion([.movesData, .changesSchema])
        if let target = try into.message(Fields.Select.intoRelation) { try relation(target, .define, mayBeCommonTable: false) }
        facts.columns.formUnion(try strings(try into.messages(Fields.Select.intoColumns)))
        try visitChildren(into, except: Fields.Select.intoRelation, Fields.Select.intoColumns)
    }

    // MARK: INSERT

    mutating func insert(_ node: Message, isOutermost: Bool) throws {
        queryDepth += 1
        defer { queryDepth -= 1 }
        facts.add(kind: "insert")
        if isOutermost { try noteBound(node) }
        let names = try enter(try node.message(Fields.Insert.with))
        if let target = try node.message(Fields.Insert.relation) { try relation(target, .write, mayBeCommonTable: false) }
        try assignments(try node.messages(Fields.Insert.columns))
        if let query = try node.message(Fields.Insert.query) {
            try insertSource(query)
        }
        try returning(node, Fields.Insert.returning, isOutermost: isOutermost)
        try visitChildren(
            node, except: Fields.Insert.with, Fields.Insert.relation, Fields.Insert.columns, Fields.Insert.query, Fields.Insert.returning)
        leave(names)
    }

    /// VALUES alone is no query of its own; anything else copies rows.
    private mutating func insertSource(_ query: Message) throws {
        let before = facts.objects.count
        if try query.has(Fields.Select.values), try query.message(Fields.Select.with) == nil {
            try visitChildren(query)
            // VALUES ((SELECT ssn FROM customers)) copies as well.
            if facts.objects.count > before, facts.effect == .runs { facts.flags.insert(.movesData) }
        } else {
            try visit(query)
            if facts.effect == .runs { facts.flags.insert(.movesData) }
        }
    }

    /// Targets of an assignment: their names are columns.
    private mutating func assignments(_ items: [Message]) throws {
        for item in items {
            if item.kind == .resTarget, let name = try item.text(Fields.Target.name) { facts.columns.insert(name) }
            try visit(item)
        }
    }

    mutating func onConflict(_ node: Message) throws {
        let targets = try node.messages(Fields.Insert.conflictTargets)
        if !targets.isEmpty { facts.add(kind: "update") }
        try assignments(targets)
        try visitChildren(node, except: Fields.Insert.conflictTargets)
    }

    // MARK: UPDATE, DELETE

    mutating func update(_ node: Message, isOutermost: Bool) throws {
        queryDepth += 1
        defer { queryDepth -= 1 }
        facts.add(kind: "update")
        if isOutermost { try noteBound(node) }
        let names = try enter(try node.message(Fields.Update.with))
        if let target = try node.message(Fields.Update.relation) {
            try relation(target, .write, mayBeCommonTable: false)
            try settingsView(target)
        }
        try assignments(try node.messages(Fields.Update.targets))
        try judgeWhere(try node.message(Fields.Update.condition))
        try returning(node, Fields.Update.returning, isOutermost: isOutermost)
        try visitChildren(
            node, except: Fields.Update.with, Fields.Update.relation, Fields.Update.targets, Fields.Update.returning)
        leave(names)
    }

    /// UPDATE pg_settings calls set_config (PostgreSQL manual 54.24).
    private mutating func settingsView(_ target: Message) throws {
        let schema = try target.text(Fields.RangeVar.schema)
        guard try target.text(Fields.RangeVar.name) == "pg_settings", schema == nil || schema == "pg_catalog" else { return }
        facts.add(kind: "set")
        facts.settings.append(SettingChange(name: nil, value: nil, isLocal: false))
    }

    mutating func delete(_ node: Message, isOutermost: Bool) throws {
        queryDepth += 1
        defer { queryDepth -= 1 }
        facts.add(kind: "delete")
        if isOutermost { try noteBound(node) }
        let names = try enter(try node.message(Fields.Delete.with))
        if let target = try node.message(Fields.Delete.relation) { try relation(target, .write, mayBeCommonTable: false) }
        try judgeWhere(try node.message(Fields.Delete.condition))
        try returning(node, Fields.Delete.returning, isOutermost: isOutermost)
        try visitChildren(node, except: Fields.Delete.with, Fields.Delete.relation, Fields.Delete.returning)
        leave(names)
    }

    private mutating func judgeWhere(_ condition: Message?) throws {
        guard facts.effect == .runs else { return }
        guard let condition else {
            facts.flags.insert(.unboundedWrite)
            return
        }
        if try truth(of: condition).canHoldForAll { facts.flags.insert(.unboundedWrite) }
    }

    // MARK: MERGE

    mutating func merge(_ node: Message, isOutermost: Bool) throws {
        queryDepth += 1
        defer { queryDepth -= 1 }
        facts.add(kind: "merge")
        let names = try enter(try node.message(Fields.Merge.with))
        if let target = try node.message(Fields.Merge.relation) {
            try relation(target, .write, mayBeCommonTable: false)
            try settingsView(target)
        }
        let join: Truth = if let condition = try node.message(Fields.Merge.condition) { try truth(of: condition) } else { .isTrue }
        for clause in try node.messages(Fields.Merge.clauses) { try mergeClause(clause, join: join) }
        try returning(node, Fields.Merge.returning, isOutermost: isOutermost)
        try visitChildren(
            node, except: Fields.Merge.with, Fields.Merge.relation, Fields.Merge.clauses, Fields.Merge.returning)
        leave(names)
    }

    /// A clause that updates or deletes without a condition of its own is unbounded where the join matches every row, and
    /// always for WHEN NOT MATCHED BY SOURCE: then it is the absence of a match that selects rows.
    private mutating func mergeClause(_ clause: Message, join: Truth) throws {
        let command = Schema.enumName("CmdType", try clause.number(Fields.Merge.command), dropping: "CMD_")
        if command == "insert" || command == "update" || command == "delete" { facts.add(kind: command) }
        let match = Schema.enumName("MergeMatchKind", try clause.number(Fields.Merge.match), dropping: "MERGE_WHEN_")
        if facts.effect == .runs, command == "update" || command == "delete" {
            let own: Truth =
                if let condition = try clause.message(Fields.Merge.clauseCondition) { try truth(of: condition) } else { .isTrue }
            let matchesAll = match == "not_matched_by_source" || join.canHoldForAll
            if matchesAll, own.canHoldForAll { facts.flags.insert(.unboundedWrite) }
        }
        try assignments(try clause.messages(Fields.Merge.targets))
        try visitChildren(clause, except: Fields.Merge.targets)
    }
}
