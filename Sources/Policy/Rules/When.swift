public import GatehouseCore

/// When a rule is in force. All that is named must hold; nothing named is always.
public struct When: Sendable, Hashable, Codable {
    /// Days of the week of the time zone, 1 (Monday) to 7 (ISO 8601); empty: every day.
    public var days: [Int]
    /// Parts of the day of the time zone; empty: all day.
    public var hours: [Hours]
    /// A name of the IANA time zone database; nil is UTC.
    public var timeZone: String?
    /// The first instant at which the rule is in force; nil: always was.
    public var from: WallTime?
    /// The first instant at which it no longer is; nil: always will be.
    public var until: WallTime?

    public init(days: [Int] = [], hours: [Hours] = [], timeZone: String? = nil, from: WallTime? = nil, until: WallTime? = nil) {
        self.days = days
        self.hours = hours
        self.timeZone = timeZone
        self.from = from
        self.until = until
    }

    /// From one minute of the day up to, and without, another. Where the end is not after the start, the part goes over
    /// midnight, and all of it belongs to the day that it begins on.
    public struct Hours: Sendable, Hashable, Codable {
        /// Minutes since midnight, 0 to 1439.
        public var start: Int
        /// Minutes since midnight, 1 to 1440.
        public var end: Int

        public init(start: Int, end: Int) {
            self.start = start
            self.end = end
        }
    }

    /// Whether the wall clock says so: `weekday` as in ``days``, `minute` since midnight.
    func holds(weekday: Int, minute: Int) -> Bool {
        func isNamed(_ day: Int) -> Bool { days.isEmpty || days.contains(day) }
        guard !hours.isEmpty else { return isNamed(weekday) }
        let before = weekday == 1 ? 7 : weekday - 1
        return hours.contains { part in
            if part.start < part.end { return minute >= part.start && minute < part.end && isNamed(weekday) }
            return minute >= part.start ? isNamed(weekday) : minute < part.end && isNamed(before)
        }
    }
}
