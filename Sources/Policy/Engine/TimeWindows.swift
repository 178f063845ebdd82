import Foundation
import GatehouseCore
import Synchronization

/// Which of a caller's rules are out of force at a moment, worked out anew only when that can have changed.
///
/// Every zone of the IANA database that is in use is off UTC by whole minutes, so what the wall clock says to the minute
/// can change only when a minute of UTC begins; an absolute start or end is a change of its own.
final class TimeWindows: Sendable {
    private struct Window: Sendable {
        let rule: Int
        let when: [(When, Calendar)]
    }

    /// What holds from `start` up to, and without, `end`.
    struct State: Sendable {
        var start = WallTime(nanoseconds: 0)
        var end = WallTime(nanoseconds: 0)
        /// The rules that are out of force, by number.
        var closed: RuleSetBits
        /// Grows whenever `closed` changes.
        var epoch: UInt64 = 0
    }

    private let windows: [Window]
    private let ruleCount: Int
    private let state: Mutex<State>

    /// nil where no rule has a `when`.
    init?(_ rules: [Rule]) {
        let windows = rules.enumerated().compactMap { number, rule -> Window? in
            let whens = rule.whens
            return whens.isEmpty ? nil : Window(rule: number, when: whens.map { ($0, Self.calendar($0.timeZone)) })
        }
        guard !windows.isEmpty else { return nil }
        self.windows = windows
        ruleCount = rules.count
        state = Mutex(State(closed: RuleSetBits(count: rules.count)))
    }

    func state(at time: WallTime) -> State {
        state.withLock { state in
            if time >= state.start, time < state.end { return state }
            var next = State(closed: RuleSetBits(count: ruleCount), epoch: state.epoch)
            let minute: UInt64 = 60 * 1_000_000_000
            next.start = WallTime(nanoseconds: time.nanoseconds - time.nanoseconds % minute)
            let end = next.start.nanoseconds.addingReportingOverflow(minute)
            next.end = WallTime(nanoseconds: end.overflow ? .max : end.partialValue)
            for window in windows where !isOpen(window, at: time, &next) { next.closed.insert(window.rule) }
            if next.closed != state.closed { next.epoch &+= 1 }
            state = next
            return next
        }
    }

    /// Narrows the state's span to where the answer stays the same.
    private func isOpen(_ window: Window, at time: WallTime, _ state: inout State) -> Bool {
        var open = true
        for (when, calendar) in window.when {
            for edge in [when.from, when.until].compactMap(\.self) {
                if edge <= time { state.start = max(state.start, edge) } else { state.end = min(state.end, edge) }
            }
            if let from = when.from, time < from { open = false }
            if let until = when.until, time >= until { open = false }
            guard !when.days.isEmpty || !when.hours.isEmpty else { continue }
            let date = Date(timeIntervalSince1970: Double(time.nanoseconds / 1_000_000_000))
            let parts = calendar.dateComponents([.weekday, .hour, .minute], from: date)
            // Foundation counts from Sunday, 1.
            let weekday = ((parts.weekday ?? 1) + 5) % 7 + 1
            if !when.holds(weekday: weekday, minute: (parts.hour ?? 0) * 60 + (parts.minute ?? 0)) { open = false }
        }
        return open
    }

    private static func calendar(_ name: String?) -> Calendar {
        var calendar = Calendar(identifier: .gregorian)
        // An unknown zone is an error of the configuration, found when it is read.
        calendar.timeZone = name.flatMap { TimeZone(identifier: $0) } ?? .gmt
        return calendar
    }
}

extension Rule {
    /// All the times that must hold together: the rule's own, and those of how its set is used.
    var whens: [When] { [when, scope?.when].compactMap(\.self) }
}
