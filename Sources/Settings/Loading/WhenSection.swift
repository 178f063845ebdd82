import Foundation
import GatehouseCore
import Policy

/// `when` of rules and of sets in use.
extension SettingsReader {
    private static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    func readWhen(_ parent: Section) -> When? {
        guard let section = parent.section("when") else { return nil }
        defer { section.finish() }
        var when = When()
        for scalar in section.list("days") ?? [] {
            when.days += context.parse(scalar, section.name("days"), parseDays) ?? []
        }
        when.hours = (section.list("hours") ?? []).compactMap { context.parse($0, section.name("hours"), parseHours) }
        when.timeZone = section.value("time_zone") { text throws(ValueError) in
            guard text == "UTC" || text.contains("/"), TimeZone(identifier: text) != nil else {
                throw ValueError(message: "is not a time zone: write a name of the IANA database, as in Europe/Berlin, or UTC")
            }
            return text
        }
        when.from = section.value("from", parseInstant)
        when.until = section.value("until", parseInstant)
        if section.keys.isEmpty {
            problems.error(section.place, "`\(section.path)` names nothing; leave it out where a rule always holds")
        }
        if let from = when.from, let until = when.until, from >= until {
            problems.error(section.place, "`\(section.path)`: until is not after from, so the rule would never hold")
        }
        if when.timeZone != nil, when.days.isEmpty, when.hours.isEmpty {
            problems.warning(section.place(of: "time_zone"), "`\(section.name("time_zone"))` matters only with days or hours")
        }
        return when
    }

    /// `mon`, or `mon-fri`.
    private func parseDays(_ text: String) throws(ValueError) -> [Int] {
        let numbers = text.lowercased().split(separator: "-", omittingEmptySubsequences: false).map { part in
            Self.days.firstIndex(of: String(part.prefix(3))).flatMap { part.count == 3 ? $0 : nil }
        }
        guard (1...2).contains(numbers.count), let first = numbers.first ?? nil, let last = numbers.last ?? nil else {
            throw ValueError(message: "is not a day: write \(choices(Self.days)), or a span, as in mon-fri")
        }
        let length = (last - first + 7) % 7
        return (0...length).map { (first + $0) % 7 + 1 }
    }

    /// `09:00-17:30`
    private func parseHours(_ text: String) throws(ValueError) -> When.Hours {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map(minute)
        guard parts.count == 2, let start = parts[0], let end = parts[1], start < 1_440, end > 0 || start > 0 else {
            throw ValueError(message: "is not a part of the day: write hours and minutes, as in 09:00-17:30, or 22:00-06:00 over midnight")
        }
        guard start != end else { throw ValueError(message: "is empty: it ends when it begins; leave hours out for the whole day") }
        return When.Hours(start: start, end: end == 0 ? 1_440 : end)
    }

    /// Minutes since midnight; 24:00 is the end of the day.
    private func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let hours = Int(parts[0]), let minutes = Int(parts[1]), minutes < 60, hours * 60 + minutes <= 1_440
        else { return nil }
        return hours * 60 + minutes
    }
}

/// RFC 3339, with an offset: an instant must not depend on where the gateway runs.
func parseInstant(_ text: String) throws(ValueError) -> WallTime {
    guard let date = ISO8601DateFormatter().date(from: text), date.timeIntervalSince1970 >= 0 else {
        throw ValueError(
            message: "is not an instant: write date, time and offset, as in 2026-05-01T18:00:00Z or 2026-05-01T18:00:00+02:00")
    }
    return WallTime(seconds: Int(date.timeIntervalSince1970))
}
