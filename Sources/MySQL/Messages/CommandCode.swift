/// The first byte of what a client sends after its handshake ("Command Phase").
enum CommandCode: UInt8, Sendable, Hashable, CaseIterable {
    case sleep = 0x00
    case quit = 0x01
    case initDB = 0x02
    case query = 0x03
    case fieldList = 0x04
    case createDB = 0x05
    case dropDB = 0x06
    case refresh = 0x07
    case shutdown = 0x08
    case statistics = 0x09
    case processInfo = 0x0A
    case connect = 0x0B
    case processKill = 0x0C
    case debug = 0x0D
    case ping = 0x0E
    case time = 0x0F
    case delayedInsert = 0x10
    case changeUser = 0x11
    case binlogDump = 0x12
    case tableDump = 0x13
    case connectOut = 0x14
    case registerReplica = 0x15
    case prepare = 0x16
    case execute = 0x17
    case longData = 0x18
    case closeStatement = 0x19
    case resetStatement = 0x1A
    case setOption = 0x1B
    case fetch = 0x1C
    case daemon = 0x1D
    case binlogDumpGTID = 0x1E
    case resetConnection = 0x1F
    case clone = 0x20
    case subscribeGroupReplication = 0x21
    /// MariaDB.
    case bulkExecute = 0xFA
    /// MariaDB, withdrawn: several commands in one packet.
    case multi = 0xFE

    /// As the protocol's documents name it, for denials and recordings.
    var name: String {
        switch self {
        case .sleep: "COM_SLEEP"
        case .quit: "COM_QUIT"
        case .initDB: "COM_INIT_DB"
        case .query: "COM_QUERY"
        case .fieldList: "COM_FIELD_LIST"
        case .createDB: "COM_CREATE_DB"
        case .dropDB: "COM_DROP_DB"
        case .refresh: "COM_REFRESH"
        case .shutdown: "COM_SHUTDOWN"
        case .statistics: "COM_STATISTICS"
        case .processInfo: "COM_PROCESS_INFO"
        case .connect: "COM_CONNECT"
        case .processKill: "COM_PROCESS_KILL"
        case .debug: "COM_DEBUG"
        case .ping: "COM_PING"
        case .time: "COM_TIME"
        case .delayedInsert: "COM_DELAYED_INSERT"
        case .changeUser: "COM_CHANGE_USER"
        case .binlogDump: "COM_BINLOG_DUMP"
        case .tableDump: "COM_TABLE_DUMP"
        case .connectOut: "COM_CONNECT_OUT"
        case .registerReplica: "COM_REGISTER_SLAVE"
        case .prepare: "COM_STMT_PREPARE"
        case .execute: "COM_STMT_EXECUTE"
        case .longData: "COM_STMT_SEND_LONG_DATA"
        case .closeStatement: "COM_STMT_CLOSE"
        case .resetStatement: "COM_STMT_RESET"
        case .setOption: "COM_SET_OPTION"
        case .fetch: "COM_STMT_FETCH"
        case .daemon: "COM_DAEMON"
        case .binlogDumpGTID: "COM_BINLOG_DUMP_GTID"
        case .resetConnection: "COM_RESET_CONNECTION"
        case .clone: "COM_CLONE"
        case .subscribeGroupReplication: "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM"
        case .bulkExecute: "COM_STMT_BULK_EXECUTE"
        case .multi: "COM_MULTI"
        }
    }

    /// The server's inside, replication, administration by single bytes, and what was withdrawn: answered with a denial, and
    /// never passed on unless policy grants the first group.
    var isReplication: Bool {
        switch self {
        case .binlogDump, .tableDump, .connectOut, .registerReplica, .binlogDumpGTID, .clone, .subscribeGroupReplication: true
        default: false
        }
    }
}
