import Foundation
import GatehouseCore
import Testing

@testable import Policy

private func instant(_ text: String) -> WallTime {
    WallTime(seconds: Int(ISO8601DateFormatter().date(from: text)?.timeIntervalSince1970 ?? 0))
}

private func permit(_ engine: PolicyEngine) throws -> Permit {
    var caller = principal()
    caller.expires = WallTime(nanoseconds: .max)
    return try engine.admit(caller, to: target(), role: nil, at: now).get()
}

@Suite struct WhenTests {
    private let officeHours = When(days: [1, 2, 3, 4, 5], hours: [When.Hours(start: 9 * 60, end: 17 * 60 + 30)], timeZone: "Europe/Berlin")

    private func holds(_ when: When, at text: String) throws -> Bool {
        let rule = Rule(id: "timed", what: What(), when: when, effect: .allow)
        let engine = engine([rule])
        return try engine.judge(action("select"), under: permit(engine), resolver: Shop(), at: instant(text)).rule == "timed"
    }

    /// Berlin is an hour ahead of UTC in winter and two in summer; 2026-03-29 and 2026-10-25 are when that changes.
    @Test(arguments: [
        ("2026-01-05T07:59:59Z", false), ("2026-01-05T08:00:00Z", true), ("2026-01-05T16:29:59Z", true), ("2026-01-05T16:30:00Z", false),
        ("2026-07-06T06:59:59Z", false), ("2026-07-06T07:00:00Z", true), ("2026-07-06T15:30:00Z", false), ("2026-01-03T12:00:00Z", false),
        ("2026-03-27T08:00:00Z", true), ("2026-03-27T07:00:00Z", false), ("2026-03-30T07:00:00Z", true), ("2026-10-23T07:00:00Z", true),
        ("2026-10-26T07:00:00Z", false), ("2026-10-26T08:00:00Z", true),
    ])
    func hoursFollowTheZone(_ time: String, _ expected: Bool) throws {
        #expect(try holds(officeHours, at: time) == expected)
    }

    /// Friday night's part goes on into Saturday, and Saturday's own does not exist.
    @Test(arguments: [
        ("2026-05-01T21:59:00Z", false), ("2026-05-01T22:00:00Z", true), ("2026-05-02T05:59:00Z", true), ("2026-05-02T06:00:00Z", false),
        ("2026-05-02T22:30:00Z", false), ("2026-05-01T05:00:00Z", false),
    ])
    func aPartOverMidnightBelongsToItsFirstDay(_ time: String, _ expected: Bool) throws {
        #expect(try holds(When(days: [5], hours: [When.Hours(start: 22 * 60, end: 6 * 60)]), at: time) == expected)
    }

    @Test(arguments: [
        ("2026-05-01T11:59:59Z", false), ("2026-05-01T12:00:00Z", true), ("2026-05-01T12:00:29Z", true), ("2026-05-01T12:00:30Z", false),
    ])
    func fromCountsAndUntilDoesNot(_ time: String, _ expected: Bool) throws {
        let when = When(from: instant("2026-05-01T12:00:00Z"), until: instant("2026-05-01T12:00:30Z"))
        #expect(try holds(when, at: time) == expected)
    }

    @Test func aSetsTimeAndTheRulesOwnMustBothHold() throws {
        let rule = Rule(
            id: "timed", what: What(), when: When(hours: [When.Hours(start: 600, end: 660)]), scope: RuleScope(when: When(days: [1])),
            effect: .allow)
        let engine = engine([rule])
        let permit = try permit(engine)
        func decides(_ time: String) -> Bool {
            engine.judge(action("select"), under: permit, resolver: Shop(), at: instant(time)).rule == "timed"
        }
        #expect(decides("2026-05-04T10:30:00Z"))
        #expect(!decides("2026-05-05T10:30:00Z"))
        #expect(!decides("2026-05-04T09:30:00Z"))
    }

    @Test func theEpochChangesWithTheWindowsAlone() throws {
        let engine = engine([Rule(id: "a", what: What(), when: officeHours, effect: .deny), allow(priority: 99)])
        let permit = try permit(engine)
        func epoch(_ text: String) -> UInt64 { engine.timeEpoch(for: permit, at: instant(text)) }
        let morning = epoch("2026-01-05T07:00:00Z")
        #expect(epoch("2026-01-05T07:59:59Z") == morning)
        let day = epoch("2026-01-05T08:00:00Z")
        #expect(day != morning)
        #expect(epoch("2026-01-05T16:29:59Z") == day)
        #expect(epoch("2026-01-05T16:30:00Z") != day)
        // A clock that goes back is followed.
        let evening = epoch("2026-01-05T20:00:00Z")
        #expect(epoch("2026-01-05T12:00:00Z") != evening)
    }

    @Test func withoutTimesTheClockIsNotAsked() throws {
        let engine = engine([allow()])
        let permit = try permit(engine)
        var asked = 0
        func time() -> WallTime {
            asked += 1
            return now
        }
        #expect(engine.timeEpoch(for: permit, at: time()) == 0)
        #expect(asked == 0)
    }

    /// Minute by minute over two changes of the clock, against the definition read off the calendar.
    @Test func agreesWithTheCalendarMinuteByMinute() throws {
        let engine = engine([Rule(id: "timed", what: What(), when: officeHours, effect: .allow)])
        let permit = try permit(engine)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "Europe/Berlin"))
        for day in ["2026-03-27T00:00:00Z", "2026-03-28T22:00:00Z", "2026-10-24T20:00:00Z"] {
            let start = instant(day)
            for minute in 0..<(36 * 60) {
                let time = start.advanced(by: .seconds(minute * 60))
                let parts = calendar.dateComponents([.weekday, .hour, .minute], from: Date(timeIntervalSince1970: Double(time.seconds)))
                let ofDay = (parts.hour ?? 0) * 60 + (parts.minute ?? 0)
                let expected = (2...6).contains(parts.weekday ?? 0) && ofDay >= 540 && ofDay < 1_050
                let holds = engine.judge(action("select"), under: permit, resolver: Shop(), at: time).rule == "timed"
                if holds != expected { Issue.record("\(day) + \(minute) min: \(holds)") }
            }
        }
    }
}
