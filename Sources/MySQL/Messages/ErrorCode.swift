/// A number of MySQL's error message reference with its SQLSTATE: those that Gatehouse itself gives. Servers give others,
/// which pass as they are.
struct ErrorCode: Sendable, Hashable {
    let number: UInt16
    /// Five ASCII characters.
    let sqlState: String

    init(_ number: UInt16, _ sqlState: String) {
        self.number = number
        self.sqlState = sqlState
    }

    static let tooManyConnections = ErrorCode(1040, "08004")
    static let badHandshake = ErrorCode(1043, "08S01")
    static let databaseAccessDenied = ErrorCode(1044, "42000")
    static let accessDenied = ErrorCode(1045, "28000")
    static let unknownCommand = ErrorCode(1047, "08S01")
    static let unknownDatabase = ErrorCode(1049, "42000")
    static let serverShutdown = ErrorCode(1053, "08S01")
    static let noSuchThread = ErrorCode(1094, "HY000")
    static let killDenied = ErrorCode(1095, "HY000")
    static let unknownError = ErrorCode(1105, "HY000")
    static let tableAccessDenied = ErrorCode(1142, "42000")
    static let packetTooLarge = ErrorCode(1153, "08S01")
    static let packetsOutOfOrder = ErrorCode(1156, "08S01")
    static let specificAccessDenied = ErrorCode(1227, "42000")
    static let notSupported = ErrorCode(1235, "42000")
    static let unknownStatement = ErrorCode(1243, "HY000")
    static let queryInterrupted = ErrorCode(1317, "70100")
    static let tooManyStatements = ErrorCode(1461, "42000")
    static let malformedPacket = ErrorCode(1835, "HY000")
    static let secureTransportRequired = ErrorCode(3159, "HY000")
}
