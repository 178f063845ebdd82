internal import GatehouseCore

/// Where a statement's constants and parameters stand, by what they stand beside.
struct SafePlaces {
    let isMasked: (LineageColumn) -> Bool
    /// By offset in the text: the columns that it is compared with, or put into; none where it has nothing to do with a column.
    private var safe: [Int: Set<LineageColumn>] = [:]
    /// Seen beside something else: what is read several times, as a recursive query is, may be both.
    private var unsafe: Set<Int> = []
    /// Columns that meet in an expression, a join or an assignment, and so may have one value.
    private var mixes: [Set<LineageColumn>] = []

    /// A statement of more keeps nothing beside a column.
    private static let mixLimit = 256

    init(isMasked: @escaping (LineageColumn) -> Bool) {
        self.isMasked = isMasked
    }

    mutating func mix(_ columns: Set<LineageColumn>) {
        if columns.count > 1, mixes.count <= Self.mixLimit, mixes.last != columns { mixes.append(columns) }
    }

    /// - Parameter columns: nil: of what it stands beside nothing is known.
    mutating func note(_ offset: Int, beside columns: Set<LineageColumn>?) {
        if let columns { safe[offset, default: []].formUnion(columns) } else { unsafe.insert(offset) }
    }

    /// The offsets at which a value tells nothing of a masked column.
    var found: Set<Int> {
        var masked: Set<LineageColumn> = []
        func isTainted(_ column: LineageColumn) -> Bool { masked.contains(column) || isMasked(column) }
        var hasGrown = mixes.count <= Self.mixLimit
        while hasGrown {
            hasGrown = false
            for mix in mixes where mix.contains(where: isTainted) && !mix.isSubset(of: masked) {
                masked.formUnion(mix)
                hasGrown = true
            }
        }
        let isCertain = mixes.count <= Self.mixLimit
        return Set(
            safe.filter { offset, columns in
                !unsafe.contains(offset) && (columns.isEmpty || isCertain) && !columns.contains(where: isTainted)
            }.keys)
    }
}

/// Tells `SafePlaces` what constants stand beside.
extension LineageTracer {
    private static let comparisons: Set<String> = ["=", "<>", "!=", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*"]
    private static let comparisonKinds: Set<String> = [
        "op", "op_any", "op_all", "in", "like", "ilike", "distinct", "not_distinct", "between", "not_between", "between_sym",
        "not_between_sym",
    ]
    private static let castLimit = 8

    /// Where a constant or parameter stands, in casts perhaps; nil for anything else.
    private func offset(of node: Message) throws -> Int? {
        var node = node
        for _ in 0...Self.castLimit {
            switch node.kind {
            case .constant: return try node.number(LiteralFields.constantLocation)
            case .parameter: return try node.number(LiteralFields.parameterLocation)
            case .typeCast:
                guard let inner = try node.message(Fields.Expression.castArgument) else { return nil }
                node = inner
            default: return nil
            }
        }
        return nil
    }

    /// A constant that has nothing to do with any column.
    mutating func keep(_ node: Message?) throws {
        if let node, let offset = try offset(of: node) { places?.note(offset, beside: []) }
    }

    /// The columns whose very value this is; nil where it is something else.
    private func columns(of flow: LineageFlow) -> Set<LineageColumn>? {
        flow.isPure && flow.unknown == nil && !flow.values.isEmpty ? flow.values : nil
    }

    mutating func noteComparison(_ node: Message, left: LineageFlow, right: LineageFlow) throws {
        guard let leftNode = try node.message(Fields.Expression.left), let rightNode = try node.message(Fields.Expression.right) else {
            return
        }
        let name = try strings(try node.messages(Fields.Expression.name))
        let kind = Schema.enumName("A_Expr_Kind", try node.number(Fields.Expression.kind), dropping: "AEXPR_")
        let isPlain =
            Self.comparisonKinds.contains(kind)
            && (kind.contains("between") || name.last.map(Self.comparisons.contains) == true)
        try note(rightNode, beside: isPlain && leftNode.kind == .columnRef ? columns(of: left) : nil)
        try note(leftNode, beside: isPlain && rightNode.kind == .columnRef ? columns(of: right) : nil)
    }

    /// A constant, or a list of some.
    private mutating func note(_ node: Message, beside columns: Set<LineageColumn>?) throws {
        if let offset = try offset(of: node) {
            places?.note(offset, beside: columns)
        } else if node.kind == .list {
            for item in try node.messages(Fields.Common.items) {
                if let offset = try offset(of: item) { places?.note(offset, beside: columns) }
            }
        } else if node.info.name == "AArrayExpr" {
            for item in try node.messages(LiteralFields.arrayElements) {
                if let offset = try offset(of: item) { places?.note(offset, beside: columns) }
            }
        }
    }

    // MARK: Writes

    /// What the target's column of a name is: nil where that is not certain.
    private func column(_ name: String, of target: LineageItem) -> Set<LineageColumn>? {
        guard target.shape.open == nil else { return nil }
        let named = target.shape.columns.filter { $0.name == name }
        return named.count == 1 ? columns(of: named[0].flow) : nil
    }

    /// The columns that a list names, or all of them in their order.
    func columns(_ list: [Message], of target: LineageItem) throws -> [Set<LineageColumn>?] {
        guard !list.isEmpty else { return target.shape.open == nil ? target.shape.columns.map { columns(of: $0.flow) } : [] }
        // A part of a column (`address.zip`, `numbers[1]`) is as good as the column.
        return try list.map { column(try $0.text(Fields.Target.name) ?? "", of: target) }
    }

    mutating func noteAssignment(_ item: Message, _ value: LineageFlow, to target: LineageItem) throws {
        let column = try columns([item], of: target).first ?? nil
        places?.mix(value.values.union(column ?? []))
        guard let node = try item.message(Fields.Target.value), let offset = try offset(of: node) else { return }
        places?.note(offset, beside: column)
    }

    /// One row of values, and the columns that they are put into.
    mutating func noteRow(_ values: [Message], _ flows: [LineageFlow], into columns: [Set<LineageColumn>?]) throws {
        for (index, value) in values.enumerated() {
            let column = index < columns.count ? columns[index] : nil
            if index < flows.count { places?.mix(flows[index].values.union(column ?? [])) }
            if let offset = try offset(of: value) { places?.note(offset, beside: column) }
        }
    }

    mutating func noteInsert(_ query: Message, _ shape: LineageShape, into columns: [Set<LineageColumn>?]) throws {
        for (index, output) in shape.columns.enumerated() {
            places?.mix(output.flow.values.union(index < columns.count ? columns[index] ?? [] : []))
        }
        if let open = shape.open { places?.mix(columns.reduce(into: open.values) { $0.formUnion($1 ?? []) }) }
        guard query.kind == .select else { return }
        for row in try query.messages(Fields.Select.values) {
            try noteRow(try row.messages(Fields.Common.items), [], into: columns)
        }
    }
}
