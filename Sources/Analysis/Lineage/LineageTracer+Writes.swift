internal import GatehouseCore

/// INSERT, UPDATE, DELETE and MERGE: what they keep, and what RETURNING gives back.
extension LineageTracer {
    /// The rows of RETURNING; none without it.
    mutating func write(_ node: Message, _ place: Place) throws -> LineageShape {
        try deeper { tracer in
            var place = place
            switch node.kind {
            case .insert:
                place.tables = try tracer.enter(try node.message(Fields.Insert.with), place)
                return try tracer.insert(node, place)
            case .update:
                place.tables = try tracer.enter(try node.message(Fields.Update.with), place)
                return try tracer.update(node, place)
            case .delete:
                place.tables = try tracer.enter(try node.message(Fields.Delete.with), place)
                return try tracer.delete(node, place)
            case .merge:
                place.tables = try tracer.enter(try node.message(Fields.Merge.with), place)
                return try tracer.merge(node, place)
            default:
                tracer.copies.add(.unknown("\(node.info.name) is not followed"))
                return .unknown("\(node.info.name) is not followed")
            }
        }
    }

    /// The relation that is written: a name of a common table expression does not hide it.
    private mutating func target(_ node: Message?) throws -> LineageItem {
        guard let node else { return try item(nil, shape: .unknown("a write lacks its target")) }
        let name = try node.text(Fields.RangeVar.name) ?? ""
        let schema = try node.text(Fields.RangeVar.schema).flatMap { $0.isEmpty ? nil : $0 }
        let alias = try node.message(Fields.RangeVar.alias)
        var shape = try shape(ofRelation: QualifiedName(schema: schema, name: name))
        if let alias { shape.rename(try strings(try alias.messages(Fields.Common.aliasColumns))) }
        return try item(
            try alias?.text(Fields.Common.aliasName) ?? name, schema: alias == nil ? schema : nil, isRelation: true, shape: shape)
    }

    /// What is kept, with everything that chose it.
    private mutating func keep(_ values: LineageFlow, _ rows: LineageFlow) {
        var flow = values
        flow.addControl(rows)
        copies.add(flow)
    }

    private mutating func returning(
        _ items: [Message], _ place: Place, of target: LineageItem, beside others: [LineageItem], _ rows: LineageFlow
    ) throws -> LineageShape {
        guard !items.isEmpty else { return LineageShape(rows: rows) }
        // OLD and NEW are rows of the target (PostgreSQL 18).
        let old = try item("old", shape: target.shape)
        let new = try item("new", shape: target.shape)
        var inner = place
        inner.scope = LineageScope([target] + others, in: LineageScope([old, new], in: place.scope))
        var star = LineageShape()
        for source in [target] + others {
            star.columns += source.shape.columns
            if let open = source.shape.open { if star.open == nil { star.open = open } else { star.open?.add(open) } }
        }
        var shape = try outputs(items, inner, star)
        shape.apply(rows)
        return shape
    }

    /// `SET a = .., (b, c) = (SELECT ..)`: the values, and what chooses an array's element.
    private mutating func assignments(_ items: [Message], _ place: Place, to target: LineageItem) throws -> LineageFlow {
        var flow = LineageFlow()
        for item in items {
            let value = try self.flow(try item.message(Fields.Target.value), place)
            if places != nil { try noteAssignment(item, value, to: target) }
            flow.add(value)
            for step in try item.messages(LineageFields.Write.indirection) where step.kind != .string {
                flow.add(try self.flow(step, place))
            }
        }
        return flow
    }

    // MARK: INSERT

    private mutating func insert(_ node: Message, _ place: Place) throws -> LineageShape {
        let target = try target(try node.message(Fields.Insert.relation))
        var kept = LineageFlow()
        if let query = try node.message(Fields.Insert.query) {
            let shape = try select(query, place, isOutermost: false)
            if places != nil { try noteInsert(query, shape, into: try columns(try node.messages(Fields.Insert.columns), of: target)) }
            kept = everything(of: shape)
            keep(kept, LineageFlow())
        }
        var rows = LineageFlow()
        if let conflict = try node.message(LineageFields.Write.onConflict) {
            // EXCLUDED is the row that was to be inserted.
            let proposed = LineageShape(
                columns: target.shape.columns.map { LineageOutput(name: $0.name, flow: kept) }, open: target.shape.open)
            let excluded = try item("excluded", shape: proposed)
            var inner = place
            inner.scope = LineageScope([target, excluded], in: place.scope)
            try choose(try conflict.message(LineageFields.Write.conflictInfer), inner, isOutermost: false, into: &rows)
            try choose(try conflict.message(LineageFields.Write.conflictCondition), inner, isOutermost: false, into: &rows)
            let targets = try conflict.messages(Fields.Insert.conflictTargets)
            if !targets.isEmpty { keep(try assignments(targets, inner, to: target), rows) }
        }
        return try returning(try node.messages(Fields.Insert.returning), place, of: target, beside: [], rows)
    }

    // MARK: UPDATE, DELETE

    private mutating func update(_ node: Message, _ place: Place) throws -> LineageShape {
        let target = try target(try node.message(Fields.Update.relation))
        var rows = LineageFlow()
        let sources = try from(
            try node.messages(LineageFields.Write.updateFrom), place.beside([target]), isOutermost: false, rows: &rows)
        var inner = place
        inner.scope = LineageScope([target] + sources.items, in: place.scope)
        try choose(try node.message(Fields.Update.condition), inner, isOutermost: false, into: &rows)
        keep(try assignments(try node.messages(Fields.Update.targets), inner, to: target), rows)
        return try returning(try node.messages(Fields.Update.returning), place, of: target, beside: sources.items, rows)
    }

    private mutating func delete(_ node: Message, _ place: Place) throws -> LineageShape {
        let target = try target(try node.message(Fields.Delete.relation))
        var rows = LineageFlow()
        let sources = try from(
            try node.messages(LineageFields.Write.deleteUsing), place.beside([target]), isOutermost: false, rows: &rows)
        var inner = place
        inner.scope = LineageScope([target] + sources.items, in: place.scope)
        try choose(try node.message(Fields.Delete.condition), inner, isOutermost: false, into: &rows)
        return try returning(try node.messages(Fields.Delete.returning), place, of: target, beside: sources.items, rows)
    }

    // MARK: MERGE

    private mutating func merge(_ node: Message, _ place: Place) throws -> LineageShape {
        let target = try target(try node.message(Fields.Merge.relation))
        var rows = LineageFlow()
        let source = try node.message(LineageFields.Write.mergeSource).map { [$0] } ?? []
        let sources = try from(source, place, isOutermost: false, rows: &rows)
        var inner = place
        inner.scope = LineageScope([target] + sources.items, in: place.scope)
        try choose(try node.message(Fields.Merge.condition), inner, isOutermost: false, into: &rows)
        for clause in try node.messages(Fields.Merge.clauses) {
            try choose(try clause.message(Fields.Merge.clauseCondition), inner, isOutermost: false, into: &rows)
            let targets = try clause.messages(Fields.Merge.targets)
            var values = try assignments(targets, inner, to: target)
            let inserted = try clause.messages(LineageFields.Write.mergeValues)
            if places != nil { try noteRow(inserted, try inserted.map { try flow($0, inner) }, into: try columns(targets, of: target)) }
            values.add(try flow(inserted, inner))
            // A clause that deletes keeps nothing.
            let command = Schema.enumName("CmdType", try clause.number(Fields.Merge.command), dropping: "CMD_")
            if command == "insert" || command == "update" { keep(values, rows) }
        }
        // `*` of a MERGE gives the source's columns first, of the others the target's.
        var shape = try returning(try node.messages(Fields.Merge.returning), place, of: target, beside: sources.items, rows)
        if shape.columns.count > 1 {
            shape.open = shape.all
            shape.columns = []
        }
        return shape
    }
}
