public import GatehouseCore

/// What the index knows of one session. The evidence itself is in the recording; no statement text is kept here.
public struct SessionRecord: Sendable, Hashable, Codable {
    public enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case live
        /// Ended by either side, or by a limit.
        case ended
        /// The gateway stopped under it; what was recorded until then is in the journal.
        case interrupted
        /// Stopped because it could not go on: recorder, target, protocol error.
        case failed
    }

    public var id: SessionID
    /// The gateway that it runs through.
    public var node: String
    public var started: WallTime
    /// nil while it lives.
    public var ended: WallTime?
    public var state: State
    public var protocolName: Target.ProtocolName
    public var target: String
    /// Which of the target's accounts.
    public var role: String
    public var database: String
    public var principal: Principal
    /// The access rule and group that let it in.
    public var grant: String
    /// IP address, without the port.
    public var clientAddress: String
    /// What the client calls itself; of the client's choosing.
    public var application: String
    public var counts: SessionCounts
    /// Empty while it lives.
    public var endReason: String
    /// When its recording was deleted, by retention or by hand; nil while there is one.
    public var recordingDeleted: WallTime?

    public init(
        id: SessionID, node: String, started: WallTime, ended: WallTime? = nil, state: State = .live, protocolName: Target.ProtocolName,
        target: String, role: String, database: String = "", principal: Principal, grant: String = "", clientAddress: String,
        application: String = "", counts: SessionCounts = SessionCounts(), endReason: String = ""
    ) {
        self.id = id
        self.node = node
        self.started = started
        self.ended = ended
        self.state = state
        self.protocolName = protocolName
        self.target = target
        self.role = role
        self.database = database
        self.principal = principal
        self.grant = grant
        self.clientAddress = clientAddress
        self.application = application
        self.counts = counts
        self.endReason = endReason
    }

    /// The ticket that opened it, if one did.
    public var ticket: String? {
        if case .ticket(let id) = principal.credential { return id }
        return nil
    }
}

/// Running totals of a session.
public struct SessionCounts: Sendable, Hashable, Codable {
    public var statements: UInt64
    public var denied: UInt64
    public var rows: UInt64
    /// From the client, and to it, in bytes.
    public var bytesIn: UInt64
    public var bytesOut: UInt64

    public init(statements: UInt64 = 0, denied: UInt64 = 0, rows: UInt64 = 0, bytesIn: UInt64 = 0, bytesOut: UInt64 = 0) {
        self.statements = statements
        self.denied = denied
        self.rows = rows
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }
}

/// How a session ended.
public struct SessionEnd: Sendable, Hashable {
    public var id: SessionID
    public var at: WallTime
    /// Not `live`.
    public var state: SessionRecord.State
    public var counts: SessionCounts
    public var reason: String

    public init(id: SessionID, at: WallTime, state: SessionRecord.State, counts: SessionCounts, reason: String) {
        self.id = id
        self.at = at
        self.state = state
        self.counts = counts
        self.reason = reason
    }
}
