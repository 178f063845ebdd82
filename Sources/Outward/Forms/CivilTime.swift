import GatehouseCore

extension WallTime {
    var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// RFC 3339 in UTC, with microseconds: `2026-01-31T12:00:00.000000Z`. Six digits are the most that RFC 5424 allows.
    var timestamp: String {
        let seconds = nanoseconds / 1_000_000_000
        let (year, month, day) = Self.date(daysSince1970: seconds / 86_400)
        let rest = seconds % 86_400
        func padded(_ number: UInt64, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):"
            + "\(padded(rest % 60, 2)).\(padded(nanoseconds % 1_000_000_000 / 1_000, 6))Z"
    }

    /// The proleptic Gregorian calendar in eras of 400 years, each counted from a 1st of March.
    private static func date(daysSince1970 days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let ofEra = shifted % 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
