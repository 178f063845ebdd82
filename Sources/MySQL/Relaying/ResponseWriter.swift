import NIOCore

/// Writes an answer for the client, whose side of the connection may end lists otherwise than the server's: with EOF packets, or
/// with CLIENT_DEPRECATE_EOF by count alone. A value, one for each answer.
struct ResponseWriter: Sendable {
    private let client: Capabilities
    private let server: Capabilities
    /// The number of the next packet to the client.
    private(set) var sequence: UInt8
    private var columnsLeft = 0
    private var parametersLeft = 0
    private var isPrepare = false
    /// The EOF packet behind a result's columns is owed. It waits for what comes next: where a cursor was opened it is the only one.
    private var owesEOF = false

    /// - Parameter sequence: of the first packet: one more than the last of the command.
    init(client: Capabilities, server: Capabilities, sequence: UInt8) {
        self.client = client
        self.server = server
        self.sequence = sequence
    }

    private var insertsEOF: Bool { server.contains(.deprecateEOF) && !client.contains(.deprecateEOF) }

    /// Writes what the client must get for `response`: nothing, a packet, or two.
    ///
    /// - Parameter status: of the session so far (``ResponseReader/status``), for an EOF packet that the server did not send.
    mutating func write(_ response: Response, status: StatusFlags, to buffer: inout ByteBuffer) {
        payOwed(before: response, status: status, to: &buffer)
        let client = client
        switch response {
        case .ok(let ok):
            emit(to: &buffer) { ok.write(to: &$0, client) }
        case .error(let error): emit(to: &buffer) { error.write(to: &$0) }
        case .progress(let report):
            if client.contains(.progress) { emit(to: &buffer) { report.write(to: &$0) } }
        case .columnCount(let count):
            columnsLeft = count
            emit(to: &buffer) { $0.writeEncoded(integer: UInt64(count)) }
        case .column(let column):
            emit(to: &buffer) { column.write(to: &$0, client) }
            guard columnsLeft > 0 else { return }
            columnsLeft -= 1
            guard columnsLeft == 0, insertsEOF else { return }
            if isPrepare { insertEOF(status, to: &buffer) } else { owesEOF = true }
        case .columnsEnd(let eof): writeColumnsEnd(eof, to: &buffer)
        case .row(let row, _): buffer.writePacket(row, sequence: &sequence)
        case .rowsEnd(let ok), .end(let ok): writeEnd(ok, to: &buffer)
        case .localInfile(let name):
            emit(to: &buffer) {
                $0.writeInteger(UInt8(0xFB))
                $0.writeImmutableBuffer(name)
            }
        case .prepared(let prepared):
            isPrepare = true
            parametersLeft = Int(prepared.parameters)
            columnsLeft = Int(prepared.columns)
            emit(to: &buffer) { prepared.write(to: &$0) }
        case .parameter(let parameter):
            emit(to: &buffer) { parameter.write(to: &$0, client) }
            parametersLeft -= 1
            if parametersLeft == 0, insertsEOF { insertEOF(status, to: &buffer) }
        case .statistics(let text): buffer.writePacket(text, sequence: &sequence)
        // A login is the gateway's own matter.
        case .authentication: break
        }
    }

    /// The client sent packets of a file in between; its next one would have this number.
    mutating func resume(at next: UInt8) { sequence = next }

    private mutating func payOwed(before response: Response, status: StatusFlags, to buffer: inout ByteBuffer) {
        guard owesEOF else { return }
        owesEOF = false
        if case .rowsEnd(let ok) = response, ok.status.contains(.cursorExists) { return }
        insertEOF(status, to: &buffer)
    }

    private mutating func insertEOF(_ status: StatusFlags, to buffer: inout ByteBuffer) {
        var status = status
        status.subtract([.moreResults, .cursorExists, .lastRowSent, .sessionStateChanged])
        emit(to: &buffer) { EOFPacket(status: status).write(to: &$0) }
    }

    private mutating func writeColumnsEnd(_ eof: EOFPacket, to buffer: inout ByteBuffer) {
        guard client.contains(.deprecateEOF) else {
            emit(to: &buffer) { eof.write(to: &$0) }
            return
        }
        // No rows follow, so that this is the end of the result as well.
        guard !isPrepare, eof.status.contains(.cursorExists) else { return }
        writeEnd(OKPacket(status: eof.status, warnings: eof.warnings), to: &buffer)
    }

    private mutating func writeEnd(_ ok: OKPacket, to buffer: inout ByteBuffer) {
        let client = client
        if client.contains(.deprecateEOF) {
            emit(to: &buffer) { ok.write(to: &$0, client, header: OKPacket.endHeader) }
        } else {
            var status = ok.status
            status.remove(.sessionStateChanged)
            emit(to: &buffer) { EOFPacket(warnings: ok.warnings, status: status).write(to: &$0) }
        }
    }

    private mutating func emit(to buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
        var payload = ByteBuffer()
        body(&payload)
        buffer.writePacket(payload, sequence: &sequence)
    }
}
