import NIOCore

/// The type of a parameter as the client binds it.
struct ParameterType: Sendable, Hashable {
    var type: ColumnType
    var isUnsigned: Bool
    /// Of a query attribute; "" for a parameter of the statement. Present on connections with query attributes.
    var name = ""

    static let unsignedFlag: UInt8 = 0x80

    init(_ type: ColumnType, isUnsigned: Bool = false, name: String = "") {
        self.type = type
        self.isUnsigned = isUnsigned
        self.name = name
    }

    init(_ body: inout BodyReader, named: Bool) throws(ProtocolViolation) {
        type = ColumnType(rawValue: try body.integer())
        isUnsigned = try body.integer(UInt8.self) & Self.unsignedFlag != 0
        if named { name = try body.encodedString() }
        guard type.layout != nil else { throw ProtocolViolation("a parameter of the unknown type \(type.rawValue)") }
    }

    func write(to buffer: inout ByteBuffer, named: Bool) {
        buffer.writeInteger(type.rawValue)
        buffer.writeInteger(isUnsigned ? Self.unsignedFlag : 0)
        if named { buffer.writeEncoded(string: name) }
    }
}

/// A parameter or query attribute with its value.
struct Parameter: Sendable, Hashable {
    var type: ParameterType
    /// As it travels; nil is NULL, and what came as long data.
    var cell: ByteBuffer?

    func value() throws(ProtocolViolation) -> BinaryValue {
        try BinaryValue(cell, type: type.type, isUnsigned: type.isUnsigned)
    }
}

/// A block of values with their types: a null bitmap, whether types are new, types, values.
struct ParameterBlock: Sendable, Hashable {
    var parameters: [Parameter]
    /// The packet brought the types itself; otherwise they are those of the execution before.
    var bringsTypes: Bool

    /// - Parameters:
    ///   - count: above 0.
    ///   - named: each type is followed by a name (query attributes).
    ///   - known: the types of the execution before; nil if there was none.
    ///   - isLongData: the value came by COM_STMT_SEND_LONG_DATA and is not here.
    init(
        _ body: inout BodyReader, count: Int, named: Bool, known: [ParameterType]?, isLongData: (Int) -> Bool = { _ in false }
    ) throws(ProtocolViolation) {
        let bitmap = try NullBitmap(&body, count: count, offset: 0)
        bringsTypes = try body.integer(UInt8.self) != 0
        var types: [ParameterType] = []
        if bringsTypes {
            for _ in 0..<count { types.append(try ParameterType(&body, named: named)) }
        } else {
            guard let known, known.count == count else { throw ProtocolViolation("values of parameters without types") }
            types = known
        }
        parameters = []
        parameters.reserveCapacity(count)
        for (index, type) in types.enumerated() {
            let isAbsent = bitmap[index] || isLongData(index)
            parameters.append(Parameter(type: type, cell: isAbsent ? nil : try body.binaryValue(type.type)))
        }
    }

    init(parameters: [Parameter]) {
        self.parameters = parameters
        bringsTypes = true
    }

    func write(to buffer: inout ByteBuffer, named: Bool, isLongData: (Int) -> Bool = { _ in false }) {
        NullBitmap.write(parameters.enumerated().map { $1.cell == nil && !isLongData($0) }, offset: 0, to: &buffer)
        buffer.writeInteger(UInt8(bringsTypes ? 1 : 0))
        if bringsTypes { for parameter in parameters { parameter.type.write(to: &buffer, named: named) } }
        for case .some(let cell) in parameters.map(\.cell) { buffer.writeImmutableBuffer(cell) }
    }
}

extension Parameter {
    /// For people: text as it is, the rest in hexadecimal; nil is NULL.
    func shown() throws(ProtocolViolation) -> String? {
        switch try value() {
        case .null: return nil
        case .signed(let number): return String(number)
        case .unsigned(let number): return String(number)
        case .float(let number): return String(number)
        case .double(let number): return String(number)
        case .bytes(let bytes):
            if let text = String(validating: bytes.readableBytesView, as: UTF8.self) { return text }
            let digits = Array("0123456789abcdef")
            return "0x" + String(bytes.readableBytesView.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] })
        case .moment(let moment): return "\(moment)"
        case .span(let span): return "\(span)"
        }
    }
}
