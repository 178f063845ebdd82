/// What one statement of a text says and does.
public struct Statement: Sendable, Hashable {
    /// Of the text, without the `;`.
    public var range: Range<Int>
    /// What is done, in dotted words from general to particular (`drop.table`).
    public var kinds: Set<String> = []
    public var tables: [TableUse] = []
    public var functions: [FunctionUse] = []
    public var columns: [ColumnUse] = []
    /// In the order of the text.
    public var literals: [Literal] = []
    /// Where passwords and what is derived from them stand, quotes included; each is a literal too.
    public var secrets: [Range<Int>] = []
    /// User variables, without `@`, in lower case.
    public var variablesRead: Set<String> = []
    public var variablesWritten: Set<String> = []
    /// `@@name` that are read, in lower case.
    public var settingsRead: Set<String> = []
    public var settings: [Setting] = []
    /// Databases that are named by themselves: USE, CREATE DATABASE, SHOW TABLES FROM.
    public var databases: [String] = []
    /// Other objects by name: procedures that are called, created routines, users.
    public var routines: [TableName] = []
    public var flags: Flags = []
    /// Of an UPDATE or DELETE.
    public var condition: Condition?
    public var hasLimit = false
    /// Set where the statement is a query, or a write that takes rows from one.
    public var query: Query?
    /// Files of the server that are named: INTO OUTFILE, LOAD DATA.
    public var files: [String] = []
    /// PREPARE name, DECLARE; EXECUTE name.
    public var defines: String?
    public var runs: String?
    /// The statement in the literal of a PREPARE or EXECUTE IMMEDIATE. Its ranges are of the decoded literal.
    public var inner: [Statement] = []
    /// `/*+ .. */` that the server reads.
    public var hints: [Range<Int>] = []
    /// How many query blocks there are.
    public var scopes = 0
    /// The text with `?` for constants, one blank where there were blanks or comments, and without comments.
    public var normalized = ""

    public init(range: Range<Int>) { self.range = range }

    public struct Flags: OptionSet, Sendable, Hashable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Runs or stores code that is not part of the facts.
        public static let opaque = Flags(rawValue: 1 << 0)
        /// INTO OUTFILE or DUMPFILE.
        public static let writesFile = Flags(rawValue: 1 << 1)
        /// LOAD DATA INFILE without LOCAL, LOAD_FILE.
        public static let readsFile = Flags(rawValue: 1 << 2)
        /// LOAD DATA LOCAL: the client is asked for the file.
        public static let localFile = Flags(rawValue: 1 << 3)
        /// Ends a transaction or begins one, by itself or because the server commits before it.
        public static let controlsTransaction = Flags(rawValue: 1 << 4)
        /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
        public static let locksRows = Flags(rawValue: 1 << 5)
        /// A temporary table is created or dropped.
        public static let temporary = Flags(rawValue: 1 << 6)
        /// A `*` in a select list.
        public static let star = Flags(rawValue: 1 << 7)
        /// Rows of a query are written to a table, file or variable.
        public static let movesData = Flags(rawValue: 1 << 8)
    }

    public enum Condition: String, Sendable, Hashable {
        /// No WHERE.
        case missing
        /// A WHERE that does not depend on the rows, or is true of nearly all (`WHERE 1`, `id = id`, `name LIKE '%'`).
        case constant
        case present
    }
}

public struct TableName: Sendable, Hashable {
    public var database: String?
    /// As written; whether case matters is the server's setting.
    public var name: String
}

public struct TableUse: Sendable, Hashable {
    public enum Access: String, Sendable, Hashable {
        case read, write
        /// Created, altered, dropped, renamed, truncated.
        case define
        /// Checked, locked, flushed, described: its rows are neither read nor written for the client.
        case maintain
    }

    public var name: TableName
    public var alias: String?
    public var access: Access
    /// The query block it stands in.
    public var scope: Int
    public var offset: Int
}

public struct ColumnUse: Sendable, Hashable {
    public var name: ColumnName
    public var scope: Int
    public var offset: Int
}

public struct Literal: Sendable, Hashable {
    public var kind: Token.Kind
    public var range: Range<Int>
}

/// A system variable that is set.
public struct Setting: Sendable, Hashable {
    public enum Scope: String, Sendable, Hashable { case session, global, persist, statement }

    /// Lower case. NAMES and CHARACTER SET are `names` and `character_set`; a transaction's terms are `transaction`.
    public var name: String
    /// The word, number or decoded string; nil: computed, or DEFAULT.
    public var value: String?
    public var scope: Scope
}

/// A text and what is known of its statements.
public struct ParsedText: Sendable, Hashable {
    /// In the order of the text, up to the first that is not understood.
    public var statements: [Statement] = []
    /// What is not understood; whatever stands from there on has no facts.
    public var failure: Unparsed?
}
