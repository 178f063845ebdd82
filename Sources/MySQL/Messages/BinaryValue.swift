import NIOCore

/// A value of the binary protocol, understood ("Binary Protocol Value").
enum BinaryValue: Sendable, Hashable {
    case null
    case signed(Int64)
    case unsigned(UInt64)
    case float(Float)
    case double(Double)
    case moment(Moment)
    case span(Span)
    /// Text, decimals, blobs, JSON, geometries, bits, enums and sets.
    case bytes(ByteBuffer)

    /// A date and a time of day. All zero is the zero date.
    struct Moment: Sendable, Hashable {
        var year: UInt16 = 0
        var month: UInt8 = 0
        var day: UInt8 = 0
        var hour: UInt8 = 0
        var minute: UInt8 = 0
        var second: UInt8 = 0
        var microsecond: UInt32 = 0
    }

    struct Span: Sendable, Hashable {
        var isNegative = false
        var days: UInt32 = 0
        var hours: UInt8 = 0
        var minutes: UInt8 = 0
        var seconds: UInt8 = 0
        var microseconds: UInt32 = 0
    }

    /// - Parameter cell: as it travels; nil is NULL.
    init(_ cell: ByteBuffer?, type: ColumnType, isUnsigned: Bool) throws(ProtocolViolation) {
        guard let cell, let layout = type.layout else {
            guard cell == nil else { throw ProtocolViolation("a value of the unknown type \(type.rawValue)") }
            self = .null
            return
        }
        var body = BodyReader(cell, "binary value")
        switch layout {
        case .nothing: self = .null
        case .integer(let size): self = try Self.integer(&body, size: size, isUnsigned: isUnsigned)
        case .float: self = .float(Float(bitPattern: try body.integer()))
        case .double: self = .double(Double(bitPattern: try body.integer()))
        case .moment: self = .moment(try Self.moment(&body))
        case .span: self = .span(try Self.span(&body))
        case .lengthEncoded: self = .bytes(try body.encodedBytes())
        }
        try body.finish()
    }

    private static func integer(_ body: inout BodyReader, size: Int, isUnsigned: Bool) throws(ProtocolViolation) -> BinaryValue {
        switch (size, isUnsigned) {
        case (1, false): .signed(Int64(try body.integer(Int8.self)))
        case (2, false): .signed(Int64(try body.integer(Int16.self)))
        case (4, false): .signed(Int64(try body.integer(Int32.self)))
        case (8, false): .signed(try body.integer())
        case (1, true): .unsigned(UInt64(try body.integer(UInt8.self)))
        case (2, true): .unsigned(UInt64(try body.integer(UInt16.self)))
        case (4, true): .unsigned(UInt64(try body.integer(UInt32.self)))
        default: .unsigned(try body.integer())
        }
    }

    private static func moment(_ body: inout BodyReader) throws(ProtocolViolation) -> Moment {
        var moment = Moment()
        let length: UInt8 = try body.integer()
        if length >= 4 {
            moment.year = try body.integer()
            moment.month = try body.integer()
            moment.day = try body.integer()
        }
        if length >= 7 {
            moment.hour = try body.integer()
            moment.minute = try body.integer()
            moment.second = try body.integer()
        }
        if length >= 11 { moment.microsecond = try body.integer() }
        return moment
    }

    private static func span(_ body: inout BodyReader) throws(ProtocolViolation) -> Span {
        var span = Span()
        let length: UInt8 = try body.integer()
        if length >= 8 {
            span.isNegative = try body.integer(UInt8.self) != 0
            span.days = try body.integer()
            span.hours = try body.integer()
            span.minutes = try body.integer()
            span.seconds = try body.integer()
        }
        if length >= 12 { span.microseconds = try body.integer() }
        return span
    }

    /// The value as it travels in a column of `type`; nil for NULL, and for a value that such a column cannot hold.
    func cell(as type: ColumnType) -> ByteBuffer? {
        guard let layout = type.layout else { return nil }
        var buffer = ByteBuffer()
        switch (self, layout) {
        case (.signed(let value), .integer(let size)):
            guard Self.fits(value, size) else { return nil }
            Self.write(UInt64(bitPattern: value), size: size, to: &buffer)
        case (.unsigned(let value), .integer(let size)):
            guard size == 8 || value < 1 << UInt64(size * 8) else { return nil }
            Self.write(value, size: size, to: &buffer)
        case (.float(let value), .float): buffer.writeLittle(value.bitPattern)
        case (.double(let value), .double): buffer.writeLittle(value.bitPattern)
        case (.moment(let moment), .moment): moment.write(to: &buffer, isDate: type == .date || type == .newDate)
        case (.span(let span), .span): span.write(to: &buffer)
        case (.bytes(let bytes), .lengthEncoded): buffer.writeEncoded(bytes: bytes)
        default: return nil
        }
        return buffer
    }

    private static func fits(_ value: Int64, _ size: Int) -> Bool {
        switch size {
        case 1: Int8(exactly: value) != nil
        case 2: Int16(exactly: value) != nil
        case 4: Int32(exactly: value) != nil
        default: true
        }
    }

    private static func write(_ value: UInt64, size: Int, to buffer: inout ByteBuffer) {
        for index in 0..<size { buffer.writeInteger(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }
}

extension BinaryValue.Moment {
    /// In its shortest form, as servers write it.
    fileprivate func write(to buffer: inout ByteBuffer, isDate: Bool) {
        let hasTime = !isDate && (hour, minute, second) != (0, 0, 0)
        let length: UInt8 = !isDate && microsecond != 0 ? 11 : hasTime ? 7 : (year, month, day) == (0, 0, 0) ? 0 : 4
        buffer.writeInteger(length)
        guard length >= 4 else { return }
        buffer.writeLittle(year)
        buffer.writeInteger(month)
        buffer.writeInteger(day)
        guard length >= 7 else { return }
        buffer.writeInteger(hour)
        buffer.writeInteger(minute)
        buffer.writeInteger(second)
        if length == 11 { buffer.writeLittle(microsecond) }
    }
}

extension BinaryValue.Span {
    fileprivate func write(to buffer: inout ByteBuffer) {
        let isZero = days == 0 && hours == 0 && minutes == 0 && seconds == 0
        let length: UInt8 = microseconds != 0 ? 12 : isZero ? 0 : 8
        buffer.writeInteger(length)
        guard length >= 8 else { return }
        buffer.writeInteger(UInt8(isNegative ? 1 : 0))
        buffer.writeLittle(days)
        buffer.writeInteger(hours)
        buffer.writeInteger(minutes)
        buffer.writeInteger(seconds)
        if length == 12 { buffer.writeLittle(microseconds) }
    }
}
