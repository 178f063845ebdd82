import NIOCore

/// "Column Definition 4.1": what a result's column, or a statement's parameter, is.
struct ColumnDefinition: Sendable, Hashable {
    /// Always `def`.
    var catalog = ByteBuffer(string: "def")
    /// Bytes of the connection's character set, as all names here.
    var schema = ByteBuffer()
    /// The table's alias in the statement.
    var table = ByteBuffer()
    /// The table itself; empty for what is computed.
    var originalTable = ByteBuffer()
    /// The column's alias in the statement.
    var name = ByteBuffer()
    /// The column itself; empty for what is computed.
    var originalName = ByteBuffer()
    /// MariaDB's extended metadata, as it travels: see ``extendedFields()``. Only on connections that have it.
    var extended = ByteBuffer()
    /// The number of the collation of the values as sent; 63 is binary.
    var collation: UInt16 = 45
    /// The longest value in bytes, as the server declares it.
    var length: UInt32 = 0
    var type: ColumnType
    var flags: ColumnFlags = []
    var decimals: UInt8 = 0
    /// COM_FIELD_LIST alone has one: length-encoded, or 0xFB for none; as it travels.
    var defaultValue: ByteBuffer?

    init(name: String, type: ColumnType) {
        self.name = ByteBuffer(string: name)
        self.type = type
    }

    init(_ payload: ByteBuffer, _ capabilities: Capabilities) throws(ProtocolViolation) {
        var body = BodyReader(payload, "column definition")
        catalog = try body.encodedBytes()
        schema = try body.encodedBytes()
        table = try body.encodedBytes()
        originalTable = try body.encodedBytes()
        name = try body.encodedBytes()
        originalName = try body.encodedBytes()
        if capabilities.contains(.extendedMetadata) { extended = try body.encodedBytes() }
        let fixed = try body.encodedInteger()
        guard fixed == 12 else { throw ProtocolViolation("column definition with \(fixed) bytes of fixed fields") }
        collation = try body.integer()
        length = try body.integer()
        type = ColumnType(rawValue: try body.integer())
        flags = ColumnFlags(rawValue: try body.integer())
        decimals = try body.integer()
        try body.skip(2)
        if body.remaining > 0 { defaultValue = body.rest() }
    }

    /// As a peer with `capabilities` reads it: without extended metadata where it has none, with an empty block where the
    /// server sent none.
    func write(to buffer: inout ByteBuffer, _ capabilities: Capabilities) {
        for field in [catalog, schema, table, originalTable, name, originalName] { buffer.writeEncoded(bytes: field) }
        if capabilities.contains(.extendedMetadata) { buffer.writeEncoded(bytes: extended) }
        buffer.writeInteger(UInt8(12))
        buffer.writeLittle(collation)
        buffer.writeLittle(length)
        buffer.writeInteger(type.rawValue)
        buffer.writeLittle(flags.rawValue)
        buffer.writeInteger(decimals)
        buffer.writeLittle(UInt16(0))
        if let defaultValue { buffer.writeImmutableBuffer(defaultValue) }
    }

    /// MariaDB: what more is known of the type: 0 its name (`inet6`, `uuid`, `point`), 1 its format (`json`).
    func extendedFields() throws(ProtocolViolation) -> [(kind: UInt8, value: String)] {
        var body = BodyReader(extended, "extended metadata")
        var fields: [(kind: UInt8, value: String)] = []
        while body.remaining > 0 {
            let kind: UInt8 = try body.integer()
            fields.append((kind, try body.encodedString()))
        }
        return fields
    }

    var isUnsigned: Bool { flags.contains(.unsigned) }
}
