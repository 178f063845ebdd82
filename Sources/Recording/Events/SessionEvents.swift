import Foundation
public import GatehouseCore

/// Payload of `start`: what is known when a client has been accepted and has said where it wants to go.
public struct SessionStart: Sendable, Hashable, Codable {
    public var listener: String
    /// The peer's address as the kernel gave it.
    public var clientAddress: String
    public var target: String
    public var protocolName: Target.ProtocolName
    /// The role in the login name, or the target's default.
    public var role: String?
    public var database: String?
    /// What the client calls itself (`application_name`); a claim, not a fact.
    public var application: String?
    /// Whether the client's connection is encrypted.
    public var isEncrypted: Bool
    public var durability: Target.Durability
    public var node: String
    public var gatewayVersion: String
    /// The monotonic clock at the start, to measure the session's length against.
    public var monotonicNanoseconds: UInt64

    public init(
        listener: String, clientAddress: String, target: String, protocolName: Target.ProtocolName, role: String? = nil,
        database: String? = nil, application: String? = nil, isEncrypted: Bool, durability: Target.Durability, node: String,
        gatewayVersion: String, monotonicNanoseconds: UInt64
    ) {
        self.listener = listener
        self.clientAddress = clientAddress
        self.target = target
        self.protocolName = protocolName
        self.role = role
        self.database = database
        self.application = application
        self.isEncrypted = isEncrypted
        self.durability = durability
        self.node = node
        self.gatewayVersion = gatewayVersion
        self.monotonicNanoseconds = monotonicNanoseconds
    }
}

/// Payload of `identity`: who was let in, and what let him in.
public struct SessionIdentity: Sendable, Hashable, Codable {
    public var principal: Principal
    /// The access rule that granted the session.
    public var grantingRule: String
    /// The group of the principal that the rule matched, when it matched by one.
    public var grantingGroup: String?
    public var policyVersion: String
    /// The masks of the target that the principal is excepted from, by their ids: what they cover is seen in clear.
    public var clearMasks: [String]?

    public init(
        principal: Principal, grantingRule: String, grantingGroup: String? = nil, policyVersion: String, clearMasks: [String]? = nil
    ) {
        self.clearMasks = clearMasks
        self.principal = principal
        self.grantingRule = grantingRule
        self.grantingGroup = grantingGroup
        self.policyVersion = policyVersion
    }
}

/// Payload of `upstream`: the connection to the target.
public struct UpstreamConnection: Sendable, Hashable, Codable {
    public var address: String
    /// The target's account that is used.
    public var user: String
    public var isEncrypted: Bool
    public var serverVersion: String?

    public init(address: String, user: String, isEncrypted: Bool, serverVersion: String? = nil) {
        self.address = address
        self.user = user
        self.isEncrypted = isEncrypted
        self.serverVersion = serverVersion
    }
}

/// Payload of `notice`, `cancel` and `error`.
public struct SessionNote: Sendable, Hashable, Codable {
    /// A stable word: `idle-timeout`, `protocol-error`, `cancel-request`.
    public var code: String
    public var message: String

    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

/// Payload of `end`.
public struct SessionEnd: Sendable, Hashable, Codable {
    /// A stable word: `client-closed`, `server-closed`, `protocol-error`, `idle-timeout`, `revoked`, `shutdown`, ...
    public var reason: String
    public var message: String
    /// As counted by the gateway while it relayed, independently of what was recorded.
    public var accounting: Accounting
    /// How long the session lasted, by the monotonic clock.
    public var durationNanoseconds: UInt64
    /// Counters of the protocol's choosing: statements, rows, denied, masked cells.
    public var counters: [String: UInt64]
    /// Ids of the approvals that something of the session ran under, the first 1,000; nil where nothing did.
    public var approvals: [String]?

    public init(
        reason: String, message: String = "", accounting: Accounting, durationNanoseconds: UInt64, counters: [String: UInt64] = [:],
        approvals: [String]? = nil
    ) {
        self.approvals = approvals
        self.reason = reason
        self.message = message
        self.accounting = accounting
        self.durationNanoseconds = durationNanoseconds
        self.counters = counters
    }
}

/// JSON with its keys in order, so that equal values are equal bytes.
func canonicalJSON(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
}

extension Decodable {
    /// Reads a JSON payload.
    static func fromJSON(_ bytes: some Sequence<UInt8>) throws -> Self {
        try JSONDecoder().decode(Self.self, from: Data(bytes))
    }
}

extension Frame {
    /// The payload of a kind that holds JSON (`start`, `identity`, `upstream`, `notice`, `cancel`, `error`, `end`).
    /// - Throws: `DecodingError` when it is not what `type` says.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try Value.fromJSON(payload)
    }
}
