/// A bound on everything that a peer can make the gateway hold or wait for. Each says why it is what it is.
public struct Limits: Sendable, Hashable {
    /// From accept to the end of authentication. A person never types here; a client that needs longer is lost or hostile.
    public var handshakeTimeout: Duration = .seconds(10)
    /// PostgreSQL's own bound on a startup packet (MAX_STARTUP_PACKET_LENGTH, 10,000 bytes).
    public var startupPacketBytes = 10_000
    /// A password, token or SASL message. JWTs with many groups reach some 16 KiB.
    public var authenticationMessageBytes = 65_536
    /// One protocol message. A COPY chunk or a row above this is unusual enough to be asked for.
    public var messageBytes = 64 * 1_048_576
    /// Statement text that is analysed; more is the fact `unparsed`.
    public var statementBytes = 1_048_576
    /// Statements longer than this are analysed away from the event loop.
    public var inlineStatementBytes = 8_192
    /// Bytes read from one side and not yet taken by the other before reading stops.
    public var heldBytes = 1_048_576
    /// Prepared statements and portals that a session may have open: each is remembered.
    public var statementsPerSession = 4_096
    /// Pipelined requests not yet answered.
    public var pipelineDepth = 65_536
    /// Silence on both sides. nil: for ever.
    public var idleTimeout: Duration? = nil
    /// A session's whole life. nil: for ever.
    public var sessionLifetime: Duration? = .seconds(12 * 3600)
    public var sessionsPerPrincipal = 256
    /// All sessions of a node; each holds two sockets.
    public var sessions = 10_000

    public init() {}
}
