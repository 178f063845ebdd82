/// One column of a query or of something in FROM.
struct LineageOutput: Equatable {
    /// nil: it has a name, which is not certain.
    var name: String?
    var flow: LineageFlow
}

/// The rows of a query, or of something in FROM.
struct LineageShape: Equatable {
    var columns: [LineageOutput] = []
    /// There may be more columns than are listed, made from these.
    var open: LineageFlow?
    /// What decides which rows there are.
    var rows = LineageFlow()

    /// What any column may hold.
    var all: LineageFlow {
        var flow = open ?? LineageFlow()
        for column in columns { flow.add(column.flow) }
        flow.isPure = false
        return flow
    }

    static func unknown(_ reason: String) -> LineageShape { LineageShape(open: .unknown(reason), rows: .unknown(reason)) }

    /// Gives the first columns other names (`AS t(a, b)`).
    mutating func rename(_ names: [String]) {
        guard !names.isEmpty else { return }
        for (index, name) in names.enumerated() {
            if index < columns.count {
                columns[index].name = name
            } else if let open {
                columns.append(LineageOutput(name: name, flow: open))
            }
        }
    }

    /// Makes everything depend on what chose the rows.
    mutating func apply(_ control: LineageFlow) {
        guard !control.isEmpty else { return }
        for index in columns.indices { columns[index].flow.addControl(control) }
        open?.addControl(control)
        rows.addControl(control)
    }
}

/// Something in FROM, or the target of a write, by the name that columns are qualified with.
final class LineageItem {
    let id: Int
    let name: String?
    /// Only for a relation that has no alias.
    let schema: String?
    /// A table or view: it has system columns, and its rows are not made by the statement.
    let isRelation: Bool
    let shape: LineageShape

    init(id: Int, name: String?, schema: String? = nil, isRelation: Bool = false, shape: LineageShape) {
        self.id = id
        self.name = name
        self.schema = schema
        self.isRelation = isRelation
        self.shape = shape
    }
}

/// What the names in an expression may mean: the items of the query at hand, then those of the queries around it.
final class LineageScope {
    let items: [LineageItem]
    let parent: LineageScope?

    init(_ items: [LineageItem], in parent: LineageScope?) {
        self.items = items
        self.parent = parent
    }

    /// PostgreSQL manual 5.5.
    static let systemColumns: Set<String> = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]
}

/// Common table expressions that can be named, the nearest last.
final class LineageTables {
    let parent: LineageTables?
    private(set) var tables: [String: LineageTable] = [:]

    init(in parent: LineageTables?) {
        self.parent = parent
    }

    func add(_ table: LineageTable) { tables[table.name] = table }

    func table(_ name: String) -> LineageTable? {
        var level: LineageTables? = self
        while let here = level {
            if let found = here.tables[name] { return found }
            level = here.parent
        }
        return nil
    }
}

/// A common table expression. Its lineage is found when it is first needed.
final class LineageTable {
    enum State {
        case fresh
        /// It is being found, and refers to itself: what is known so far.
        case running(LineageShape)
        case done(LineageShape)
    }

    let name: String
    let node: Message
    let scope: LineageScope?
    let isRecursive: Bool
    /// What its own query may name; kept by whoever may name this one. Weak, since a recursive one stands in its own list.
    private(set) weak var tables: LineageTables?
    var state = State.fresh
    var refersToItself = false

    init(name: String, node: Message, scope: LineageScope?, tables: LineageTables, isRecursive: Bool) {
        self.name = name
        self.node = node
        self.scope = scope
        self.tables = tables
        self.isRecursive = isRecursive
    }
}
