import NIOCore

/// Bytes of the client that the recording holds in other words: a whole message, or a piece of copy data.
struct HiddenMessage {
    enum Reason: String {
        case literals
        case parameters
        case copyData = "copy data"
        /// Something that detectors found.
        case findings
        /// What of it is secret cannot be told.
        case unreadable
    }

    /// What stands for a value.
    static let stars = "****"

    /// Where it begins in the bytes that it belongs to.
    var offset: Int
    var length: Int
    /// Whole messages, or nothing.
    var recorded: ByteBuffer
    /// How many values were replaced.
    var items: Int
    var reason: Reason
    /// What was said is kept for break-glass recipients.
    var keepsOriginal = false
}

// MARK: - Making them

extension HiddenMessage {
    /// A Query or Parse with another text; nil where it may be recorded as it is.
    ///
    /// - Parameter prefix: the bytes between the header and the text.
    init?(
        _ shown: HiddenLiterals.Shown, text: ByteBuffer, prefix: Int, _ header: MessageHeader, _ input: ByteBuffer, at start: Int
    ) {
        let words: [UInt8]
        switch shown {
        case .asItIs: return nil
        case .masked(let bytes, let replaced): (words, items, reason) = (bytes, replaced, .literals)
        case .withheld: (words, items, reason) = (Array(Self.stars.utf8), 1, .unreadable)
        }
        (offset, length, recorded) = (start, header.totalLength, ByteBuffer())
        let body = start + MessageHeader.size
        let end = body + prefix + text.readableBytes
        guard let before = input.getSlice(at: body, length: prefix),
            let after = input.getSlice(at: end, length: start + header.totalLength - end)
        else { return }
        writeMessage(header.type, to: &recorded) { message in
            message.writeImmutableBuffer(before)
            message.writeBytes(words)
            message.writeImmutableBuffer(after)
        }
    }

    /// A Bind or FunctionCall without the values that are not kept; nil where it may be recorded as it is.
    init?(
        valuesOf header: MessageHeader, _ input: ByteBuffer, at start: Int, keeping isKept: (_ number: Int, _ value: ByteBuffer) -> Bool
    ) {
        (offset, length, recorded, items, reason) = (start, header.totalLength, ByteBuffer(), 0, .parameters)
        var body = BodyReader(input, messageAt: start, header: header)
        do throws(ProtocolViolation) {
            var values = ByteBuffer()
            if header.type == Frontend.functionCall {
                let _: Int32 = try body.integer()
            } else {
                let _ = try body.cStringBytes()
                let _ = try body.cStringBytes()
            }
            let formats: Int16 = try body.integer()
            try body.skip(Int(formats) * 2)
            let count: Int16 = try body.integer()
            let prefix = header.bodyLength - body.remaining
            for number in 1..<max(Int(count), 0) + 1 {
                let length: Int32 = try body.integer()
                let value = length < 0 ? nil : try body.bytes(Int(length))
                if let value, isKept(number, value) {
                    values.writeInteger(length)
                    values.writeImmutableBuffer(value)
                } else if value == nil {
                    values.writeInteger(length)
                } else {
                    items += 1
                    values.writeInteger(Int32(Self.stars.utf8.count))
                    values.writeString(Self.stars)
                }
            }
            if items == 0 { return nil }
            let after = try body.bytes(body.remaining)
            guard let before = input.getSlice(at: start + MessageHeader.size, length: prefix) else { return }
            writeMessage(header.type, to: &recorded) { message in
                message.writeImmutableBuffer(before)
                message.writeImmutableBuffer(values)
                message.writeImmutableBuffer(after)
            }
        } catch {
            // Not what it should be: the server will say so. What in it is a value cannot be told.
            (items, reason) = (1, .unreadable)
        }
    }

    /// Copy data, as a message of its own.
    init(copyData masked: ByteBuffer?, offset: Int, length: Int, values: Int) {
        (self.offset, self.length, items, recorded) = (offset, length, values, ByteBuffer())
        reason = masked == nil ? .unreadable : .copyData
        guard let masked, masked.readableBytes > 0 else { return }
        writeMessage(Frontend.copyData, to: &recorded) { $0.writeImmutableBuffer(masked) }
    }
}

extension [HiddenMessage] {
    /// Takes out what begins in `range`, and counts its places from the beginning of that.
    mutating func take(in range: Range<Int>) -> [HiddenMessage] {
        guard !isEmpty else { return [] }
        var taken: [HiddenMessage] = []
        removeAll { message in
            guard range.contains(message.offset) else { return false }
            var message = message
            message.offset -= range.lowerBound
            taken.append(message)
            return true
        }
        return taken
    }

    /// Adds copy data; pieces that follow each other become one.
    mutating func add(copyData message: HiddenMessage) {
        guard let last = indices.last, self[last].reason == message.reason, self[last].offset + self[last].length == message.offset,
            self[last].recorded.readableBytes < 262_144
        else { return append(message) }
        self[last].length += message.length
        self[last].items += message.items
        self[last].recorded.writeImmutableBuffer(message.recorded)
    }
}
