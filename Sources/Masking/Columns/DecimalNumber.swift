/// A number as `numeric` keeps it: decimal digits, and how many of them stand behind the point.
struct DecimalNumber: Sendable, Hashable {
    /// More digits than this on either side of the point are not worked on.
    static let maximumDigits = 4_096

    enum Kind: Sendable, Hashable {
        case finite, notANumber, infinity
    }

    var kind = Kind.finite
    var isNegative = false
    /// 0 to 9, the highest first.
    var digits: [UInt8] = [0]
    /// How many of `digits` stand behind the point.
    var scale = 0

    // MARK: Text

    /// As the server and JSON write numbers, exponents among them (`1.5e-07`); nil for anything else.
    init?(_ text: UnsafeRawBufferPointer) {
        var text = text[...]
        if text.elementsEqual("NaN".utf8) {
            kind = .notANumber
            return
        }
        if text.first == UInt8(ascii: "-") {
            isNegative = true
            text = text.dropFirst()
        }
        if text.elementsEqual("Infinity".utf8) {
            kind = .infinity
            return
        }
        let whole = text.prefix { $0 &- 0x30 < 10 }
        text = text.dropFirst(whole.count)
        var fraction = text.prefix(0)
        if text.first == UInt8(ascii: ".") {
            fraction = text.dropFirst().prefix { $0 &- 0x30 < 10 }
            text = text.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty, whole.count <= Self.maximumDigits, fraction.count <= Self.maximumDigits else { return nil }
        digits = whole.map { $0 - 0x30 } + fraction.map { $0 - 0x30 }
        scale = fraction.count
        guard let exponent = Self.exponent(text) else { return nil }
        scale -= exponent
        if scale < 0 {
            digits += [UInt8](repeating: 0, count: -scale)
            scale = 0
        } else if scale >= digits.count {
            digits = [UInt8](repeating: 0, count: scale - digits.count + 1) + digits
        }
        trimHead()
    }

    private static func exponent(_ text: UnsafeRawBufferPointer.SubSequence) -> Int? {
        guard let first = text.first else { return 0 }
        guard first | 0x20 == UInt8(ascii: "e"), let number = Int(String(decoding: text.dropFirst(), as: UTF8.self)),
            abs(number) <= 400
        else { return nil }
        return number
    }

    /// At least one digit before the point, and no zeros before that.
    private mutating func trimHead() {
        let spare = digits.count - scale - 1
        let zeros = digits.prefix(max(0, spare)).prefix { $0 == 0 }.count
        if zeros > 0 { digits.removeFirst(zeros) }
    }

    var text: [UInt8] {
        let sign = isNegative && !isZero ? Array("-".utf8) : []
        switch kind {
        case .notANumber: return Array("NaN".utf8)
        case .infinity: return Array((isNegative ? "-Infinity" : "Infinity").utf8)
        case .finite:
            let letters = digits.map { $0 + 0x30 }
            guard scale > 0 else { return sign + letters }
            return sign + letters.dropLast(scale) + Array(".".utf8) + letters.suffix(scale)
        }
    }

    var isZero: Bool { kind == .finite && digits.allSatisfy { $0 == 0 } }

    /// Without the zeros at its end that say nothing: equal numbers are the same then.
    var shortest: DecimalNumber {
        var number = self
        while number.scale > 0, number.digits.last == 0 {
            number.digits.removeLast()
            number.scale -= 1
        }
        return number
    }

    // MARK: Binary (numeric_send: ndigits, weight, sign, dscale, then base-10000 digits)

    init?(binary value: UnsafeRawBufferPointer) {
        guard value.count >= 8 else { return nil }
        func word(_ index: Int) -> UInt16 { UInt16(value[index * 2]) << 8 | UInt16(value[index * 2 + 1]) }
        let count = Int(word(0))
        let weight = Int(Int16(bitPattern: word(1)))
        guard value.count == 8 + count * 2 else { return nil }
        switch word(2) {
        case 0: break
        case 0x4000: isNegative = true
        case 0xC000: kind = .notANumber
        case 0xD000: kind = .infinity
        case 0xF000: (kind, isNegative) = (.infinity, true)
        default: return nil
        }
        guard kind == .finite else { return }
        scale = Int(word(3))
        guard scale <= Self.maximumDigits, abs(weight) <= Self.maximumDigits / 4 else { return nil }
        // Groups of four, from the highest that counts down to the last behind the point.
        var digits: [UInt8] = []
        let last = (scale + 3) / 4
        for place in stride(from: max(weight, 0), through: -last, by: -1) {
            let index = weight - place
            let group = index >= 0 && index < count ? word(4 + index) : 0
            guard group < 10_000 else { return nil }
            digits += [UInt8(group / 1_000), UInt8(group / 100 % 10), UInt8(group / 10 % 10), UInt8(group % 10)]
        }
        digits.removeLast(last * 4 - scale)
        self.digits = digits
        trimHead()
    }

    var binary: [UInt8] {
        let sign: UInt16 =
            switch kind {
            case .finite: isNegative && !isZero ? 0x4000 : 0
            case .notANumber: 0xC000
            case .infinity: isNegative ? 0xF000 : 0xD000
            }
        guard kind == .finite else { return bigEndian(UInt16(0)) + bigEndian(Int16(0)) + bigEndian(sign) + bigEndian(UInt16(0)) }
        let whole = digits.count - scale
        let padded =
            [UInt8](repeating: 0, count: (4 - whole % 4) % 4) + digits + [UInt8](repeating: 0, count: (4 - scale % 4) % 4)
        var groups = stride(from: 0, to: padded.count, by: 4).map { start in
            padded[start..<(start + 4)].reduce(UInt16(0)) { $0 * 10 + UInt16($1) }
        }
        var weight = (whole + 3) / 4 - 1
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        if groups.isEmpty { weight = 0 }
        return bigEndian(UInt16(groups.count)) + bigEndian(Int16(weight)) + bigEndian(sign) + bigEndian(UInt16(scale))
            + groups.flatMap(bigEndian)
    }

    // MARK: Rounding

    /// The nearest multiple, halves away from zero, with as many digits behind the point as the step has.
    func rounded(to step: RoundingStep) -> DecimalNumber {
        guard kind == .finite else { return self }
        // As a whole number of the step's own last place, and what was cut off behind it.
        var whole = digits
        var next: UInt8 = 0
        if scale > step.scale {
            let cut = scale - step.scale
            next = cut <= whole.count ? whole[whole.count - cut] : 0
            whole.removeLast(min(cut, whole.count))
        } else {
            whole += [UInt8](repeating: 0, count: step.scale - scale)
        }
        var quotient: [UInt8] = []
        var rest: UInt64 = 0
        for digit in whole {
            rest = rest * 10 + UInt64(digit)
            quotient.append(UInt8(rest / step.mantissa))
            rest %= step.mantissa
        }
        let gap = step.mantissa - rest
        if rest > gap || rest == gap || (rest + 1 == gap && next >= 5) { Self.increment(&quotient) }
        var result = DecimalNumber(whole: Self.multiply(quotient, by: step.mantissa), scale: step.scale)
        result.isNegative = isNegative
        return result
    }

    private init(whole: [UInt8], scale: Int) {
        digits = [UInt8](repeating: 0, count: max(0, scale + 1 - whole.count)) + whole
        self.scale = scale
        trimHead()
    }

    private static func increment(_ digits: inout [UInt8]) {
        for index in digits.indices.reversed() {
            if digits[index] < 9 {
                digits[index] += 1
                return
            }
            digits[index] = 0
        }
        digits.insert(1, at: 0)
    }

    private static func multiply(_ digits: [UInt8], by factor: UInt64) -> [UInt8] {
        var result: [UInt8] = []
        var carry: UInt64 = 0
        for digit in digits.reversed() {
            carry += UInt64(digit) * factor
            result.append(UInt8(carry % 10))
            carry /= 10
        }
        while carry > 0 {
            result.append(UInt8(carry % 10))
            carry /= 10
        }
        return result.reversed()
    }
}

/// What numbers are rounded to multiples of: a decimal above zero, of at most 15 digits and 9 behind the point.
public struct RoundingStep: Sendable, Hashable, CustomStringConvertible {
    /// The step is `mantissa` of the places that `scale` digits behind the point make.
    let mantissa: UInt64
    let scale: Int

    /// From `100`, `0.5`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 &- 0x30 < 10 } }) else { return nil }
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.utf8.count <= 9, text.utf8.count <= 16, let mantissa = UInt64(parts[0] + fraction), mantissa > 0,
            mantissa < 1_000_000_000_000_000
        else { return nil }
        self.mantissa = mantissa
        scale = fraction.utf8.count
    }

    /// As a whole number; nil where it is none.
    var whole: Int64? {
        let power = (0..<scale).reduce(UInt64(1)) { product, _ in product * 10 }
        return mantissa % power == 0 ? Int64(mantissa / power) : nil
    }

    var double: Double {
        Double(mantissa) / (0..<scale).reduce(Double(1)) { product, _ in product * 10 }
    }

    public var description: String { String(decoding: DecimalNumber(step: self).text, as: UTF8.self) }
}

extension DecimalNumber {
    fileprivate init(step: RoundingStep) {
        self.init(whole: String(step.mantissa).utf8.map { $0 - 0x30 }, scale: step.scale)
    }
}
