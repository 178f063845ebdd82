/// The library's own output did not read as its own description says: never seen, and never trusted.
struct MalformedTree: Error {}

/// One field as it stands on the protobuf wire (protobuf.dev, "Encoding").
struct WireField {
    var number: Int
    /// The value of a varint; 0 for anything else.
    var value: UInt64 = 0
    /// The bytes of a length-delimited field.
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
}

/// Reads the fields of one message in order.
struct WireReader {
    private let base: UnsafeRawPointer?
    private var at = 0
    private let count: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.baseAddress
        count = bytes.count
    }

    @inline(__always)
    mutating func next() throws(MalformedTree) -> WireField? {
        guard let base, at < count else { return nil }
        let key = try varint(base)
        guard let number = Int(exactly: key >> 3) else { throw MalformedTree() }
        switch key & 7 {
        case 0: return WireField(number: number, value: try varint(base))
        case 1: return WireField(number: number, bytes: try take(8, base))
        case 2:
            guard let length = Int(exactly: try varint(base)) else { throw MalformedTree() }
            return WireField(number: number, bytes: try take(length, base))
        case 5: return WireField(number: number, bytes: try take(4, base))
        default: throw MalformedTree()
        }
    }

    @inline(__always)
    private mutating func varint(_ base: UnsafeRawPointer) throws(MalformedTree) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while at < count {
            let byte = base.load(fromByteOffset: at, as: UInt8.self)
            at &+= 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
            shift &+= 7
            guard shift < 64 else { throw MalformedTree() }
        }
        throw MalformedTree()
    }

    @inline(__always)
    private mutating func take(_ length: Int, _ base: UnsafeRawPointer) throws(MalformedTree) -> UnsafeRawBufferPointer {
        guard length <= count &- at else { throw MalformedTree() }
        let taken = UnsafeRawBufferPointer(start: base + at, count: length)
        at &+= length
        return taken
    }
}

/// A node of the parse tree: a view over the bytes, valid while the parse result lives.
struct Message {
    let type: Int32
    let kind: NodeKind
    let bytes: UnsafeRawBufferPointer

    init(type: Int32, bytes: UnsafeRawBufferPointer) {
        self.type = type
        self.bytes = bytes
        kind = Schema.kinds[Int(type)]
    }

    var info: Schema.MessageType { Schema.shared.types[Int(type)] }

    /// The message in `field`; a Node gives what it wraps, an empty one nil.
    private func message(in field: WireField) throws(MalformedTree) -> Message? {
        let fields = Schema.shapes[Int(type)]
        guard field.number < fields.count else { throw MalformedTree() }
        let inside = fields[field.number]
        if inside == Schema.notAMessage { return nil }
        guard inside >= 0 else { throw MalformedTree() }
        let inner = Message(type: inside, bytes: field.bytes)
        guard inner.kind == .node else { return inner }
        var reader = WireReader(inner.bytes)
        guard let only = try reader.next() else { return nil }
        return try inner.message(in: only)
    }

    func message(_ number: Int) throws(MalformedTree) -> Message? {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if field.number == number { return try message(in: field) }
        }
        return nil
    }

    func messages(_ number: Int) throws(MalformedTree) -> [Message] {
        var result: [Message] = []
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if field.number == number, let item = try message(in: field) { result.append(item) }
        }
        return result
    }

    func has(_ number: Int) throws(MalformedTree) -> Bool {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if field.number == number { return true }
        }
        return false
    }

    func text(_ number: Int) throws(MalformedTree) -> String? {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if field.number == number { return String(decoding: field.bytes, as: UTF8.self) }
        }
        return nil
    }

    func number(_ number: Int) throws(MalformedTree) -> Int {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if field.number == number { return Int(Int64(bitPattern: field.value)) }
        }
        return 0
    }

    func flag(_ field: Int) throws(MalformedTree) -> Bool { try number(field) != 0 }

    /// Every message directly below, Nodes unwrapped, with the number of its field.
    func children(_ visit: (Int, Message) throws -> Void) throws {
        var reader = WireReader(bytes)
        while let field = try reader.next() {
            if let child = try message(in: field) { try visit(field.number, child) }
        }
    }
}
