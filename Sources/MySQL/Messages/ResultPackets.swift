import NIOCore

/// "OK_Packet": a command succeeded, or (with the header 0xFE) the rows of a result ended.
struct OKPacket: Sendable, Hashable {
    var affectedRows: UInt64 = 0
    var lastInsertID: UInt64 = 0
    var status: StatusFlags = .autocommit
    var warnings: UInt16 = 0
    /// What the server says in words. MySQL leaves the field out where it is empty.
    var info = ByteBuffer()
    /// What changed in the session, as the server wrote it: see ``SessionStateChange/decode(_:)``. Present when the status
    /// has `sessionStateChanged` and both sides track sessions.
    var sessionState = ByteBuffer()

    static let header: UInt8 = 0x00
    static let endHeader: UInt8 = 0xFE

    init(
        affectedRows: UInt64 = 0, lastInsertID: UInt64 = 0, status: StatusFlags = .autocommit, warnings: UInt16 = 0, info: String = ""
    ) {
        self.affectedRows = affectedRows
        self.lastInsertID = lastInsertID
        self.status = status
        self.warnings = warnings
        self.info = ByteBuffer(string: info)
    }

    /// - Parameter payload: begins with 0x00, or 0xFE for one that ends rows.
    init(_ payload: ByteBuffer, _ capabilities: Capabilities) throws(ProtocolViolation) {
        var body = BodyReader(payload, "OK packet")
        let header: UInt8 = try body.integer()
        guard header == Self.header || header == Self.endHeader else {
            throw ProtocolViolation("0x\(String(header, radix: 16)) is no OK packet")
        }
        affectedRows = try body.encodedInteger()
        lastInsertID = try body.encodedInteger()
        status = StatusFlags(rawValue: try body.integer())
        warnings = try body.integer()
        if capabilities.contains(.sessionTracking) {
            if body.remaining > 0 { info = try body.encodedBytes() }
            if status.contains(.sessionStateChanged), body.remaining > 0 { sessionState = try body.encodedBytes() }
            try body.finish()
        } else {
            // The document says "the rest", servers write a length in front, and their libraries read one.
            let rest = body.rest()
            var inner = BodyReader(rest, "OK packet")
            if let text = try? inner.encodedBytes(), inner.remaining == 0 { info = text } else { info = rest }
        }
    }

    /// As a peer with `capabilities` reads it. One that does not track sessions is not told of what changed.
    func write(to buffer: inout ByteBuffer, _ capabilities: Capabilities, header: UInt8 = OKPacket.header) {
        buffer.writeInteger(header)
        buffer.writeEncoded(integer: affectedRows)
        buffer.writeEncoded(integer: lastInsertID)
        let tracks = capabilities.contains(.sessionTracking)
        var status = status
        if !tracks || sessionState.readableBytes == 0 { status.remove(.sessionStateChanged) }
        buffer.writeLittle(status.rawValue)
        buffer.writeLittle(warnings)
        if tracks {
            if info.readableBytes > 0 || sessionState.readableBytes > 0 { buffer.writeEncoded(bytes: info) }
            if sessionState.readableBytes > 0 { buffer.writeEncoded(bytes: sessionState) }
        } else if info.readableBytes > 0 {
            buffer.writeEncoded(bytes: info)
        }
    }

    /// - Throws: `ProtocolViolation` when the block of changes is malformed.
    func sessionChanges() throws(ProtocolViolation) -> [SessionStateChange] { try SessionStateChange.decode(sessionState) }
}

/// "EOF_Packet" of connections without CLIENT_DEPRECATE_EOF.
struct EOFPacket: Sendable, Hashable {
    var warnings: UInt16 = 0
    var status: StatusFlags = .autocommit

    static let header: UInt8 = 0xFE

    init(warnings: UInt16 = 0, status: StatusFlags = .autocommit) {
        self.warnings = warnings
        self.status = status
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "EOF packet")
        guard try body.integer(UInt8.self) == Self.header else { throw ProtocolViolation("an EOF packet begins with 0xfe") }
        warnings = try body.integer()
        status = StatusFlags(rawValue: try body.integer())
        try body.finish()
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(Self.header)
        buffer.writeLittle(warnings)
        buffer.writeLittle(status.rawValue)
    }
}

/// "ERR_Packet": a command failed.
struct ErrorPacket: Sendable, Hashable, Error {
    var number: UInt16
    /// nil before both sides know that they speak protocol 4.1: an error in the greeting's place has none.
    var sqlState: String?
    var message: ByteBuffer

    static let header: UInt8 = 0xFF
    /// Clients keep an error's text in a buffer of this many bytes (MYSQL_ERRMSG_SIZE), its NUL included.
    static let maximumText = 511

    /// An error of the gateway's own; a longer text is cut between characters.
    init(_ code: ErrorCode, _ text: String) {
        number = code.number
        sqlState = code.sqlState
        message = ByteBuffer(string: Self.cut(text))
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "ERR packet")
        guard try body.integer(UInt8.self) == Self.header else { throw ProtocolViolation("an ERR packet begins with 0xff") }
        number = try body.integer()
        if body.next == UInt8(ascii: "#"), body.remaining >= 6 {
            try body.skip(1)
            sqlState = BodyReader.text(try body.bytes(5))
        }
        message = body.rest()
    }

    var text: String { BodyReader.text(message) }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(Self.header)
        buffer.writeLittle(number)
        if let sqlState, sqlState.utf8.count == 5 {
            buffer.writeString("#")
            buffer.writeString(sqlState)
        }
        buffer.writeImmutableBuffer(message)
    }

    var payload: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > maximumText else { return text }
        var end = maximumText
        let bytes = Array(text.utf8.prefix(maximumText + 1))
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}

/// MariaDB: how far a long command has come. It looks like an error with the number 65535, and its answer is yet to come
/// (MariaDB documentation, "Progress Reporting"; "ERR_Packet").
struct ProgressReport: Sendable, Hashable {
    var stage: UInt8
    var maximumStage: UInt8
    /// Thousandths of a percent, at most 100,000.
    var progress: UInt32
    var info: ByteBuffer

    static let errorNumber: UInt16 = 0xFFFF

    static func matches(_ payload: ByteBuffer) -> Bool {
        payload.getInteger(at: payload.readerIndex, as: UInt8.self) == ErrorPacket.header
            && payload.getInteger(at: payload.readerIndex + 1, as: UInt16.self) == errorNumber
    }

    init(_ payload: ByteBuffer) throws(ProtocolViolation) {
        var body = BodyReader(payload, "progress report")
        try body.skip(3)
        // The number of strings that follow; always 1.
        try body.skip(1)
        stage = try body.integer()
        maximumStage = try body.integer()
        progress = try body.integer24()
        info = try body.encodedBytes()
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(ErrorPacket.header)
        buffer.writeInteger(Self.errorNumber)
        buffer.writeInteger(UInt8(1))
        buffer.writeInteger(stage)
        buffer.writeInteger(maximumStage)
        buffer.writeInteger24(progress)
        buffer.writeEncoded(bytes: info)
    }
}
