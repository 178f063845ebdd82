internal import GatehouseCore

/// Follows the columns of one statement through its tree.
///
/// Names are looked up as the server does (`parse_relation.c`, `parse_expr.c`): the nearest query that has the name counts.
/// Where that cannot be told, everything that the name may mean counts together.
///
/// **What flows.** Every operand flows into what is made from it, conditions of CASE and FILTER and the order of an aggregate
/// included. What chooses the rows of a query (WHERE, ON, USING, GROUP BY, HAVING, DISTINCT, ORDER BY, LIMIT, arguments of a
/// function in FROM) flows into all of its columns as `control`, with one exception: in the outermost query a condition over the
/// columns of a single table is a probe and nothing more, for it can choose among rows that are there and cannot make any.
struct LineageTracer {
    /// Beyond these the lineage is unknown.
    enum Bounds {
        /// Nodes visited and columns listed; a text at the length limit has fewer nodes.
        static let work = 400_000
        /// Of expressions, queries and FROM items inside of one another.
        static let depth = 300
        /// Of one query; the server has 1664 at most.
        static let columns = 2_000
        /// Rounds in which a recursive query may still find new columns.
        static let rounds = 32
    }

    struct TooComplex: Error {}

    /// Where a node stands.
    struct Place {
        var scope: LineageScope?
        var tables: LineageTables?
    }

    /// What a condition was seen to name.
    struct Sight {
        var items: Set<Int> = []
        /// It names something that is not a row of a table: a row that the statement makes, or a query.
        var seesMadeRows = false
    }

    private let catalog: any LineageCatalog
    private var work = 0
    private var depth = 0
    private var itemCount = 0
    var sight = Sight()
    var probes = LineageFlow()
    var copies = LineageFlow()
    /// Where constants may be kept, for whoever asks for that.
    var places: SafePlaces?

    init(catalog: some LineageCatalog) {
        self.catalog = catalog
    }

    mutating func trace(_ statement: Message) throws -> Lineage? {
        let none = Place()
        switch statement.kind {
        case .select:
            let into = try statement.has(Fields.Select.into)
            let shape = try select(statement, none, isOutermost: !into)
            if into { copies.add(everything(of: shape)) }
            return result(into ? nil : shape)
        case .insert, .update, .delete, .merge:
            // Not in one expression: what is kept is read after the walk.
            let shape = try write(statement, none)
            return result(shape)
        case .declareCursor:
            return try statement.message(Fields.Statement.declareQuery).flatMap { try trace($0) }
        case .prepare:
            return try statement.message(Fields.Statement.prepareQuery).flatMap { try trace($0) }
        case .explain:
            var lineage = try statement.message(Fields.Statement.explainQuery).flatMap { try trace($0) }
            // Its rows are a plan, which may quote and count what the statement reads.
            lineage?.columns = nil
            lineage?.overall = nil
            return lineage
        case .copy: return try copy(statement)
        case .createTableAs:
            guard let query = try statement.message(Fields.Statement.asQuery) else { return nil }
            // CREATE TABLE .. AS EXECUTE name: its rows are those of another text.
            guard query.kind == .select else { return stored(.unknown("it keeps the rows of a statement that was made before")) }
            return stored(everything(of: try select(query, none, isOutermost: false)))
        case .view:
            guard let query = try statement.message(LineageFields.Write.viewQuery), query.kind == .select else { return nil }
            return stored(everything(of: try select(query, none, isOutermost: false)))
        default: return nil
        }
    }

    private mutating func copy(_ statement: Message) throws -> Lineage? {
        guard let query = try statement.message(Fields.Copy.query) else { return nil }
        let toServer = try statement.has(Fields.Copy.file) || statement.flag(Fields.Copy.isProgram)
        let shape = try query.kind == .select ? select(query, Place(), isOutermost: !toServer) : write(query, Place())
        if toServer { copies.add(everything(of: shape)) }
        return result(toServer ? nil : shape)
    }

    private mutating func stored(_ flow: LineageFlow) -> Lineage {
        copies.add(flow)
        return result(nil)
    }

    func everything(of shape: LineageShape) -> LineageFlow {
        var flow = shape.all
        flow.addControl(shape.rows)
        return flow
    }

    private func result(_ shape: LineageShape?) -> Lineage {
        var lineage = Lineage()
        lineage.probes = probes
        lineage.copies = copies
        guard let shape else { return lineage }
        lineage.overall = shape.all
        if shape.open == nil { lineage.columns = shape.columns.map { Lineage.Output(name: $0.name, flow: $0.flow) } }
        return lineage
    }

    // MARK: Bounds

    mutating func spend(_ amount: Int = 1) throws {
        work += amount
        guard work <= Bounds.work else { throw TooComplex() }
    }

    mutating func deeper<Result>(_ body: (inout Self) throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Bounds.depth else { throw TooComplex() }
        try spend()
        return try body(&self)
    }

    // MARK: Relations

    mutating func item(
        _ name: String?, schema: String? = nil, isRelation: Bool = false, shape: LineageShape
    ) throws -> LineageItem {
        itemCount += 1
        try spend(shape.columns.count)
        guard shape.columns.count <= Bounds.columns else { throw TooComplex() }
        return LineageItem(id: itemCount, name: name, schema: schema, isRelation: isRelation, shape: shape)
    }

    mutating func shape(ofRelation name: QualifiedName) throws -> LineageShape {
        let candidates = catalog.relations(named: name)
        guard let first = candidates.first else { return .unknown("\(name) is not known") }
        for candidate in candidates { try spend(candidate.columns.count) }
        let names = first.columns.map(\.name)
        guard candidates.allSatisfy({ $0.columns.map(\.name) == names }) else {
            var flow = LineageFlow()
            for candidate in candidates { for column in candidate.columns { flow.values.insert(candidate.id(of: column)) } }
            return LineageShape(open: flow)
        }
        return LineageShape(
            columns: first.columns.indices.map { index in
                let values = candidates.map { $0.id(of: $0.columns[index]) }
                return LineageOutput(name: names[index], flow: LineageFlow(values: Set(values), isPure: true))
            })
    }
}

extension LineageRelation {
    func id(of column: Column) -> LineageColumn { LineageColumn(table: oid, attnum: column.attnum) }
}
