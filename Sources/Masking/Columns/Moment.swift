/// A date, or a date with a time of day, as PostgreSQL writes it in ISO style (PostgreSQL manual, "Date/Time Output").
///
/// Other styles (`DateStyle`) are not read: their values are withheld.
struct Moment: Sendable, Hashable {
    static let dayMicroseconds: Int64 = 86_400_000_000
    /// Days from 1970-01-01 to 2000-01-01, from which the server counts.
    private static let epoch: Int64 = 10_957
    /// What the server accepts: 4713 BC to 5874897 for dates, to 294276 for timestamps, in days and microseconds from 2000-01-01.
    static let dates: ClosedRange<Int64> = -2_451_545...2_145_031_948
    static let timestamps: ClosedRange<Int64> = -211_813_488_000_000_000...9_223_371_331_199_999_999

    /// Days from 2000-01-01.
    var days: Int64
    /// The time of day and zone, as they were written, with the blank or `T` before them; empty for a date.
    var rest: [UInt8]
    /// The time of day.
    var microseconds: Int64
    /// East of UTC.
    var offsetSeconds: Int64

    // MARK: Reading

    /// nil for anything else than a date, or a date and a time, with no byte left over.
    init?(_ text: UnsafeRawBufferPointer) {
        var reader = Reader(bytes: text)
        guard text.count <= 64, let year = reader.number(digits: 4...7), reader.take("-"), let month = reader.number(digits: 2...2),
            reader.take("-"), let day = reader.number(digits: 2...2), (1...12).contains(month), day >= 1,
            day <= Self.length(of: month)
        else { return nil }
        let start = reader.position
        var microseconds: Int64 = 0
        var offset: Int64 = 0
        if reader.take("T") || (reader.peek(1) != UInt8(ascii: "B") && reader.take(" ")) {
            guard let time = reader.time(), let zone = reader.zone() else { return nil }
            (microseconds, offset) = (time, zone)
        }
        rest = Array(text[start..<reader.position])
        let isBeforeChrist = reader.take(" ") && reader.take("B") && reader.take("C")
        guard reader.isAtEnd, year > 0 else { return nil }
        self.microseconds = microseconds
        offsetSeconds = offset
        days = Self.days(year: isBeforeChrist ? 1 - year : year, month: month, day: day) - Self.epoch
    }

    /// Microseconds from 2000-01-01, in UTC where there is a zone; nil beyond what a number holds.
    var instant: Int64? {
        let (product, tooLong) = days.multipliedReportingOverflow(by: Self.dayMicroseconds)
        let (sum, overflow) = product.addingReportingOverflow(microseconds - offsetSeconds * 1_000_000)
        return tooLong || overflow ? nil : sum
    }

    /// The length of the longest such month; the server has checked the year.
    private static func length(of month: Int64) -> Int64 {
        month == 2 ? 29 : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        func peek(_ distance: Int) -> UInt8? {
            position + distance < bytes.count ? bytes[position + distance] : nil
        }

        mutating func take(_ letter: Unicode.Scalar) -> Bool {
            guard letter.isASCII, peek(0) == UInt8(ascii: letter) else { return false }
            position += 1
            return true
        }

        mutating func number(digits: ClosedRange<Int>) -> Int64? {
            var value: Int64 = 0
            var count = 0
            while let byte = peek(0), byte &- 0x30 < 10, count < digits.upperBound {
                value = value * 10 + Int64(byte - 0x30)
                count += 1
                position += 1
            }
            return count >= digits.lowerBound ? value : nil
        }

        /// `HH:MM[:SS[.ffffff]]`, in microseconds.
        mutating func time() -> Int64? {
            guard let hours = number(digits: 2...2), take(":"), let minutes = number(digits: 2...2), hours <= 24, minutes < 60 else {
                return nil
            }
            var total = (hours * 3_600 + minutes * 60) * 1_000_000
            guard take(":") else { return total }
            guard let seconds = number(digits: 2...2), seconds <= 60 else { return nil }
            total += seconds * 1_000_000
            if take(".") {
                let start = position
                guard var fraction = number(digits: 1...9) else { return nil }
                for _ in 0..<abs(position - start - 6) { fraction = position - start < 6 ? fraction * 10 : fraction / 10 }
                total += fraction
            }
            return total
        }

        /// `Z`, `+HH`, `+HH:MM`, `+HH:MM:SS` or nothing (0), in seconds.
        mutating func zone() -> Int64? {
            if take("Z") { return 0 }
            let isWest = peek(0) == UInt8(ascii: "-")
            guard isWest || peek(0) == UInt8(ascii: "+") else { return 0 }
            position += 1
            guard var seconds = number(digits: 2...2).map({ $0 * 3_600 }) else { return nil }
            for unit: Int64 in [60, 1] {
                guard take(":") else { break }
                guard let part = number(digits: 2...2) else { return nil }
                seconds += part * unit
            }
            return isWest ? -seconds : seconds
        }
    }

    // MARK: Writing

    /// The same time of day on another day, given as days from 2000-01-01.
    static func write(days: Int64, rest: [UInt8]) -> [UInt8] {
        let (year, month, day) = civil(days + epoch)
        let shown = year > 0 ? year : 1 - year
        let text = pad(shown, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
        return Array(text.utf8) + rest + (year > 0 ? [] : Array(" BC".utf8))
    }

    /// A timestamp in UTC without a zone, in microseconds from 2000-01-01.
    static func write(instant: Int64, isZoned: Bool) -> [UInt8] {
        let days = floorDivide(instant, dayMicroseconds)
        let left = instant - days * dayMicroseconds
        let seconds = left / 1_000_000
        let time = " " + pad(seconds / 3_600, 2) + ":" + pad(seconds / 60 % 60, 2) + ":" + pad(seconds % 60, 2)
        return write(days: days, rest: Array((time + (isZoned ? "+00" : "")).utf8))
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    // MARK: The calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms")

    private static func floorDivide(_ number: Int64, _ by: Int64) -> Int64 {
        number >= 0 ? number / by : -((by - 1 - number) / by)
    }

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
    }
}

/// Moves dates and timestamps by a number of days. The time of day and the zone stay, and so do the infinities.
enum DateShift {
    /// The days that a key stands for: from 1 to `most`, either way.
    static func days(of key: MaskKey, within most: Int) -> Int64 {
        let most = UInt64(max(1, most))
        let digest = key.mac { $0.update(Array("days".utf8)) }
        let place = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % (2 * most)
        return place < most ? Int64(place) - Int64(most) : Int64(place) - Int64(most) + 1
    }

    static func write(
        _ value: UnsafeRawBufferPointer, by days: Int64, type: MaskableType, format: ValueFormat, to output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        format == .text ? text(value, days, type, output) : binary(value, days, type, output)
    }

    private static func text(
        _ value: UnsafeRawBufferPointer, _ days: Int64, _ type: MaskableType, _ output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        if type.isMoment, value.elementsEqual("infinity".utf8) || value.elementsEqual("-infinity".utf8) {
            return put(Array(value), output)
        }
        guard let moment = Moment(value), type != .date || moment.rest.isEmpty else { return nil }
        let moved = moment.days + days
        if moment.rest.isEmpty {
            guard Moment.dates.contains(moved) else { return nil }
        } else {
            guard let instant = moment.instant, Moment.timestamps.contains(instant) else { return nil }
            let (sum, overflow) = instant.addingReportingOverflow(days * Moment.dayMicroseconds)
            guard !overflow, Moment.timestamps.contains(sum) else { return nil }
        }
        return put(Moment.write(days: moved, rest: moment.rest), output)
    }

    private static func binary(
        _ value: UnsafeRawBufferPointer, _ days: Int64, _ type: MaskableType, _ output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        switch type {
        case .date:
            guard value.count == 4, let day: Int32 = fromBigEndian(value) else { return nil }
            if day == .min || day == .max { return put(Array(value), output) }
            let moved = Int64(day) + days
            guard Moment.dates.contains(Int64(day)), Moment.dates.contains(moved) else { return nil }
            return put(bigEndian(Int32(truncatingIfNeeded: moved)), output)
        case .timestamp, .timestamptz:
            guard value.count == 8, let instant: Int64 = fromBigEndian(value) else { return nil }
            if instant == .min || instant == .max { return put(Array(value), output) }
            let (moved, overflow) = instant.addingReportingOverflow(days * Moment.dayMicroseconds)
            guard !overflow, Moment.timestamps.contains(instant), Moment.timestamps.contains(moved) else { return nil }
            return put(bigEndian(moved), output)
        case .text, .paddedText:
            return text(value, days, type, output)
        default:
            return nil
        }
    }
}
