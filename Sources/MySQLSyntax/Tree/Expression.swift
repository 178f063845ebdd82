/// A value as a text computes it.
///
/// Chains of one operator are one node, so that the tree is no deeper than `ParseLimits.depth` allows.
public struct Expression: Sendable, Hashable {
    public indirect enum Kind: Sendable, Hashable {
        case literal
        case null
        case parameter
        case column(ColumnName)
        /// `@name`
        case userVariable(String)
        /// `@name := value`
        case assignment(String, Expression)
        /// Lower case, with its scope word if it has one: `session.sql_mode`.
        case systemVariable(String)
        case operation(Operator, [Expression])
        case function(FunctionUse, [Expression])
        /// A subquery as a value, a row or a set.
        case query(Query)
        case exists(Query)
        /// `(a, b)`
        case row([Expression])
        /// `*` or `t.*`
        case star(qualifier: [String])
    }

    public var kind: Kind
    /// Bytes of the text.
    public var range: Range<Int>

    init(_ kind: Kind, _ range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}

public enum Operator: String, Sendable, Hashable {
    case or, xor, and, not, equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, nullSafeEqual
    case isNull = "is_null"
    case isNotNull = "is_not_null"
    /// IS [NOT] TRUE, FALSE, UNKNOWN
    case isTruth = "is_truth"
    case `in`
    case notIn = "not_in"
    case between
    case notBetween = "not_between"
    case like
    case notLike = "not_like"
    /// Any other that makes a value of its operands: arithmetic, bits, REGEXP, COLLATE, `->`, CASE, INTERVAL, casts.
    case other
}

/// `[[database.]table.]column`
public struct ColumnName: Sendable, Hashable {
    /// What stands in front, outermost first.
    public var qualifier: [String]
    public var name: String
}

public struct FunctionUse: Sendable, Hashable {
    /// The database of a stored function, as written.
    public var schema: String?
    /// Lower case.
    public var name: String
    public var offset: Int
}
