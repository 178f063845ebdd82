import Masking
import NIOCore

/// What the server says beside rows: its messages, settings that it reports, and what other sessions notify. Detectors look into their texts.
extension RelayMachine {
    /// Message, detail, hint, where, and internal query (documentation, "Error and Notice Message Fields"). The others are codes,
    /// places and names.
    private static let textFields: Set<UInt8> = Set("MDHWq".utf8)

    /// An error or notice, with what is found in its texts replaced; nil: nothing is.
    func redacted(_ body: BodyReader, as type: UInt8) throws(ProtocolViolation) -> ByteBuffer? {
        guard let redactor = judge.redactor else { return nil }
        var body = body
        var fields: [(type: UInt8, text: ByteBuffer)] = []
        var isChanged = false
        while true {
            let field: UInt8 = try body.integer()
            if field == 0 { break }
            var text = try body.cStringBytes()
            if Self.textFields.contains(field), let clean = text.redacted(by: redactor) {
                text = clean
                isChanged = true
            }
            fields.append((field, text))
        }
        guard isChanged else { return nil }
        var buffer = ByteBuffer()
        writeMessage(type, to: &buffer) { body in
            for field in fields {
                body.writeInteger(field.type)
                body.writeImmutableBuffer(field.text)
                body.writeInteger(UInt8(0))
            }
            body.writeInteger(UInt8(0))
        }
        return buffer
    }

    /// A setting that the server reports: `SET` can have put anything into one.
    func redacted(parameter name: String, _ value: String) -> ServerStep {
        // What drivers read to know how to talk is the server's own.
        guard let redactor = judge.redactor, name != "server_version",
            let clean = ByteBuffer(string: value).redacted(by: redactor)
        else { return .pass }
        var buffer = ByteBuffer()
        writeMessage(Backend.parameterStatus, to: &buffer) { body in
            body.writeNullTerminatedString(name)
            body.writeImmutableBuffer(clean)
            body.writeInteger(UInt8(0))
        }
        return .replace(ServerReplacement(bytes: buffer, reason: .mask))
    }

    func receiveNotification(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        guard let redactor = judge.redactor else { return .pass }
        let process: Int32 = try body.integer()
        let channel = try body.cStringBytes()
        let payload = try body.cStringBytes()
        try body.finish()
        guard let clean = payload.redacted(by: redactor) else { return .pass }
        var buffer = ByteBuffer()
        writeMessage(Backend.notificationResponse, to: &buffer) { body in
            body.writeInteger(process)
            body.writeImmutableBuffer(channel)
            body.writeInteger(UInt8(0))
            body.writeImmutableBuffer(clean)
            body.writeInteger(UInt8(0))
        }
        return .replace(ServerReplacement(bytes: buffer, reason: .mask))
    }
}

extension ByteBuffer {
    /// The text without what was found in it; nil: there is nothing.
    fileprivate func redacted(by redactor: Redactor) -> ByteBuffer? {
        readableBytesView.withUnsafeBytes { bytes in
            var output: [UInt8] = []
            guard case .replaced = redactor.redact(bytes, as: .text, into: &output) else { return nil }
            return ByteBuffer(bytes: output)
        }
    }
}
