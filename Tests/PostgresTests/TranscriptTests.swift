import GatehouseCore
import Recording
import Testing

@testable import Postgres

@Suite struct TranscriptTests {
    private func told(_ tape: Tape) throws -> [String] {
        var transcript = PostgresTranscript()
        return try tape.frames.flatMap { try transcript.read($0) }.map { event in
            switch (event.members["text"], event.members["rule"]) {
            case (.string(let text)?, _): "\(event.type) \(text)"
            case (_, .string(let rule)?): "\(event.type) \(rule)"
            default: event.type
            }
        }
    }

    /// It is recorded in front of it.
    @Test func aVerdictIsToldBehindWhatItIsAbout() throws {
        var tape = Tape()
        let first = Message.query("SELECT 1")
        try tape.decide(Verdict(decision: .allow, rule: "a"))
        try tape.decide(Verdict(decision: .deny, rule: "b"), behind: first.bytes.count)
        tape.client(first, .query("DROP TABLE t"))
        tape.server(.complete("SELECT 1"), .ready(), .syntaxError, .ready())
        #expect(try told(tape) == ["statement SELECT 1", "verdict a", "statement DROP TABLE t", "verdict b", "complete", "error"])
    }

    @Test func whatIsMaskedMovesNoVerdict() throws {
        var tape = Tape()
        try tape.decide(Verdict(decision: .allow, rule: "a"))
        tape.client(.query("SELECT 1 FROM c WHERE ssn = '078-05-1120'"), recordedAs: .query("SELECT 1 FROM c WHERE ssn = '****'"))
        try tape.decide(Verdict(decision: .allow, rule: "b"))
        tape.client(.parse("", "SELECT 2"), .execute(""), .sync)
        #expect(try told(tape) == ["statement SELECT 1 FROM c WHERE ssn = '****'", "verdict a", "prepare SELECT 2", "verdict b"])
    }

    /// Once an answer, in front of its rows.
    @Test func whatTheClientSawOtherwiseIsTold() throws {
        var tape = Tape()
        tape.client(.query("SELECT ssn FROM c"))
        tape.server(.columns("ssn"), .row("a"))
        tape.server(.row("****"), because: .maskOfRecording)
        tape.server(.row("****"), because: .maskOfRecording)
        tape.server(.complete("SELECT 3"), .ready())
        tape.client(.query("SELECT ssn FROM c"))
        tape.server(.columns("ssn"))
        tape.server(.row("****"), because: .mask)
        tape.server(.row("b"), because: .maskOfClient)
        tape.server(.complete("SELECT 2"), .ready())
        #expect(
            try told(tape) == [
                "statement SELECT ssn FROM c", "rows", "view", "rows", "complete", "statement SELECT ssn FROM c", "rows", "view", "rows",
                "complete",
            ])
    }

    /// What waits, and what is nowhere, has its verdict all the same.
    @Test func noVerdictIsLost() throws {
        var tape = Tape()
        try tape.decide(Verdict(decision: .hold, rule: "ask"))
        #expect(try told(tape) == ["verdict ask"])
        try tape.decide(Verdict(decision: .deny, rule: "never"), behind: 500)
        try tape.decide(Verdict(decision: .allow, rule: "a"))
        tape.client(.query("SELECT 1"))
        try tape.end()
        #expect(try told(tape) == ["verdict ask", "statement SELECT 1", "verdict never", "verdict a", "end"])
    }
}
