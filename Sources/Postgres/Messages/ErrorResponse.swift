import NIOCore

/// An error or notice as PostgreSQL writes it (documentation, "Error and Notice Message Fields").
struct ErrorFields: Sendable, Hashable {
    var severity = "ERROR"
    var code: String
    var message: String
    var detail: String?
    var hint: String?
    /// It names a place in the client's own text, and none in a text that the server runs for it. Read, never written.
    private(set) var pointsAtStatement = false

    init(severity: String = "ERROR", code: SQLState, message: String, detail: String? = nil, hint: String? = nil) {
        self.severity = severity
        self.code = code.rawValue
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    /// Reads the fields that people see; nil for a malformed body.
    init(_ body: inout BodyReader) throws(ProtocolViolation) {
        var fields: [UInt8: String] = [:]
        while true {
            let type: UInt8 = try body.integer()
            if type == 0 { break }
            fields[type] = try body.cString()
        }
        severity = fields[UInt8(ascii: "V")] ?? fields[UInt8(ascii: "S")] ?? "ERROR"
        code = fields[UInt8(ascii: "C")] ?? "XX000"
        message = fields[UInt8(ascii: "M")] ?? ""
        detail = fields[UInt8(ascii: "D")]
        hint = fields[UInt8(ascii: "H")]
        pointsAtStatement = fields[UInt8(ascii: "P")] != nil && fields[UInt8(ascii: "q")] == nil && fields[UInt8(ascii: "W")] == nil
    }

    func write(to buffer: inout ByteBuffer, as type: UInt8 = Backend.errorResponse) {
        writeMessage(type, to: &buffer) { body in
            for (field, value) in [("S", severity), ("V", severity), ("C", code), ("M", message)] {
                body.writeString(field)
                body.writeCString(value)
            }
            for (field, value) in [("D", detail), ("H", hint)] {
                guard let value, !value.isEmpty else { continue }
                body.writeString(field)
                body.writeCString(value)
            }
            body.writeInteger(UInt8(0))
        }
    }
}

/// Writes one message: type, length, and what `body` writes.
func writeMessage(_ type: UInt8, to buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
    buffer.writeInteger(type)
    let lengthIndex = buffer.writerIndex
    buffer.writeInteger(Int32(0))
    body(&buffer)
    buffer.setInteger(Int32(clamping: buffer.writerIndex - lengthIndex), at: lengthIndex)
}

extension ByteBuffer {
    /// Writes `text` and a NUL; a NUL within it becomes a space, so that it cannot end the field early.
    mutating func writeCString(_ text: String) {
        if text.utf8.contains(0) {
            writeString(String(text.map { $0 == "\0" ? " " : $0 }))
        } else {
            writeString(text)
        }
        writeInteger(UInt8(0))
    }
}
