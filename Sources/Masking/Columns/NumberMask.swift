/// Numbers of every type between their text and binary forms.
enum NumberForm {
    /// An integer, as it stands in the value; nil for what is none of its type.
    static func integer(_ value: UnsafeRawBufferPointer, _ type: MaskableType, _ format: ValueFormat) -> Int64? {
        guard let range = type.integers else { return nil }
        if format == .text {
            guard value.count <= 20, let number = Int64(String(decoding: value, as: UTF8.self)), range.contains(number) else { return nil }
            return number
        }
        guard value.count == type.integerBytes else { return nil }
        switch type {
        case .int2: return fromBigEndian(value, as: Int16.self).map(Int64.init)
        case .int4: return fromBigEndian(value, as: Int32.self).map(Int64.init)
        case .oid: return fromBigEndian(value, as: UInt32.self).map(Int64.init)
        default: return fromBigEndian(value)
        }
    }

    static func write(_ number: Int64, _ type: MaskableType, _ format: ValueFormat) -> [UInt8]? {
        guard let range = type.integers, range.contains(number) else { return nil }
        if format == .text { return Array(String(number).utf8) }
        return bigEndian(number).suffix(type.integerBytes)
    }

    static func float(_ value: UnsafeRawBufferPointer, _ type: MaskableType, _ format: ValueFormat) -> Double? {
        if format == .text {
            guard value.count <= 64 else { return nil }
            return Double(String(decoding: value, as: UTF8.self))
        }
        if type == .float4 {
            return value.count == 4 ? fromBigEndian(value, as: UInt32.self).map { Double(Float(bitPattern: $0)) } : nil
        }
        return value.count == 8 ? fromBigEndian(value, as: UInt64.self).map(Double.init(bitPattern:)) : nil
    }

    static func write(_ number: Double, _ type: MaskableType, _ format: ValueFormat) -> [UInt8] {
        // There is no minus zero in what a mask makes.
        let number = number == 0 ? 0 : number
        if format == .binary { return type == .float4 ? bigEndian(Float(number).bitPattern) : bigEndian(number.bitPattern) }
        if number.isNaN { return Array("NaN".utf8) }
        if number.isInfinite { return Array((number < 0 ? "-Infinity" : "Infinity").utf8) }
        var text = type == .float4 ? Float(number).description : number.description
        if text.hasSuffix(".0") { text.removeLast(2) }
        return Array(text.utf8)
    }

    static func decimal(_ value: UnsafeRawBufferPointer, _ format: ValueFormat) -> DecimalNumber? {
        format == .text ? DecimalNumber(value) : DecimalNumber(binary: value)
    }

    static func write(_ number: DecimalNumber, _ format: ValueFormat) -> [UInt8] {
        format == .text ? number.text : number.binary
    }
}

/// Numbers rounded to multiples of a step.
enum RoundMask {
    static func write(
        _ value: UnsafeRawBufferPointer, to step: RoundingStep, type: MaskableType, format: ValueFormat,
        into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        switch type {
        case .int2, .int4, .int8:
            guard let step = step.whole, let range = type.integers, let number = NumberForm.integer(value, type, format) else { return nil }
            return NumberForm.write(nearest(number, step, range), type, format).flatMap { put($0, output) }
        case .float4, .float8:
            guard let number = NumberForm.float(value, type, format) else { return nil }
            let rounded = number.isFinite ? (number / step.double).rounded() * step.double : number
            // Beyond what the type holds: an infinity would say something untrue.
            guard rounded.isFinite || !number.isFinite, type == .float8 || Float(rounded).isFinite || !number.isFinite else { return nil }
            return put(NumberForm.write(rounded, type, format), output)
        case .numeric:
            guard let number = NumberForm.decimal(value, format) else { return nil }
            return put(NumberForm.write(number.rounded(to: step), format), output)
        default:
            return nil
        }
    }

    /// Halves go away from zero; where that is beyond the type, the other way.
    private static func nearest(_ number: Int64, _ step: Int64, _ range: ClosedRange<Int64>) -> Int64 {
        let rest = number % step
        let lower = number - rest
        // rest and step - rest: neither overflows, as both are below the step.
        guard rest.magnitude >= step.magnitude - rest.magnitude else { return lower }
        let (upper, overflow) = lower.addingReportingOverflow(number < 0 ? -step : step)
        return overflow || !range.contains(upper) ? lower : upper
    }
}
