/// The server that a text is for, and the state that decides how it cuts the text into tokens.
///
/// Only texts in an ASCII-compatible character set may be lexed: one where no byte below 0x80 is ever part of a longer
/// character. gbk, big5, sjis, cp932 and gb18030 are not (a backslash or quote can be a character's second byte), nor are
/// ucs2, utf16 and utf32: whoever calls refuses sessions whose `character_set_client` is one of these.
public struct Server: Sendable, Hashable {
    public enum Flavour: Sendable, Hashable { case mysql, mariadb }

    public var flavour: Flavour
    /// As in versioned comments: 80036 for 8.0.36, 101119 for 10.11.19. nil when it is not known; a versioned comment then
    /// makes its statement unparsed.
    public var version: Int?
    public var mode: SQLMode

    public init(flavour: Flavour, version: Int?, mode: SQLMode = []) {
        self.flavour = flavour
        self.version = version
        self.mode = mode
    }

    var isMariaDB: Bool { flavour == .mariadb }
}

/// The parts of `sql_mode` that change what a text means.
public struct SQLMode: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `"` quotes names.
    public static let ansiQuotes = SQLMode(rawValue: 1 << 0)
    public static let noBackslashEscapes = SQLMode(rawValue: 1 << 1)
    public static let pipesAsConcat = SQLMode(rawValue: 1 << 2)
    public static let highNotPrecedence = SQLMode(rawValue: 1 << 3)
    public static let ignoreSpace = SQLMode(rawValue: 1 << 4)
    /// MariaDB's ORACLE mode has a grammar of its own: nothing is parsed under it.
    public static let oracle = SQLMode(rawValue: 1 << 5)
    /// Microsoft SQL Server's brackets as quotes (MSSQL mode of MariaDB): nothing is parsed under it.
    public static let mssql = SQLMode(rawValue: 1 << 6)

    /// What a value of `sql_mode` amounts to here, combination names (ANSI, DB2, MAXDB, ..) included.
    ///
    /// - Parameter names: As `@@sql_mode` shows them, separated by commas, in any case.
    /// - Returns: nil when a name is unknown; the numeric form counts as unknown.
    public init?(names: String) {
        var mode: SQLMode = []
        for name in names.split(separator: ",") {
            let word = name.uppercased()
            if let known = Self.named[word] { mode.formUnion(known) } else if !Self.harmless.contains(word) { return nil }
        }
        self = mode
    }

    private static let quoting: SQLMode = [.ansiQuotes, .pipesAsConcat, .ignoreSpace]
    private static let named: [String: SQLMode] = [
        "ANSI_QUOTES": .ansiQuotes, "NO_BACKSLASH_ESCAPES": .noBackslashEscapes, "PIPES_AS_CONCAT": .pipesAsConcat,
        "HIGH_NOT_PRECEDENCE": .highNotPrecedence, "IGNORE_SPACE": .ignoreSpace, "ANSI": quoting, "DB2": quoting, "MAXDB": quoting,
        "POSTGRESQL": quoting, "ORACLE": quoting.union(.oracle), "MSSQL": quoting.union(.mssql), "MYSQL323": .highNotPrecedence,
        "MYSQL40": .highNotPrecedence,
    ]
    private static let harmless: Set<String> = [
        "REAL_AS_FLOAT", "ONLY_FULL_GROUP_BY", "NO_UNSIGNED_SUBTRACTION", "NO_DIR_IN_CREATE", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS",
        "NO_FIELD_OPTIONS", "NO_AUTO_VALUE_ON_ZERO", "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE",
        "ALLOW_INVALID_DATES", "ERROR_FOR_DIVISION_BY_ZERO", "TRADITIONAL", "NO_AUTO_CREATE_USER", "NO_ENGINE_SUBSTITUTION",
        "PAD_CHAR_TO_FULL_LENGTH", "EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL",
        "TIME_TRUNCATE_FRACTIONAL",
    ]
}

/// Bounds of what is read; a text beyond one is unparsed.
public struct ParseLimits: Sendable, Hashable {
    /// Bytes of a whole text.
    public var textBytes: Int
    /// Tokens of a whole text.
    public var tokens: Int
    /// Parentheses, queries and operators inside each other. One level costs at most 24 KiB of stack in a debug build.
    public var depth: Int
    public var statements: Int

    public init(textBytes: Int = 16 << 20, tokens: Int = 1 << 20, depth: Int = 64, statements: Int = 10_000) {
        self.textBytes = textBytes
        self.tokens = tokens
        self.depth = depth
        self.statements = statements
    }
}

/// Why a text, or a statement of it, has no facts, and where.
public struct Unparsed: Error, Sendable, Hashable {
    public var reason: String
    /// Bytes from the start of the text.
    public var offset: Int

    public init(reason: String, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
