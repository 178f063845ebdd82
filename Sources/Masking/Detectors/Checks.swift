import Glibc

/// What confirms a finding, over the bytes of its place alone.
enum Checks {
    static func digits(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        bytes.compactMap { isDigit($0) ? $0 - 0x30 : nil }
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

    /// ISO/IEC 7812-1, annex B.
    static func luhn(_ digits: [UInt8]) -> Bool {
        var sum = 0
        for (place, digit) in digits.reversed().enumerated() {
            let doubled = Int(digit) * (place % 2 == 1 ? 2 : 1)
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return !digits.isEmpty && sum % 10 == 0
    }

    /// ISO 7064 MOD 97-10 as ISO 13616 uses it: the first four characters behind the others, letters as two digits.
    static func mod97(_ characters: [UInt8]) -> Bool {
        guard characters.count > 4 else { return false }
        var rest = 0
        for byte in characters[4...] + characters[..<4] {
            if isDigit(byte) {
                rest = (rest * 10 + Int(byte - 0x30)) % 97
            } else if isLetter(byte) {
                rest = (rest * 100 + Int((byte | 0x20) - 0x61) + 10) % 97
            } else {
                return false
            }
        }
        return rest == 1
    }

    static func custom(_ checksum: CustomDetector.Checksum, confidence: Double) -> Detector.Check {
        switch checksum {
        case .none: .always(confidence)
        case .luhn: Detector.Check { luhn(digits($0)) ? .init(confidence, $0.count) : nil }
        case .mod97:
            Detector.Check { bytes in
                mod97(bytes.filter { isDigit($0) || isLetter($0) }) ? .init(confidence, bytes.count) : nil
            }
        }
    }

    // MARK: Numbers of people

    /// Issuers by their first digits, and the lengths of their numbers (ISO/IEC 7812; the networks' own tables).
    private static let issuers: [(first: ClosedRange<Int>, lengths: Set<Int>)] = [
        (400_000...499_999, [13, 16, 19]),  // Visa
        (510_000...559_999, [16]), (222_100...272_099, [16]),  // Mastercard
        (340_000...349_999, [15]), (370_000...379_999, [15]),  // American Express
        (300_000...305_999, [14]), (360_000...369_999, [14]), (380_000...399_999, [14]),  // Diners Club
        (352_800...358_999, [16, 17, 18, 19]),  // JCB
        (601_100...601_199, [16, 19]), (644_000...659_999, [16, 19]),  // Discover
        (620_000...629_999, [16, 17, 18, 19]), (810_000...817_199, [16, 19]),  // UnionPay
        (220_000...220_499, [16, 17, 18, 19]),  // Mir
        (500_000...509_999, [13, 14, 15, 16, 17, 18, 19]), (560_000...589_999, [13, 14, 15, 16, 17, 18, 19]),  // Maestro
        (670_000...679_999, [13, 14, 15, 16, 17, 18, 19]),
    ]

    /// Short, old and local ones, which too much else looks like: they need a word nearby.
    private static let lesserIssuers: [(first: ClosedRange<Int>, lengths: Set<Int>)] = [
        (500_000...509_999, [12]), (560_000...589_999, [12]), (670_000...679_999, [12]),  // Maestro
        (60_400...60_499, [12]), (630_400...630_499, [12, 16]), (639_000...639_099, [12, 16]),
        (180_000...180_099, [15]), (213_100...213_199, [15]), (350_000...359_999, [16]),  // JCB
    ]

    static let card = Detector.Check { bytes in
        let digits = digits(bytes)
        guard (12...19).contains(digits.count), Set(digits).count > 1, luhn(digits) else { return nil }
        let first = digits.prefix(6).reduce(0) { $0 * 10 + Int($1) }
        let isOf = { (issuers: [(first: ClosedRange<Int>, lengths: Set<Int>)]) in
            issuers.contains { $0.first.contains(first) && $0.lengths.contains(digits.count) }
        }
        guard isOf(issuers) else { return isOf(lesserIssuers) ? .init(0.2, bytes.count) : nil }
        // One number in ten passes Luhn's check; one that is also written in groups is hardly anything else.
        return .init(digits.count == bytes.count ? 0.7 : 0.9, bytes.count)
    }

    /// Areas, groups and serials that were never given out (Social Security Administration, "SSN Randomization").
    static let socialSecurity = Detector.Check { bytes in
        let digits = digits(bytes).map(Int.init)
        guard digits.count == 9 else { return nil }
        let number = digits.reduce(0) { $0 * 10 + $1 }
        let area = number / 1_000_000
        guard area > 0, area != 666, area < 900, number / 10_000 % 100 > 0, number % 10_000 > 0 else { return nil }
        // Numbers of advertisements.
        guard ![78_051_120, 219_099_999, 123_456_789].contains(number) || bytes.count == 9 else { return nil }
        if bytes.count == 9 { return .init(0.05, 9) }
        return .init(bytes[3] == UInt8(ascii: "-") ? 0.75 : 0.4, bytes.count)
    }

    /// Lengths by country (SWIFT, IBAN Registry).
    private static let ibanLengths: [String: Int] = [
        "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21,
        "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18,
        "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
        "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24,
        "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
        "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23,
        "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
    ]

    static let iban = Detector.Check { bytes in
        let country = String(decoding: bytes.prefix(2), as: UTF8.self)
        guard let length = ibanLengths[country] else { return nil }
        // The locator may have taken a word behind it along.
        var compact: [UInt8] = []
        var end = 0
        while end < bytes.count, compact.count < length {
            if bytes[end] != 0x20 { compact.append(bytes[end]) }
            end += 1
        }
        guard compact.count == length, end == bytes.count || bytes[end] == 0x20, mod97(compact) else { return nil }
        return .init(0.95, end)
    }

    static let phone = Detector.Check { bytes in
        // Without what is dialled after the call was answered: `x123`, ` ext. 123`.
        let number = UnsafeRawBufferPointer(
            rebasing: bytes[..<(bytes.firstIndex { $0 | 0x20 == 0x78 || $0 | 0x20 == 0x65 } ?? bytes.count)])
        let digits = digits(number)
        guard digits.count >= 7, Set(digits).count > 2 else { return nil }
        if number.first == UInt8(ascii: "+") {
            return (8...15).contains(digits.count) ? .init(0.8, bytes.count) : nil
        }
        let parts = number.split { !isDigit($0) }.map(\.count)
        if digits.starts(with: [0, 0, 1]), digits.count == 13, parts.count > 2, isNorthAmerican(Array(digits[3...])) {
            return .init(0.65, bytes.count)
        }
        let separators = number.count - digits.count
        if digits.count == 10, separators >= 2, isNorthAmerican(digits) { return .init(0.6, bytes.count) }
        if digits.count == 11, digits[0] == 1, separators >= 2, isNorthAmerican(Array(digits[1...])) { return .init(0.65, bytes.count) }
        guard (7...13).contains(digits.count), !isDate(number) else { return nil }
        guard digits[0] == 0, digits[1] != 0 else { return .init(0.1, bytes.count) }
        if nationalForms.contains(parts) || (number.first == UInt8(ascii: "(") && digits.count >= 10) { return .init(0.6, bytes.count) }
        return .init(separators > 0 ? 0.3 : 0.1, bytes.count)
    }

    /// `01 23 45 67 89` as in France, `020 7946 0958` and `0141 496 0123` as in Britain (Ofcom's numbers for drama).
    private static let nationalForms: Set<[Int]> = [[2, 2, 2, 2, 2], [3, 4, 4], [4, 3, 4]]

    /// Area and exchange begin with 2 to 9 and are not N11 (NANPA).
    private static func isNorthAmerican(_ digits: [UInt8]) -> Bool {
        digits.count == 10 && [0, 3].allSatisfy { digits[$0] >= 2 && !(digits[$0 + 1] == 1 && digits[$0 + 2] == 1) }
    }

    /// 2024-05-01, 01.05.2024, 01/05/2024.
    private static func isDate(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let parts = bytes.split(omittingEmptySubsequences: false) { !isDigit($0) }.map(\.count)
        return parts.starts(with: [4, 2, 2]) || parts.starts(with: [2, 2, 4])
    }

    // MARK: Addresses

    static let email = Detector.Check { bytes in
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")), let dot = bytes.lastIndex(of: UInt8(ascii: ".")), at < dot else {
            return nil
        }
        let top = String(decoding: bytes[(dot + 1)...], as: UTF8.self).lowercased()
        let files: Set<String> = [
            "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "js", "ts", "mjs", "css", "html", "json", "map", "py", "rb", "rs", "swift",
            "tgz", "gz",
            "zip", "txt", "md", "pdf", "service", "socket", "timer", "mount",
        ]
        if files.contains(top) { return nil }
        let local = String(decoding: bytes[..<at], as: UTF8.self)
        // The login of a repository's address, which names nobody.
        return .init(local == "git" || local == "svn" || local == "hg" ? 0.3 : 0.9, bytes.count)
    }

    static let ipv4 = Detector.Check { bytes in
        let parts = bytes.split(separator: UInt8(ascii: ".")).map { Int(String(decoding: $0, as: UTF8.self)) ?? 256 }
        guard parts.count == 4, parts.allSatisfy({ $0 < 256 }) else { return nil }
        // Loopback, any, broadcast and netmasks belong to nobody.
        if parts[0] == 0 || parts[0] == 127 || parts[0] == 255 { return .init(0.2, bytes.count) }
        // So do the small ones look that versions and sections have.
        return .init(parts.allSatisfy { $0 < 30 } && parts[0] != 10 ? 0.4 : 0.75, bytes.count)
    }

    static let ipv6 = Detector.Check { bytes in
        guard bytes.count >= 3, bytes.count <= 45 else { return nil }
        var address = in6_addr()
        let text = bytes.map { CChar(truncatingIfNeeded: $0) } + [0]
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        let isLocal = withUnsafeBytes(of: &address) { $0.dropLast().allSatisfy { $0 == 0 } }
        // `a::b` is also a name in some languages: without a digit it may well be one.
        let hasDigit = bytes.contains(where: isDigit)
        return .init(isLocal ? 0.2 : hasDigit ? 0.85 : 0.4, bytes.count)
    }

    // MARK: Secrets

    /// RFC 7519: the first part is a JSON object, in base64url, that names an algorithm (RFC 7515, RFC 7516).
    static let jwt = Detector.Check { bytes in
        let header = base64URL(bytes.prefix { $0 != UInt8(ascii: ".") })
        guard header.first == UInt8(ascii: "{"), let text = String(validating: header, as: UTF8.self), text.contains("\"alg\"") else {
            return nil
        }
        return .init(0.95, bytes.count)
    }

    private static func base64URL(_ text: UnsafeRawBufferPointer.SubSequence) -> [UInt8] {
        var decoded: [UInt8] = []
        var bits = 0
        var value = 0
        for byte in text {
            let six: Int
            switch byte {
            case 0x41...0x5A: six = Int(byte) - 0x41
            case 0x61...0x7A: six = Int(byte) - 0x61 + 26
            case 0x30...0x39: six = Int(byte) - 0x30 + 52
            case UInt8(ascii: "-"): six = 62
            case UInt8(ascii: "_"): six = 63
            default: return []
            }
            value = (value << 6 | six) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                decoded.append(UInt8(truncatingIfNeeded: value >> bits))
            }
        }
        return decoded
    }

    /// Random text: letters of both cases and digits, and not a few of them again and again.
    static func random(_ confidence: Double) -> Detector.Check {
        Detector.Check { bytes in
            let hasLower = bytes.contains { $0 &- 0x61 < 26 }
            let hasUpper = bytes.contains { $0 &- 0x41 < 26 }
            guard hasLower, hasUpper, bytes.contains(where: isDigit), Set(bytes).count >= min(12, bytes.count / 2) else { return nil }
            return .init(confidence, bytes.count)
        }
    }

    static let password = Detector.Check { bytes in
        guard let first = bytes.first, let last = bytes.last else { return nil }
        // ${PASSWORD}, {password}, %PASSWORD%, [url-password], ****
        let isPlaceholder =
            first == UInt8(ascii: "$") || first == UInt8(ascii: "{") || first == UInt8(ascii: "%") && last == UInt8(ascii: "%")
            || first == UInt8(ascii: "[") && last == UInt8(ascii: "]")
            || bytes.allSatisfy { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "x") } || bytes.starts(with: Array("****".utf8))
        return .init(isPlaceholder ? 0.2 : 0.85, bytes.count)
    }
}
