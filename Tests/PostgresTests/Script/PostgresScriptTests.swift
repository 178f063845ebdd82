import Foundation
import GatehouseCore
import NIOCore
import Recording
import Testing

@testable import Postgres

extension Tape {
    fileprivate func script(showsResults: Bool = false) throws -> String {
        var script = PostgresScript(showsResults: showsResults)
        return try frames.map { try script.read($0) }.joined() + script.finish()
    }
}

private let copyIn = Message("G") { $0.writeBytes([0, 0, 0]) }

private func bind(_ statement: String, _ values: String?...) -> Message {
    Message("B") { body in
        body.writeCString("")
        body.writeCString(statement)
        body.writeInteger(Int16(0))
        body.writeInteger(Int16(values.count))
        for value in values {
            body.writeInteger(Int32(value?.utf8.count ?? -1))
            body.writeString(value ?? "")
        }
        body.writeInteger(Int16(0))
    }
}

@Suite struct PostgresScriptTests {
    /// What stands for what the client said has another length: denials behind it are found all the same.
    @Test func whatIsMaskedIsNotRunAgain() throws {
        var tape = Tape()
        tape.client(.query("UPDATE c SET ssn = '078-05-1120' WHERE id = 5"), recordedAs: .query("UPDATE c SET ssn = '****' WHERE id = 5"))
        tape.server(.complete("UPDATE 1"), .ready())
        tape.client(.copyData("stray"), recordedAs: nil)
        try tape.deny("no-drop")
        tape.client(.query("DROP TABLE c"))
        tape.server(.error("42501", "denied"), .ready())
        tape.client(.query("COPY c FROM STDIN"))
        tape.server(copyIn)
        tape.client(.copyData("1\t078-05-1120\n"), recordedAs: .copyData("1\t****\n"))
        tape.client(.copyDone)
        tape.server(.complete("COPY 1"), .ready())
        tape.client(.query("COPY c FROM STDIN"))
        tape.server(copyIn)
        tape.client(.copyData("1\t078-05-1120\n"), recordedAs: nil)
        tape.client(.copyDone)
        tape.server(.complete("COPY 1"), .ready())
        tape.client(.parse("s", "UPDATE c SET ssn = $1"), bind("s", "kept"), .execute(""))
        tape.client(bind("s", "078-05-1120"), recordedAs: bind("s", "****"))
        tape.client(.execute(""), .sync)
        tape.server(.parseComplete, .bindComplete, .complete("UPDATE 1"), .bindComplete, .complete("UPDATE 2"), .ready())
        tape.client(.query("SELECT 'last'"))
        tape.server(.complete("SELECT 1"), .ready())
        let script = try tape.script()
        #expect(script.contains("DENIED by no-drop"))
        #expect(script.contains("SELECT 'last'") && script.contains("UPDATE c SET ssn = 'kept'"))
        let run = script.split(separator: "\n").filter { !$0.hasPrefix("--") }.joined(separator: "\n")
        #expect(!run.contains("****") && !run.contains("DROP") && !run.contains("COPY"), "\(script)")
        #expect(script.ranges(of: "cannot be run again").count == 4, "\(script)")
    }

    @Test func statementsAndResults() throws {
        var tape = Tape()
        tape.client(.query("SELECT a FROM t"))
        tape.server(.columns("a", "b"), .row("1", "x\n\\! ls\u{1B}"), .row(nil, "y"), .complete("SELECT 2"), .ready())
        #expect(try tape.script() == "SELECT a FROM t;\n")
        #expect(try tape.script(showsResults: true) == "SELECT a FROM t;\n-- | a | b\n-- | 1 | x\\n\\! ls\\u{1b}\n-- | NULL | y\n")
    }

    @Test func parametersAreInPlace() throws {
        var tape = Tape()
        tape.client(.parse("s", "INSERT INTO t VALUES ($1, $2)"), .describe("S", "s"), .sync)
        tape.server(.parseComplete, Message("t") { $0.writeMultipleIntegers(Int16(2), UInt32(23), UInt32(25)) }, .noData, .ready())
        for value in ["1", "2"] {
            tape.client(bind("s", value, "it's"), .execute(""), .sync)
            tape.server(.bindComplete, .complete("INSERT 0 1"), .ready())
        }
        tape.client(.query("DEALLOCATE s"))
        tape.server(.complete("DEALLOCATE"), .ready())
        #expect(
            try tape.script().hasPrefix(
                "INSERT INTO t VALUES ('1'::integer, 'it''s'::text);\nINSERT INTO t VALUES ('2'::integer, 'it''s'::text);\n"))
    }

    @Test func aDenialIsAComment() throws {
        var tape = Tape()
        try tape.deny("no-drop", "Never.\n\\! ls")
        tape.client(.query("DROP TABLE t;\nDROP TABLE u"))
        tape.server(.error("42501", "denied"), .ready())
        #expect(try tape.script() == "-- DENIED by no-drop: Never.\n-- \\! ls\n--   DROP TABLE t;\n--   DROP TABLE u\n")

        tape = Tape()
        try tape.deny("no-drop")
        tape.client(.parse("", "DROP TABLE t"), bind(""), .execute(""), .sync)
        tape.server(.error("42501", "denied"), .ready())
        #expect(try tape.script() == "-- DENIED by no-drop\n--   DROP TABLE t\n")
    }

    /// An error leaves the script's transaction as it left the session's.
    @Test func transactionsEndAsTheyDid() throws {
        var tape = Tape()
        tape.client(.query("BEGIN"))
        tape.server(.complete("BEGIN"), .ready("T"))
        try tape.deny("no-drop")
        tape.client(.query("DROP TABLE t"))
        tape.server(.error("42501", "denied"), .ready("E"))
        tape.client(.query("SELECT 1"))
        tape.server(.error("25P02", "aborted"), .ready("E"))
        tape.client(.query("COMMIT"))
        tape.server(.complete("ROLLBACK"), .ready())
        let raised = "DO 'BEGIN RAISE EXCEPTION $$the recorded session failed here$$; END';\n"
        #expect(
            try tape.script()
                == "BEGIN;\n-- DENIED by no-drop\n--   DROP TABLE t\n\(raised)-- failed (25P02): aborted\n--   SELECT 1\nCOMMIT;\n")

        // A commit that fails: what the transaction did is gone.
        tape = Tape()
        tape.client(.query("BEGIN"))
        tape.server(.complete("BEGIN"), .ready("T"))
        tape.client(.query("COMMIT"))
        tape.server(.error("23503", "deferred"), .ready())
        #expect(try tape.script() == "BEGIN;\n-- failed (23503): deferred\n--   COMMIT\nROLLBACK;\n")
    }

    /// Up to a Sync all is one transaction: done together, or not at all.
    @Test func pipelinesAreWholeOrUndone() throws {
        func send(_ tape: inout Tape, _ statements: String...) {
            for text in statements { tape.client(.parse("", text), bind(""), .execute("")) }
            tape.client(.sync)
        }
        var tape = Tape()
        send(&tape, "INSERT 1", "INSERT 2")
        for _ in 0..<2 { tape.server(.parseComplete, .bindComplete, .complete("INSERT 0 1")) }
        tape.server(.ready())
        #expect(try tape.script() == "BEGIN;\nINSERT 1;\nINSERT 2;\nCOMMIT;\n")

        tape = Tape()
        send(&tape, "INSERT 1", "INSERT 2", "INSERT 3")
        tape.server(.parseComplete, .bindComplete, .complete("INSERT 0 1"), .parseComplete, .bindComplete, .error("22012", "no"), .ready())
        send(&tape, "INSERT 4")
        tape.server(.parseComplete, .bindComplete, .complete("INSERT 0 1"), .ready())
        #expect(
            try tape.script()
                == "-- undone by an error behind it, or by the session's end\n--   INSERT 1\n-- failed (22012): no\n--   INSERT 2\n"
                + "-- not run, since it came behind an error\n--   INSERT 3\nINSERT 4;\n")

        // The client may go on talking before it hears of the error.
        tape = Tape()
        tape.client(.parse("", "INSERT 1"))
        tape.server(.error("42601", "no"))
        tape.client(bind(""), .execute(""), .sync)
        tape.server(.ready())
        send(&tape, "INSERT 2")
        tape.server(.parseComplete, .bindComplete, .complete("INSERT 0 1"), .ready())
        #expect(try tape.script().hasSuffix("INSERT 2;\n"))
    }

    @Test func whatWasNotAnsweredIsAComment() throws {
        var tape = Tape()
        tape.client(.query("INSERT INTO t VALUES (1)"))
        #expect(try tape.script() == "-- the recording ends before the answer to this\n--   INSERT INTO t VALUES (1)\n")
    }

    @Test func whatIsNotUTF8IsHexadecimal() throws {
        var tape = Tape()
        tape.client(Message("Q") { $0.writeBytes(Array("SELECT '".utf8) + [0xE9, 0x27, 0]) })
        tape.server(.complete("SELECT 1"), .ready())
        #expect(try tape.script().contains("as bytes: \\x53454c4543542027e927\n"))
        #expect(try tape.script().split(separator: "\n").allSatisfy { $0.hasPrefix("-- ") })
    }

    /// A statement's strings are read by the setting under which the server read them.
    @Test func theSettingIsFollowed() throws {
        var tape = Tape()
        tape.client(.parse("s", "SELECT 'a\\' || 'b'"), .sync)
        tape.server(.parseComplete, .ready())
        tape.client(.query("SET standard_conforming_strings = off"))
        tape.server(.complete("SET"), .status("standard_conforming_strings", "off"), .ready())
        tape.client(.query("SELECT 'a\\'; b'"))
        tape.server(.complete("SELECT 1"), .ready())
        tape.client(bind("s"), .execute(""), .sync)
        tape.server(.bindComplete, .complete("SELECT 1"), .ready())
        let lines = try tape.script().split(separator: "\n")
        #expect(lines.prefix(2) == ["SET standard_conforming_strings = off;", "SELECT 'a\\'; b';"])
        #expect(lines.count > 2 && lines.dropFirst(2).allSatisfy { $0.hasPrefix("-- ") }, "\(lines)")
    }

    // MARK: - COPY

    private func copied(_ text: String, _ data: String...) throws -> String {
        var tape = Tape()
        tape.client(.query(text))
        tape.server(copyIn)
        for part in data { tape.client(.copyData(part)) }
        tape.client(.sync, .copyDone)
        tape.server(.complete("COPY 1"), .ready())
        tape.client(.query("SELECT 2"))
        tape.server(.complete("SELECT 1"), .ready())
        return try tape.script()
    }

    @Test func copyDataIsABlock() throws {
        #expect(try copied("COPY t FROM STDIN", "1\tx\n2\t", "\\\\.\n3\ty") == "COPY t FROM STDIN;\n1\tx\n2\t\\\\.\n3\ty\n\\.\nSELECT 2;\n")
        #expect(
            try copied("COPY t FROM STDIN (FORMAT csv)", "1,\"a\nb\"\n") == "COPY t FROM STDIN (FORMAT csv);\n1,\"a\nb\"\n\\.\nSELECT 2;\n")
        #expect(try copied("COPY t FROM STDIN", "1\u{1B}\\\u{7}\n") == "COPY t FROM STDIN;\n1\\x1b\\x07\n\\.\nSELECT 2;\n")
    }

    /// `\.` ends the data for psql: what is behind it would be read as commands.
    @Test func copyDataDoesNotBreakOut() throws {
        #expect(try copied("COPY t FROM STDIN", "1\n\\.\n\\! ls\n") == "COPY t FROM STDIN;\n1\n\\.\nSELECT 2;\n")
        let hidden = [
            try copied("COPY t FROM STDIN (FORMAT csv)", "\"a\n\\.\n\\! ls\n\"\n"),
            try copied("COPY t FROM STDIN CSV -- stdin", "\\.\n\\! ls\n"),
            try copied("COPY t FROM STDIN WITH DELIMITER E'\u{1}'", "1\u{1}2\n"), try copied("COPY t FROM STDIN", "a\r\\.\r\\! ls\r"),
        ]
        for script in hidden {
            #expect(
                script.split(separator: "\n").dropLast().allSatisfy { $0.hasPrefix("-- ") } && script.hasSuffix("SELECT 2;\n"), "\(script)")
        }
    }

    /// Whatever a recording holds: an error, never a trap.
    @Test func anyMessagesAreTaken() {
        var random = SystemRandomNumberGenerator()
        let letters = Array("QPBEDCSHFdcfXTtnGHIZ123sNA".utf8)
        for _ in 0..<3_000 {
            var script = PostgresScript(showsResults: true)
            for sequence in 1...UInt64.random(in: 1...25, using: &random) {
                var buffer = ByteBuffer()
                writeMessage(letters.randomElement(using: &random) ?? 0, to: &buffer) { body in
                    body.writeBytes(
                        (0..<Int.random(in: 0...12, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random) & (Bool.random(using: &random) ? 1 : 0xFF)
                        })
                }
                let kind: RecordKind = Bool.random(using: &random) ? .clientMessages : .serverMessages
                let frame = Frame(
                    kind: kind, session: SessionID(high: 1, low: 2), sequence: sequence, time: WallTime(nanoseconds: 1),
                    payload: Array(buffer.readableBytesView))
                guard (try? script.read(frame)) != nil else { break }
            }
            _ = script.finish()
        }
    }
}
