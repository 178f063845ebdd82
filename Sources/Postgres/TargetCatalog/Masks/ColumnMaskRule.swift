public import Masking

/// A mask that applies to a session: which columns, and how.
public struct ColumnMaskRule: Sendable, Hashable {
    /// Names a set of columns; `*` stands for any characters, `?` for one. Names are compared as the server keeps them.
    public struct Pattern: Sendable, Hashable {
        public var schema: String
        public var table: String
        public var column: String

        public init(schema: String, table: String, column: String) {
            self.schema = schema
            self.table = table
            self.column = column
        }

        /// From `schema.table.column`, split at the first dot and at the last; nil when a part is missing.
        public init?(_ text: String) {
            guard let first = text.firstIndex(of: "."), let last = text.lastIndex(of: "."), first < last else { return nil }
            schema = String(text[..<first])
            table = String(text[text.index(after: first)..<last])
            column = String(text[text.index(after: last)...])
            guard !schema.isEmpty, !table.isEmpty, !column.isEmpty else { return nil }
        }

        /// The server's own schemas are matched by their own names alone: `*.*.name` is about the target's data, and would take
        /// from clients what they read to know the server.
        func matches(schemaOf relation: CatalogRelation) -> Bool {
            relation.isSystem ? schema == relation.relation.schema : Wildcard.matches(schema, relation.relation.schema)
        }
    }

    public var id: String
    public var columns: [Pattern]
    public var strategy: MaskStrategy
    /// Columns of one domain share the keys of tokens and date shifts; nil: each column has its own.
    public var domain: String?
    /// What would be withheld for its sake is refused before it runs.
    public var refusesToWithhold: Bool

    public init(id: String, columns: [Pattern], strategy: MaskStrategy, domain: String? = nil, refusesToWithhold: Bool = false) {
        self.id = id
        self.columns = columns
        self.strategy = strategy
        self.domain = domain
        self.refusesToWithhold = refusesToWithhold
    }
}

/// `*` and `?`, and nothing else.
enum Wildcard {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        if pattern == "*" { return true }
        let pattern = Array(pattern.unicodeScalars)
        let text = Array(text.unicodeScalars)
        var p = 0
        var t = 0
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "*" {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                // Let the last star take one character more.
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}

/// What happens to one column of a result.
public enum MaskDecision: Sendable, Hashable {
    case pass
    case mask(rule: String, strategy: MaskStrategy)
    /// Every value becomes NULL: the column may hold masked values, and which mask would be right cannot be told.
    case withhold(because: String)

    public var isPass: Bool { self == .pass }
}
