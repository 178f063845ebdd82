/// What one statement, command or request does: the facts that policy decides on, the same for every protocol.
public struct Action: Sendable, Hashable, Codable {
    /// What is done, in dotted words from general to particular (`drop.table`, `select`). A statement may do several
    /// things at once (a CTE that deletes). A rule's word matches itself and everything below it.
    public var kinds: Set<String>
    /// The relations that are named, as written (names folded as the server folds them).
    public var objects: [ObjectReference]
    /// The functions that are called, by name or through an operator or cast that names them.
    public var functions: [QualifiedName]
    /// Every column name that is mentioned anywhere, last part only.
    public var columns: Set<String>
    public var flags: Flags
    /// Settings that are changed: SET, RESET, set_config, ALTER ROLE/DATABASE .. SET.
    public var settings: [SettingChange]
    /// The text without literals (`$1` in their place); safe to index and to show.
    public var normalized: String
    /// The name that this action gives to a statement or cursor (PREPARE x AS .., DECLARE x CURSOR FOR ..); the other
    /// facts then include those of the inner statement.
    public var defines: String?
    /// The named statement or cursor that this action runs (EXECUTE x, FETCH .. FROM x, MOVE .. x).
    public var runs: String?
    /// What a COPY .. TO STDOUT sends, or a COPY .. FROM STDIN takes in, and how.
    public var copy: CopyFacts?
    /// How many rows the server expects the statement to read into its result or to write; nil: nobody asked, or it cannot be
    /// known (a temporary table, an open transaction). Only statements that work on rows have one: ``worksOnRows``.
    public var estimatedRows: Int?
    /// The statement's own text, where a part of it may be a query or a write of rows; nil for others, and for texts that are
    /// too long or too deep to be read again. Not a fact: it is not compared, and not encoded.
    public var source: StatementSource?

    public init(
        kinds: Set<String>, objects: [ObjectReference] = [], functions: [QualifiedName] = [], columns: Set<String> = [],
        flags: Flags = [], settings: [SettingChange] = [], normalized: String = "", defines: String? = nil, runs: String? = nil,
        copy: CopyFacts? = nil, estimatedRows: Int? = nil, source: StatementSource? = nil
    ) {
        self.source = source
        self.kinds = kinds
        self.objects = objects
        self.functions = functions
        self.columns = columns
        self.flags = flags
        self.settings = settings
        self.normalized = normalized
        self.defines = defines
        self.runs = runs
        self.copy = copy
        self.estimatedRows = estimatedRows
    }

    /// Whether a number of rows says something about the action: queries, writes of rows, and COPY of a table.
    public var worksOnRows: Bool { !kinds.isDisjoint(with: rowKinds) }

    private enum CodingKeys: String, CodingKey {
        case kinds, objects, functions, columns, flags, settings, normalized, defines, runs, copy, estimatedRows
    }

    public struct Flags: OptionSet, Sendable, Hashable, Codable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// An UPDATE or DELETE (also in a CTE) without a WHERE that can be false, or a MERGE that amounts to it.
        public static let unboundedWrite = Flags(rawValue: 1 << 0)
        /// Runs text or code that was not seen: DO, CALL, EXECUTE of an unknown statement, functions that run text.
        public static let opaque = Flags(rawValue: 1 << 1)
        /// The text could not be analysed: syntax, size, nesting, time.
        public static let unparsed = Flags(rawValue: 1 << 2)
        /// COPY to or from a program on the server.
        public static let copyProgram = Flags(rawValue: 1 << 3)
        /// COPY to or from a file on the server.
        public static let copyFile = Flags(rawValue: 1 << 4)
        /// A `*` somewhere other than as a plain item of the outermost select list.
        public static let innerStar = Flags(rawValue: 1 << 5)
        /// A whole row used as a value (`SELECT c FROM customers c`, `row_to_json(c)`), or something that may be one.
        public static let wholeRow = Flags(rawValue: 1 << 6)
        /// Creates, changes or drops something that name resolution depends on.
        public static let changesSchema = Flags(rawValue: 1 << 7)
        /// The outermost select list holds something other than plain columns and stars.
        public static let computes = Flags(rawValue: 1 << 8)
        /// A function that is not known to be harmless (not one of the server's own immutable or stable ones) is called.
        public static let callsUnknownFunction = Flags(rawValue: 1 << 9)
        /// Ends the transaction it runs in, or starts one.
        public static let controlsTransaction = Flags(rawValue: 1 << 10)
        /// Copies rows of a read relation into another (INSERT..SELECT, CREATE TABLE AS, SELECT INTO, COPY (query) TO a file).
        public static let movesData = Flags(rawValue: 1 << 11)
        /// The text that the statement stands in holds others beside it.
        public static let multiStatement = Flags(rawValue: 1 << 12)
        /// Runs a stored procedure (CALL).
        public static let callsProcedure = Flags(rawValue: 1 << 13)
        /// A query over tables without a WHERE that can be false, a LIMIT, or an aggregate that sums its rows up: its result
        /// may be a table's whole content.
        public static let unboundedRead = Flags(rawValue: 1 << 14)
        /// Puts values of a column that is masked for this caller where they are not masked. Known only where masks apply, and
        /// only once the target's catalog was asked; the analysis of a text never sets it.
        public static let copiesMaskedData = Flags(rawValue: 1 << 15)
        /// Uses such a column to choose rows or their order, or where an error may tell its value. Known as the one above is.
        public static let probesMaskedData = Flags(rawValue: 1 << 16)
    }

    /// What policy is told of a text that could not be analysed.
    public static func unparsed(because reason: String) -> Action {
        Action(kinds: ["unparsed"], flags: [.unparsed], normalized: "<unparsed: \(reason)>")
    }
}

private let rowKinds: Set<String> = ["select", "insert", "update", "delete", "merge", "copy.to"]

/// A name with an optional qualifier in front.
public struct QualifiedName: Sendable, Hashable, Codable, CustomStringConvertible {
    public var schema: String?
    public var name: String

    public init(schema: String? = nil, name: String) {
        self.schema = schema
        self.name = name
    }

    public var description: String { schema.map { "\($0).\(name)" } ?? name }
}

/// A relation as a statement names it.
public struct ObjectReference: Sendable, Hashable, Codable {
    public enum Access: String, Sendable, Hashable, Codable {
        case read, write, define
    }

    public var name: QualifiedName
    public var access: Access

    public init(name: QualifiedName, access: Access) {
        self.name = name
        self.access = access
    }
}

/// A setting that a statement changes.
public struct SettingChange: Sendable, Hashable, Codable {
    /// Lower case; nil when the name itself is computed.
    public var name: String?
    /// nil when reset or computed.
    public var value: String?
    /// Until the end of the transaction only.
    public var isLocal: Bool

    public init(name: String?, value: String?, isLocal: Bool) {
        self.name = name
        self.value = value
        self.isLocal = isLocal
    }
}

/// A COPY .. TO STDOUT: where its data comes from, and how it is written; or a COPY .. FROM STDIN: where its data goes.
public struct CopyFacts: Sendable, Hashable, Codable {
    public struct Option: Sendable, Hashable, Codable {
        public var name: String
        /// nil: given without a value, or with one that is no plain word, number or string.
        public var value: String?

        public init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    /// nil: the data is a query's.
    public var table: QualifiedName?
    /// The statement's column list, nil without one.
    public var columns: [String]?
    public var options: [Option]

    public init(table: QualifiedName?, columns: [String]?, options: [Option]) {
        self.table = table
        self.columns = columns
        self.options = options
    }
}
