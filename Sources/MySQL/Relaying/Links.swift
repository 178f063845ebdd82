import NIOCore

/// The client's end of a connection in its command phase: cuts its bytes into commands, and into the pieces of a file that the
/// server asked for. Numbers of packets begin at 0 with each command.
struct ClientLink: Sendable {
    let capabilities: Capabilities
    private var framer: PacketFramer
    private var isSendingFile = false

    /// - Parameter messageBytes: of one command (`Limits.messageBytes`).
    init(_ capabilities: Capabilities, messageBytes: Int) {
        self.capabilities = capabilities
        framer = PacketFramer(maximumBytes: messageBytes)
    }

    struct Request: Sendable {
        let command: Command
        /// As it came.
        let payload: ByteBuffer
        /// Of the answer's first packet.
        let answerSequence: UInt8
    }

    mutating func append(_ bytes: ByteBuffer) { framer.append(bytes) }

    /// Bytes of a further command are there.
    var hasRest: Bool { framer.hasRest }

    /// The next command; nil while its bytes are not all there, and while a file is to come.
    /// - Throws: `ProtocolViolation`: say it to the client, and close.
    mutating func next() throws(ProtocolViolation) -> Request? {
        guard !isSendingFile, let packet = try framer.next() else { return nil }
        framer.expect(0)
        return Request(command: try Command(packet.payload, capabilities), payload: packet.payload, answerSequence: packet.sequence &+ 1)
    }

    /// The client answers a request for a file, beginning with this number.
    mutating func expectFile(_ sequence: UInt8) {
        framer.expect(sequence)
        isSendingFile = true
    }

    /// The next piece of the file; an empty one is its end, behind which commands come again.
    mutating func nextFilePiece() throws(ProtocolViolation) -> Packet? {
        guard isSendingFile, let packet = try framer.next() else { return nil }
        if packet.payload.readableBytes == 0 {
            framer.expect(0)
            isSendingFile = false
        }
        return packet
    }
}

/// The server's end of a connection in its command phase: numbers what is sent, and ties what comes to the command that it answers.
struct UpstreamLink: Sendable {
    let capabilities: Capabilities
    private var framer: PacketFramer
    private(set) var reader: ResponseReader
    /// Of the first packet of each answer to come, the current one's first.
    private var sequences: CircularBuffer<UInt8> = []
    /// The number of the next piece of a file.
    private var fileSequence: UInt8 = 0

    /// - Parameters:
    ///   - messageBytes: of one message of the server's (`Limits.messageBytes`).
    ///   - depth: see ``ResponseReader``.
    init(_ capabilities: Capabilities, messageBytes: Int, depth: Int) {
        self.capabilities = capabilities
        framer = PacketFramer(maximumBytes: messageBytes)
        reader = ResponseReader(capabilities, depth: depth)
    }

    /// Bytes received and not yet taken with a packet.
    var bufferedBytes: Int { framer.bufferedBytes }

    /// The server has answered all that it was asked.
    var isReady: Bool { reader.isReady }

    /// The bytes of a command.
    mutating func send(_ code: CommandCode, _ payload: ByteBuffer) throws(ProtocolViolation) -> ByteBuffer {
        let before = reader.unanswered
        try reader.sent(code)
        var sequence: UInt8 = 0
        let bytes = ByteBuffer.packet(payload, sequence: &sequence)
        if reader.unanswered > before {
            sequences.append(sequence)
            if sequences.count == 1 { framer.expect(sequence) }
        }
        return bytes
    }

    /// The bytes of a piece of a file that the server asked for; an empty piece ends it.
    mutating func sendFile(_ piece: ByteBuffer) throws(ProtocolViolation) -> ByteBuffer {
        guard reader.awaitsFile else { throw ProtocolViolation("a file that the server did not ask for") }
        let bytes = ByteBuffer.packet(piece, sequence: &fileSequence)
        framer.expect(fileSequence)
        return bytes
    }

    /// The bytes of an answer of the gateway's own to a question of the server's plugin (COM_CHANGE_USER).
    mutating func sendAnswer(_ payload: ByteBuffer) -> ByteBuffer {
        var sequence = framer.expected
        let bytes = ByteBuffer.packet(payload, sequence: &sequence)
        framer.expect(sequence)
        return bytes
    }

    mutating func append(_ bytes: ByteBuffer) { framer.append(bytes) }

    /// The next packet of the server's, understood; nil while its bytes are not all there.
    /// - Throws: `ProtocolViolation`: the session cannot be followed any more.
    mutating func next() throws(ProtocolViolation) -> Response? {
        guard let packet = try framer.next() else { return nil }
        let before = reader.unanswered
        let response = try reader.read(packet.payload)
        if case .localInfile = response { fileSequence = packet.sequence &+ 1 }
        if reader.unanswered < before {
            sequences.removeFirst(min(1, sequences.count))
            if let sequence = sequences.first { framer.expect(sequence) }
        }
        return response
    }
}
