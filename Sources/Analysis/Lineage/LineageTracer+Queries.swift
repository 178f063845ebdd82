/// SELECT, VALUES and set operations.
extension LineageTracer {
    /// - Parameter isOutermost: Its rows go to the client as they are, so that a condition can choose among them and no more.
    mutating func select(_ node: Message, _ place: Place, isOutermost: Bool) throws -> LineageShape {
        guard node.kind == .select else {
            // A data-modifying query in WITH, or something that this does not know.
            return try write(node, place)
        }
        return try deeper { tracer in
            var place = place
            place.tables = try tracer.enter(try node.message(Fields.Select.with), place)
            switch Schema.enumName("SetOperation", try node.number(Fields.Select.operation), dropping: "SETOP_") {
            case "none":
                return try node.has(Fields.Select.values)
                    ? tracer.values(node, place, isOutermost: isOutermost) : tracer.plainSelect(node, place, isOutermost: isOutermost)
            case let operation: return try tracer.setOperation(node, operation, place, isOutermost: isOutermost)
            }
        }
    }

    // MARK: Conditions

    /// What chooses rows. Conditions that stand side by side choose independently of one another.
    ///
    /// - Parameter isOutermost: of the outermost query: what sees rows of a single table only is a probe and nothing more.
    mutating func choose(_ condition: Message?, _ place: Place, isOutermost: Bool, into rows: inout LineageFlow) throws {
        guard let condition else { return }
        if condition.kind == .boolExpression,
            Schema.enumName("BoolExprType", try condition.number(Fields.Expression.boolOperator), dropping: "") == "and_expr"
        {
            for part in try condition.messages(Fields.Expression.boolArguments) {
                try choose(part, place, isOutermost: isOutermost, into: &rows)
            }
            return
        }
        let outer = sight
        sight = Sight()
        let flow = try self.flow(condition, place)
        let isProbe = isOutermost && sight.items.count <= 1 && !sight.seesMadeRows && flow.unknown == nil
        sight = outer
        chosen(by: flow, isProbe: isProbe, into: &rows)
    }

    mutating func chosen(by flow: LineageFlow, isProbe: Bool, into rows: inout LineageFlow) {
        guard !flow.isEmpty else { return }
        probes.addControl(flow)
        if !isProbe { rows.addControl(flow) }
    }

    // MARK: VALUES

    private mutating func values(_ node: Message, _ place: Place, isOutermost: Bool) throws -> LineageShape {
        var shape = LineageShape()
        for (number, row) in try node.messages(Fields.Select.values).enumerated() {
            let items = try row.messages(Fields.Common.items)
            try spend(items.count)
            for (index, item) in items.enumerated() {
                let flow = try self.flow(item, place)
                if index >= shape.columns.count {
                    guard number == 0, index < Bounds.columns else { throw TooComplex() }
                    shape.columns.append(LineageOutput(name: "column\(index + 1)", flow: flow))
                } else {
                    shape.columns[index].flow.add(flow)
                }
            }
        }
        var rows = LineageFlow()
        try finish(node, place, isOutermost: isOutermost, shape: shape, rows: &rows)
        shape.apply(rows)
        return shape
    }

    // MARK: UNION, INTERSECT, EXCEPT

    private mutating func setOperation(_ node: Message, _ operation: String, _ place: Place, isOutermost: Bool) throws -> LineageShape {
        guard let left = try node.message(Fields.Select.left), let right = try node.message(Fields.Select.right) else {
            return .unknown("a set operation lacks an arm")
        }
        var shape = try select(left, place, isOutermost: false)
        let other = try select(right, place, isOutermost: false)
        shape = united(shape, other)
        var rows = shape.rows
        rows.addControl(other.rows)
        let isDistinct = try !node.flag(LineageFields.Select.isAll)
        if operation != "union" {
            // Which rows are left tells what the other arm holds.
            chosen(by: everything(of: other), isProbe: false, into: &rows)
            chosen(by: shape.all, isProbe: false, into: &rows)
        } else if isDistinct {
            chosen(by: shape.all, isProbe: isOutermost, into: &rows)
        }
        try finish(node, place, isOutermost: isOutermost, shape: shape, rows: &rows)
        shape.apply(rows)
        return shape
    }

    func united(_ left: LineageShape, _ right: LineageShape) -> LineageShape {
        guard left.open == nil, right.open == nil, left.columns.count == right.columns.count else {
            var open = left.all
            open.add(right.all)
            return LineageShape(open: open, rows: left.rows)
        }
        var shape = left
        for (index, column) in right.columns.enumerated() {
            let isPure = shape.columns[index].flow.isPure && column.flow.isPure
            shape.columns[index].flow.add(column.flow)
            shape.columns[index].flow.isPure = isPure
        }
        return shape
    }

    // MARK: SELECT

    private mutating func plainSelect(_ node: Message, _ place: Place, isOutermost: Bool) throws -> LineageShape {
        var rows = LineageFlow()
        let from = try self.from(try node.messages(Fields.Select.from), place, isOutermost: isOutermost, rows: &rows)
        var inner = place
        inner.scope = LineageScope(from.items, in: place.scope)
        try choose(try node.message(Fields.Select.condition), inner, isOutermost: isOutermost, into: &rows)
        var shape = try outputs(try node.messages(Fields.Select.targets), inner, from.star)
        for item in try node.messages(LineageFields.Select.group) {
            try chooseByKey(item, inner, shape, isOutermost: isOutermost, into: &rows)
        }
        try choose(try node.message(LineageFields.Select.having), inner, isOutermost: isOutermost, into: &rows)
        for window in try node.messages(LineageFields.Select.windows) {
            try choose(window, inner, isOutermost: false, into: &rows)
        }
        try distinct(node, inner, shape, isOutermost: isOutermost, rows: &rows)
        try finish(node, inner, isOutermost: isOutermost, shape: shape, rows: &rows)
        shape.apply(rows)
        return shape
    }

    private mutating func distinct(
        _ node: Message, _ place: Place, _ shape: LineageShape, isOutermost: Bool, rows: inout LineageFlow
    ) throws {
        guard try node.has(LineageFields.Select.distinct) else { return }
        let keys = try node.messages(LineageFields.Select.distinct)
        // Plain DISTINCT is a list of one empty node.
        if keys.isEmpty { return chosen(by: shape.all, isProbe: isOutermost, into: &rows) }
        for key in keys { try chooseByKey(key, place, shape, isOutermost: isOutermost, into: &rows) }
    }

    /// ORDER BY, LIMIT and OFFSET.
    private mutating func finish(
        _ node: Message, _ place: Place, isOutermost: Bool, shape: LineageShape, rows: inout LineageFlow
    ) throws {
        for key in try node.messages(LineageFields.Select.sort) {
            try chooseByKey(key, place, shape, isOutermost: isOutermost, into: &rows)
        }
        if places != nil {
            try keep(try node.message(Fields.Select.limit))
            try keep(try node.message(LineageFields.Select.offset))
        }
        try choose(try node.message(Fields.Select.limit), place, isOutermost: isOutermost, into: &rows)
        try choose(try node.message(LineageFields.Select.offset), place, isOutermost: isOutermost, into: &rows)
    }

    /// A key of ORDER BY, GROUP BY or DISTINCT ON: a place or a name of the select list, or an expression.
    private mutating func chooseByKey(
        _ key: Message, _ place: Place, _ shape: LineageShape, isOutermost: Bool, into rows: inout LineageFlow
    ) throws {
        let node = try key.kind == .sortBy ? key.message(LineageFields.Select.sortNode) ?? key : key
        if node.kind == .constant, let number = try node.message(Fields.Constant.integer)?.number(Fields.Constant.integerValue) {
            if places != nil { try keep(node) }
            let flow = number > 0 && number <= shape.columns.count && shape.open == nil ? shape.columns[number - 1].flow : shape.all
            return chosen(by: flow, isProbe: isOutermost && flow.isPure, into: &rows)
        }
        if node.kind == .columnRef {
            let fields = try node.messages(Fields.Common.columnFields)
            if fields.count == 1, let name = try strings(fields).first,
                let output = shape.columns.first(where: { $0.name == name })
            {
                // An expression may see several rows at once; a column does not.
                chosen(by: output.flow, isProbe: isOutermost && output.flow.isPure, into: &rows)
                // An ORDER BY means the output, a GROUP BY the column, where both have the name.
                if place.scope?.items.contains(where: { $0.shape.columns.contains { $0.name == name } }) != true { return }
            }
        }
        try choose(key, place, isOutermost: isOutermost, into: &rows)
    }

    // MARK: Select lists

    /// The columns of a select list or of RETURNING.
    ///
    /// - Parameter star: What `*` stands for.
    mutating func outputs(_ targets: [Message], _ place: Place, _ star: LineageShape) throws -> LineageShape {
        var shape = LineageShape()
        for target in targets {
            try spend()
            guard let value = try target.message(Fields.Target.value) else {
                shape.open = .unknown("an item of a list is not understood")
                continue
            }
            if let expanded = try expansion(value, place, star) {
                try spend(expanded.columns.count)
                guard shape.columns.count + expanded.columns.count <= Bounds.columns else { throw TooComplex() }
                shape.columns += expanded.columns
                if let open = expanded.open { if shape.open == nil { shape.open = open } else { shape.open?.add(open) } }
                continue
            }
            let name = try target.text(Fields.Target.name) ?? ""
            let flow = try self.flow(value, place)
            guard shape.columns.count < Bounds.columns else { throw TooComplex() }
            shape.columns.append(LineageOutput(name: name.isEmpty ? try self.name(of: value) : name, flow: flow))
        }
        return shape
    }

    /// What `*`, `t.*` or `(expression).*` stands for; nil for anything else.
    private mutating func expansion(_ value: Message, _ place: Place, _ star: LineageShape) throws -> LineageShape? {
        if value.kind == .columnRef {
            let fields = try value.messages(Fields.Common.columnFields)
            guard fields.last?.kind == .star else { return nil }
            let qualifier = try strings(fields)
            if qualifier.isEmpty { return star }
            guard let items = items(qualifier, place.scope), items.count == 1 else {
                return LineageShape(open: try column(value, place))
            }
            for item in items { sight.items.insert(item.id) }
            return LineageShape(columns: items[0].shape.columns, open: items[0].shape.open)
        }
        guard value.kind == .indirection, try value.messages(Fields.Expression.indirection).last?.kind == .star else { return nil }
        if try value.messages(Fields.Expression.indirection).count == 1,
            let argument = try value.message(LineageFields.Expression.indirectionArgument), let item = try item(named: argument, place)
        {
            return LineageShape(columns: item.shape.columns, open: item.shape.open)
        }
        return LineageShape(open: try flow(value, place))
    }

    // MARK: WITH

    /// The common table expressions that can be named below.
    mutating func enter(_ with: Message?, _ place: Place) throws -> LineageTables? {
        guard let with else { return place.tables }
        let isRecursive = try with.flag(Fields.With.isRecursive)
        var visible = place.tables
        let shared = LineageTables(in: place.tables)
        if isRecursive { visible = shared }
        for query in try with.messages(Fields.With.queries) {
            try spend()
            let name = try query.text(Fields.With.name) ?? ""
            let own = isRecursive ? shared : visible ?? LineageTables(in: nil)
            let table = LineageTable(name: name, node: query, scope: place.scope, tables: own, isRecursive: isRecursive)
            if isRecursive {
                shared.add(table)
            } else {
                let next = LineageTables(in: own)
                next.add(table)
                visible = next
            }
            // One that writes runs, whether it is named or not.
            if try query.message(Fields.With.query)?.kind != .select { _ = try shape(of: table) }
        }
        return visible
    }

    mutating func shape(of table: LineageTable) throws -> LineageShape {
        switch table.state {
        case .done(let shape): return shape
        case .running(let shape):
            table.refersToItself = true
            return shape
        case .fresh: break
        }
        guard let query = try table.node.message(Fields.With.query), let tables = table.tables else {
            return .unknown("a query is missing")
        }
        let place = Place(scope: table.scope, tables: tables)
        let names = try strings(try table.node.messages(Fields.With.columns))
        table.state = .running(
            try table.isRecursive ? firstArm(of: query, table, names, place) : .unknown("\(table.name) is not known here"))
        table.refersToItself = false
        var shape = try named(select(query, place, isOutermost: false), names, table)
        var round = 0
        while table.refersToItself {
            table.state = .running(shape)
            table.refersToItself = false
            let next = try named(select(query, place, isOutermost: false), names, table)
            if next == shape { break }
            round += 1
            guard round <= Bounds.rounds else { throw TooComplex() }
            shape = next
        }
        table.state = .done(shape)
        return shape
    }

    /// What a recursive query begins with.
    private mutating func firstArm(
        of query: Message, _ table: LineageTable, _ names: [String], _ place: Place
    ) throws -> LineageShape {
        table.state = .running(.unknown("\(table.name) refers to itself"))
        guard query.kind == .select, let left = try query.message(Fields.Select.left) else {
            return .unknown("\(table.name) refers to itself")
        }
        var inner = place
        inner.tables = try enter(try query.message(Fields.Select.with), place)
        return try named(select(left, inner, isOutermost: false), names, table)
    }

    private func named(_ shape: LineageShape, _ names: [String], _ table: LineageTable) throws -> LineageShape {
        var shape = shape
        shape.rename(names)
        // SEARCH and CYCLE add columns that are made from others (PostgreSQL manual 7.8.2).
        var added: [String] = []
        if let search = try table.node.message(LineageFields.With.search) {
            added.append(try search.text(LineageFields.With.searchColumn) ?? "")
        }
        if let cycle = try table.node.message(LineageFields.With.cycle) {
            added.append(try cycle.text(LineageFields.With.markColumn) ?? "")
            added.append(try cycle.text(LineageFields.With.pathColumn) ?? "")
        }
        guard !added.isEmpty else { return shape }
        let all = shape.all
        for name in added { shape.columns.append(LineageOutput(name: name, flow: all)) }
        return shape
    }
}
