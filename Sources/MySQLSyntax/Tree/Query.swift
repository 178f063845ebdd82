/// A SELECT, VALUES or TABLE, or several of them by set operators.
public struct Query: Sendable, Hashable {
    public struct CommonTable: Sendable, Hashable {
        public var name: String
        public var columns: [String]
        public var query: Query
    }

    public indirect enum Body: Sendable, Hashable {
        case select(Select)
        case values([[Expression]])
        /// TABLE t: an index into ``Statement/tables``.
        case table(Int)
        case parenthesised(Query)
        /// UNION, INTERSECT and EXCEPT, as written from left to right.
        case set([Body])
    }

    public var isRecursive = false
    public var commonTables: [CommonTable] = []
    public var body: Body
    public var order: [Expression] = []
    public var hasLimit = false
    public var range: Range<Int>
}

public struct Select: Sendable, Hashable {
    public struct Item: Sendable, Hashable {
        public var expression: Expression
        public var alias: String?
    }

    /// Index of the query block among the statement's, from 0 in the order in which they begin.
    public var scope: Int
    public var isDistinct = false
    public var items: [Item] = []
    public var from: [FromItem] = []
    /// Of joins, in the order of the text.
    public var joinConditions: [Expression] = []
    public var condition: Expression?
    public var groups: [Expression] = []
    public var having: Expression?
}

public struct FromItem: Sendable, Hashable {
    public indirect enum Source: Sendable, Hashable {
        /// An index into ``Statement/tables``.
        case table(Int)
        /// A name that WITH defines.
        case common(String)
        case derived(Query)
        case jsonTable(Expression, columns: [String])
        case tableFunction(Expression)
    }

    public var source: Source
    public var alias: String?
    /// Names that the alias gives to the columns.
    public var columns: [String] = []
    public var isLateral = false
    /// It joins by columns of the same name: NATURAL, or those of USING.
    public var isNatural = false
    public var using: [String] = []
}
