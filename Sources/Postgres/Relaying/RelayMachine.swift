import Analysis
import GatehouseCore
import Masking
import NIOCore
import Relay

/// The PostgreSQL session between login and end, as a value: bytes in, decisions out through a `RelaySink`.
///
/// It decodes every message of both sides, asks the judge about each text and each execution, keeps what was asked in the
/// order in which the server answers it, and replaces what must not reach the other side. It does no input or output, knows
/// no clock, and holds no reference to a channel.
struct RelayMachine {
    enum ClientProgress: Equatable {
        /// All whole messages are dealt with.
        case needsBytes
        /// A text is too long to be analysed on the event loop: analyse it elsewhere, `remember` it, come back.
        case needsAnalysis(ByteBuffer)
        /// The target's catalog must be read again: do it, come back.
        case needsCatalog
        /// What comes next depends on an answer that the server has yet to give.
        case needsServer
        /// The server must be asked how many rows the next request works on: put the number into `finishedEstimate`, come back.
        case needsEstimate(EstimateQuestion)
        /// A person must say whether the next request goes on: put the outcome into `finishedHold`, come back.
        case needsApproval(HeldAction)
        /// The client said goodbye.
        case terminated
    }

    enum ServerProgress: Equatable {
        case needsBytes
        case needsCatalog
    }

    enum TransactionStatus: UInt8 {
        case idle = 0x49  // I
        case inTransaction = 0x54  // T
        case failed = 0x45  // E
    }

    enum CopyState: Equatable {
        case none, copyIn, copyOut, copyBoth
    }

    struct Counters {
        var statements: UInt64 = 0
        var denied: UInt64 = 0
        var rows: UInt64 = 0
    }

    let judge: any RelayJudge
    let analyzer: StatementAnalyzer
    let limits: Limits
    /// The session spends from budgets: the judge is to be asked, and told.
    var hasBudgets = false
    /// Replication was asked for at startup and granted.
    let isReplication: Bool

    var pending = PendingRequests()
    var statements = CandidateTable()
    var portals = CandidateTable()
    var transaction = TransactionStatus.idle
    var copy = CopyState.none
    var counters = Counters()
    /// What the text of the message at this place of the client's stream was found to do, when that was not found out here.
    var finishedAnalysis: (offset: UInt64, analysis: Analysis)?
    /// What became of the request at this place of the client's stream, which was held.
    var finishedHold: (offset: UInt64, rule: String, outcome: HoldOutcome)?
    /// How many rows the request at this place works on, as far as can be known.
    var finishedEstimate: (offset: UInt64, rows: Int?)?
    /// The client cancelled the request at this place before the server had it.
    var cancelledOffset: UInt64?
    /// Nothing of the session goes on before this is settled.
    var sessionHold: Verdict?
    /// Messages of the client since its last Sync that the server has not seen, because one behind them waits.
    var withheld = ByteBuffer()
    /// What of it the recording holds otherwise.
    var hiddenOfWithheld: [HiddenMessage] = []
    /// What was read last ends in front of a request that waits.
    var withholdsTail = false
    /// Extended-query messages since the last Sync, and how many of them the server has been given.
    var segmentMessages = 0
    var sentSegmentMessages = 0
    /// Syncs that the client sent.
    var segment: UInt64 = 0
    /// The next proposal's number.
    var nextProposal: UInt64 = 1
    /// Something was sent since the server was last ready with nothing more to do: a transaction may be open that it has not
    /// told of yet.
    var implicitTransaction = false
    /// A statement of the open transaction may still have the server quote a masked value: a deferred constraint, a commit.
    var transactionMayEcho: Views = []

    /// Bytes of the client's stream, and of the server's, that were dealt with.
    var clientOffset: UInt64 = 0
    /// Bytes of a message that goes on piecemeal, still to come.
    var clientRemainder = 0
    var serverRemainder = 0

    /// Columns of the portals that were described, kept only where masks may apply.
    var portalColumns: [ServerName: [ResultColumn]] = [:]
    /// Portals with a Describe on its way or answered since the last Sync, with nothing since that could make them another.
    var describedPortals: Set<ServerName> = []
    /// How the rows now arriving are masked.
    var rowMask: PostgresRowMask?
    var rowMaskIsDecided = false
    /// Which of the rows now arriving detectors need not look at.
    var rowScan = RowScan()
    /// Fingerprints of values that masks stood in for, since they were last taken; only where the judge counts them.
    var fingerprints: [UInt64] = []
    /// Why what runs now is being cancelled by the gateway.
    var stoppedBy: Verdict?
    /// How the copy data now arriving is masked.
    var copyOut: CopyOut?
    /// What takes the client's copy data, and what of that the recording shows.
    var copyIn = CopyInData.unknown
    var copyInMask = CopyInMask.withholding

    init(judge: any RelayJudge, analyzer: StatementAnalyzer, limits: Limits, isReplication: Bool) {
        self.judge = judge
        self.analyzer = analyzer
        self.limits = limits
        self.isReplication = isReplication
    }

    /// A statement runs; with `unapproved` one that nobody approved.
    mutating func runs(unapproved: Bool) -> Bool {
        guard let head = pending.head, head.kind == .query || head.kind == .execute else { return false }
        return !unapproved || head.judgements.allSatisfy { $0.verdict.approval == nil }
    }

    /// Nothing is on its way in either direction, and no transaction is open.
    var isQuiet: Bool { transaction == .idle && !implicitTransaction && pending.isEmpty && copy == .none }
}
