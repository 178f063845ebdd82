import NIOCore

/// One thing that changed in a session ("Session State Information").
enum SessionStateChange: Sendable, Hashable {
    case systemVariable(name: String, value: ByteBuffer)
    case schema(ByteBuffer)
    /// Whether anything about the session changed.
    case stateChanged(ByteBuffer)
    case gtids(ByteBuffer)
    case transactionCharacteristics(ByteBuffer)
    case transactionState(ByteBuffer)
    /// MariaDB and later servers know more kinds.
    case other(UInt8, ByteBuffer)

    /// A server that says more in one packet is not believed.
    private static let maximumCount = 4_096

    static func decode(_ block: ByteBuffer) throws(ProtocolViolation) -> [SessionStateChange] {
        var body = BodyReader(block, "session state")
        var changes: [SessionStateChange] = []
        while body.remaining > 0 {
            guard changes.count < maximumCount else { throw ProtocolViolation("more than \(maximumCount) session state changes") }
            let kind: UInt8 = try body.integer()
            let data = try body.encodedBytes()
            var inner = BodyReader(data, "session state change")
            switch kind {
            case 0:
                // MariaDB puts several pairs into one.
                while inner.remaining > 0 {
                    let name = try inner.encodedString()
                    changes.append(.systemVariable(name: name, value: try inner.encodedBytes()))
                }
            case 1: changes.append(.schema(try inner.encodedBytes()))
            case 2: changes.append(.stateChanged(try inner.encodedBytes()))
            case 3:
                // The form of the text; 0 is the only one.
                try inner.skip(1)
                changes.append(.gtids(try inner.encodedBytes()))
            case 4: changes.append(.transactionCharacteristics(try inner.encodedBytes()))
            case 5: changes.append(.transactionState(try inner.encodedBytes()))
            default: changes.append(.other(kind, data))
            }
        }
        return changes
    }

    /// Writes the change as an element of the block.
    func write(to buffer: inout ByteBuffer) {
        var inner = ByteBuffer()
        let kind: UInt8
        switch self {
        case .systemVariable(let name, let value):
            kind = 0
            inner.writeEncoded(string: name)
            inner.writeEncoded(bytes: value)
        case .schema(let value):
            kind = 1
            inner.writeEncoded(bytes: value)
        case .stateChanged(let value):
            kind = 2
            inner.writeEncoded(bytes: value)
        case .gtids(let value):
            kind = 3
            inner.writeInteger(UInt8(0))
            inner.writeEncoded(bytes: value)
        case .transactionCharacteristics(let value):
            kind = 4
            inner.writeEncoded(bytes: value)
        case .transactionState(let value):
            kind = 5
            inner.writeEncoded(bytes: value)
        case .other(let other, let data):
            kind = other
            inner.writeImmutableBuffer(data)
        }
        buffer.writeInteger(kind)
        buffer.writeEncoded(bytes: inner)
    }
}
