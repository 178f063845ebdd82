import NIOCore

/// COM_QUERY ("COM_QUERY"), with query attributes where the connection has them.
struct QueryRequest: Sendable, Hashable {
    /// Bytes of the connection's character set; several statements where the session allows that.
    var text: ByteBuffer
    var attributes: [Parameter] = []

    init(text: ByteBuffer, attributes: [Parameter] = []) {
        self.text = text
        self.attributes = attributes
    }

    init(_ body: inout BodyReader, _ capabilities: Capabilities) throws(ProtocolViolation) {
        if capabilities.contains(.queryAttributes) {
            let count = try body.encodedCount()
            guard try body.encodedInteger() == 1 else { throw ProtocolViolation("COM_QUERY with other than one set of attributes") }
            if count > 0 { attributes = try ParameterBlock(&body, count: count, named: true, known: nil).parameters }
        }
        text = body.rest()
    }

    /// - Throws: attributes that the server does not take; dropping them in silence would change what the statement means
    ///   (`mysql_query_attribute_string`).
    func write(to buffer: inout ByteBuffer, _ capabilities: Capabilities) throws(ErrorPacket) {
        if capabilities.contains(.queryAttributes) {
            buffer.writeEncoded(integer: UInt64(attributes.count))
            buffer.writeEncoded(integer: 1)
            if !attributes.isEmpty { ParameterBlock(parameters: attributes).write(to: &buffer, named: true) }
        } else if !attributes.isEmpty {
            throw .attributesNotSupported
        }
        buffer.writeImmutableBuffer(text)
    }
}

/// COM_STMT_EXECUTE ("COM_STMT_EXECUTE"). Where its values begin and end depends on the statement, so they are taken apart in
/// a second step: ``parameters(of:_:)``.
struct ExecuteRequest: Sendable, Hashable {
    var statement: UInt32
    var flags: Flags
    /// Always 1; servers do not look at it.
    var iterations: UInt32 = 1
    var body: ByteBuffer

    struct Flags: OptionSet, Sendable, Hashable {
        let rawValue: UInt8

        init(rawValue: UInt8) { self.rawValue = rawValue }

        static let readOnlyCursor = Flags(rawValue: 1)
        static let updateCursor = Flags(rawValue: 2)
        static let scrollableCursor = Flags(rawValue: 4)
        /// A statement without parameters comes with query attributes.
        static let parameterCount = Flags(rawValue: 8)

        static let cursors: Flags = [.readOnlyCursor, .updateCursor, .scrollableCursor]
    }

    init(_ reader: inout BodyReader) throws(ProtocolViolation) {
        statement = try reader.integer()
        flags = Flags(rawValue: try reader.integer())
        iterations = try reader.integer()
        body = reader.rest()
    }

    init(statement: UInt32, flags: Flags = [], body: ByteBuffer = ByteBuffer()) {
        self.statement = statement
        self.flags = flags
        self.body = body
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeLittle(statement)
        buffer.writeInteger(flags.rawValue)
        buffer.writeLittle(iterations)
        buffer.writeImmutableBuffer(body)
    }

    /// The values: those of the statement's parameters first, query attributes behind them.
    /// - Throws: `ProtocolViolation` where they do not fit the statement.
    func parameters(of prepared: PreparedStatement, _ capabilities: Capabilities) throws(ProtocolViolation) -> ParameterBlock {
        var reader = BodyReader(body, "COM_STMT_EXECUTE")
        var count = Int(prepared.parameterCount)
        let named = capabilities.contains(.queryAttributes)
        // Where the connection has query attributes the number of values is always said, whatever the flag; the flag matters
        // for a statement without parameters, which has no values otherwise. MySQL 9.7 was asked.
        if named, count > 0 || flags.contains(.parameterCount) {
            count = try reader.encodedCount()
            guard count >= Int(prepared.parameterCount) else { throw ProtocolViolation("fewer values than the statement has parameters") }
        }
        guard count > 0 else {
            // What stands behind the last field is looked at by no server.
            return ParameterBlock(parameters: [])
        }
        let longData = prepared.longData
        let block = try ParameterBlock(
            &reader, count: count, named: named, known: prepared.types, isLongData: { longData[UInt16(clamping: $0)] != nil })
        try reader.finish()
        return block
    }

    /// The request again, for a server with other capabilities.
    /// - Throws: `ErrorPacket` for query attributes that it does not take.
    static func make(
        _ request: ExecuteRequest, _ block: ParameterBlock, of prepared: PreparedStatement, _ capabilities: Capabilities
    ) throws(ErrorPacket) -> ExecuteRequest {
        var made = request
        let named = capabilities.contains(.queryAttributes)
        if !named {
            made.flags.remove(.parameterCount)
            guard block.parameters.count <= Int(prepared.parameterCount) else { throw .attributesNotSupported }
        }
        var body = ByteBuffer()
        if named, prepared.parameterCount > 0 || made.flags.contains(.parameterCount) {
            body.writeEncoded(integer: UInt64(block.parameters.count))
        }
        let longData = prepared.longData
        if !block.parameters.isEmpty { block.write(to: &body, named: named, isLongData: { longData[UInt16(clamping: $0)] != nil }) }
        made.body = body
        return made
    }
}

/// MariaDB's COM_STMT_BULK_EXECUTE: a prepared statement run for many rows of parameters.
struct BulkExecuteRequest: Sendable, Hashable {
    var statement: UInt32
    var flags: Flags
    var body: ByteBuffer

    struct Flags: OptionSet, Sendable, Hashable {
        let rawValue: UInt16

        init(rawValue: UInt16) { self.rawValue = rawValue }

        static let unitResults = Flags(rawValue: 64)
        static let sendsTypes = Flags(rawValue: 128)
    }

    /// What stands in a value's place.
    enum Value: Sendable, Hashable {
        /// As it travels.
        case value(ByteBuffer)
        case null
        /// The column's default.
        case defaultValue
        /// Its default in an insert, what it was in an update.
        case ignored
    }

    init(_ reader: inout BodyReader) throws(ProtocolViolation) {
        statement = try reader.integer()
        flags = Flags(rawValue: try reader.integer())
        body = reader.rest()
    }

    init(statement: UInt32, flags: Flags, body: ByteBuffer) {
        self.statement = statement
        self.flags = flags
        self.body = body
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeLittle(statement)
        buffer.writeLittle(flags.rawValue)
        buffer.writeImmutableBuffer(body)
    }

    /// The types, and the rows of values.
    func rows(of prepared: PreparedStatement) throws(ProtocolViolation) -> (types: [ParameterType], rows: [[Value]]) {
        var reader = BodyReader(body, "COM_STMT_BULK_EXECUTE")
        let count = Int(prepared.parameterCount)
        guard count > 0 else { throw ProtocolViolation("a bulk execution of a statement without parameters") }
        var types: [ParameterType] = []
        if flags.contains(.sendsTypes) {
            for _ in 0..<count { types.append(try ParameterType(&reader, named: false)) }
        } else {
            guard let known = prepared.types, known.count == count else { throw ProtocolViolation("values of parameters without types") }
            types = known
        }
        var rows: [[Value]] = []
        while reader.remaining > 0 {
            var row: [Value] = []
            row.reserveCapacity(count)
            for type in types { row.append(try Self.value(&reader, type)) }
            rows.append(row)
        }
        return (types, rows)
    }

    private static func value(_ reader: inout BodyReader, _ type: ParameterType) throws(ProtocolViolation) -> Value {
        switch try reader.integer(UInt8.self) {
        case 0: return .value(try reader.binaryValue(type.type))
        case 1: return .null
        case 2: return .defaultValue
        case 3: return .ignored
        case let other: throw ProtocolViolation("\(other) indicates no bulk value")
        }
    }
}

extension ErrorPacket {
    static let attributesNotSupported = ErrorPacket(
        .notSupported, "This target's server takes no query attributes. Send the statement without them.")
}
