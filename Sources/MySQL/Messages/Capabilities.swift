/// What both sides of a connection can do ("Capabilities Flags"): MySQL's 32 flags, and above them MariaDB's extended ones
/// (MariaDB documentation, "Connecting", capabilities), which travel in bytes that MySQL leaves empty.
struct Capabilities: OptionSet, Sendable, Hashable {
    var rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    private init(bit: UInt64) { rawValue = 1 << bit }

    /// CLIENT_LONG_PASSWORD of old; MariaDB calls it CLIENT_MYSQL: a peer without it is MariaDB, with extended flags.
    static let mysql = Capabilities(bit: 0)
    static let foundRows = Capabilities(bit: 1)
    static let longFlag = Capabilities(bit: 2)
    static let connectWithDatabase = Capabilities(bit: 3)
    static let noSchema = Capabilities(bit: 4)
    static let compress = Capabilities(bit: 5)
    static let odbc = Capabilities(bit: 6)
    static let localFiles = Capabilities(bit: 7)
    static let ignoreSpace = Capabilities(bit: 8)
    static let protocol41 = Capabilities(bit: 9)
    static let interactive = Capabilities(bit: 10)
    static let tls = Capabilities(bit: 11)
    static let ignoreSigpipe = Capabilities(bit: 12)
    static let transactions = Capabilities(bit: 13)
    static let secureConnection = Capabilities(bit: 15)
    static let multiStatements = Capabilities(bit: 16)
    static let multiResults = Capabilities(bit: 17)
    static let preparedMultiResults = Capabilities(bit: 18)
    static let pluginAuthentication = Capabilities(bit: 19)
    static let connectAttributes = Capabilities(bit: 20)
    static let encodedAuthentication = Capabilities(bit: 21)
    static let expiredPasswords = Capabilities(bit: 22)
    static let sessionTracking = Capabilities(bit: 23)
    static let deprecateEOF = Capabilities(bit: 24)
    static let optionalMetadata = Capabilities(bit: 25)
    static let zstd = Capabilities(bit: 26)
    static let queryAttributes = Capabilities(bit: 27)
    static let multiFactor = Capabilities(bit: 28)
    static let capabilityExtension = Capabilities(bit: 29)
    static let verifyServerCertificate = Capabilities(bit: 30)
    static let rememberOptions = Capabilities(bit: 31)

    static let progress = Capabilities(bit: 32)
    static let multiCommand = Capabilities(bit: 33)
    static let bulkOperations = Capabilities(bit: 34)
    static let extendedMetadata = Capabilities(bit: 35)
    static let cacheMetadata = Capabilities(bit: 36)
    static let bulkUnitResults = Capabilities(bit: 37)

    /// All of MariaDB's own.
    static let mariaDBOnly = Capabilities(rawValue: 0xFFFF_FFFF_0000_0000)

    /// The 32 that MySQL knows.
    var base: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
    /// MariaDB's, as they travel.
    var extended: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }

    init(base: UInt32, extended: UInt32 = 0) {
        rawValue = UInt64(base) | UInt64(extended) << 32
    }
}

/// Which of the two servers a peer is, or a listener presents itself as.
enum ServerFamily: String, Sendable, Hashable {
    case mysql = "MySQL"
    case mariadb = "MariaDB"
}

/// A session's state as each OK and EOF packet tells it ("SERVER_STATUS_flags_enum").
struct StatusFlags: OptionSet, Sendable, Hashable {
    var rawValue: UInt16

    init(rawValue: UInt16) { self.rawValue = rawValue }

    static let inTransaction = StatusFlags(rawValue: 1 << 0)
    static let autocommit = StatusFlags(rawValue: 1 << 1)
    /// Another result of the same command follows.
    static let moreResults = StatusFlags(rawValue: 1 << 3)
    static let noGoodIndex = StatusFlags(rawValue: 1 << 4)
    static let noIndex = StatusFlags(rawValue: 1 << 5)
    /// The rows wait for COM_STMT_FETCH.
    static let cursorExists = StatusFlags(rawValue: 1 << 6)
    static let lastRowSent = StatusFlags(rawValue: 1 << 7)
    static let databaseDropped = StatusFlags(rawValue: 1 << 8)
    static let noBackslashEscapes = StatusFlags(rawValue: 1 << 9)
    static let metadataChanged = StatusFlags(rawValue: 1 << 10)
    static let slowQuery = StatusFlags(rawValue: 1 << 11)
    /// The result is that of a procedure's OUT parameters. MariaDB uses the same number.
    static let outParameters = StatusFlags(rawValue: 1 << 12)
    static let inReadOnlyTransaction = StatusFlags(rawValue: 1 << 13)
    /// The OK packet says what changed in the session.
    static let sessionStateChanged = StatusFlags(rawValue: 1 << 14)
    /// MariaDB: ANSI_QUOTES is in force.
    static let ansiQuotes = StatusFlags(rawValue: 1 << 15)
}
