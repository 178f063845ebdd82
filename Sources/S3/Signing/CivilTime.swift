import GatehouseCore

/// Date and time in UTC.
struct CivilTime: Sendable, Hashable {
    var year: Int
    var month: Int
    var day: Int
    /// Within the day.
    var second: Int

    init(_ time: WallTime) {
        // Days to civil date in the proleptic Gregorian calendar, in eras of 400 years from March 1 of year 0.
        let days = time.seconds / 86_400 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        second = time.seconds % 86_400
    }

    /// `20260131`
    var date: String { padded(year, 4) + padded(month) + padded(day) }

    /// `20260131T235959Z`, as in `x-amz-date`.
    var basic: String { "\(date)T\(padded(second / 3_600))\(padded(second / 60 % 60))\(padded(second % 60))Z" }

    /// `2026-01-31T23:59:59Z`
    var extended: String {
        "\(padded(year, 4))-\(padded(month))-\(padded(day))T\(padded(second / 3_600)):\(padded(second / 60 % 60)):\(padded(second % 60))Z"
    }

    private func padded(_ value: Int, _ width: Int = 2) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Reads `2026-01-31T23:59:59Z`, with or without a fraction of a second; nil for all else, and before 1970.
    static func parse(_ text: String) -> WallTime? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 32, bytes.last == UInt8(ascii: "Z") else { return nil }
        let pattern = Array("0000-00-00T00:00:00".utf8)
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        guard zip(bytes, pattern).allSatisfy({ $1 == UInt8(ascii: "0") ? isDigit($0) : $0 == $1 }) else { return nil }
        let fraction = bytes[19...].dropLast()
        guard fraction.isEmpty || (fraction.first == UInt8(ascii: ".") && fraction.count > 1 && fraction.dropFirst().allSatisfy(isDigit))
        else {
            return nil
        }
        let numbers = bytes[..<19].split(whereSeparator: { !isDigit($0) })
            .map { $0.reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        guard numbers.count == 6 else { return nil }
        let (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard year >= 1970, (1...12).contains(month), (1...31).contains(day), numbers[3] < 24, numbers[4] < 60, numbers[5] <= 60 else {
            return nil
        }
        let shiftedYear = month <= 2 ? year - 1 : year
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = shiftedYear / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return WallTime(seconds: days * 86_400 + numbers[3] * 3_600 + numbers[4] * 60 + numbers[5])
    }
}
