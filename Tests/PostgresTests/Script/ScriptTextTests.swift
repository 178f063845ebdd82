import NIOCore
import Testing

@testable import Postgres

@Suite struct ScriptTextTests {
    private func script(_ text: String, isStandard: Bool = true) -> String? {
        ScriptText(text, isStandard: isStandard).map(\.statement)
    }

    /// Semicolons and colons inside are the server's, not psql's.
    @Test func psqlSeesOneStatement() {
        #expect(script("SELECT 1") == "SELECT 1;")
        #expect(script("SELECT 1;") == "SELECT 1;")
        #expect(script("SELECT 1; SELECT 2 ;\n") == "SELECT 1\\; SELECT 2 ;")
        #expect(script("SELECT ';', \"a;b\", $$;$$, $x$;$$;$x$ -- ; it's") == "SELECT ';', \"a;b\", $$;$$, $x$;$$;$x$ -- ; it's\n;")
        #expect(
            script("SELECT a[1:n], b::text, f(x := 1), :v, :'v', :\"v\", :{?v}")
                == "SELECT a[1\\:n], b::text, f(x := 1), \\:v, \\:'v', \\:\"v\", \\:{?v};")
        #expect(script("SELECT ':v' /* :v; /* nested */ ; */") == "SELECT ':v' /* :v; /* nested */ ; */;")
        #expect(script("SELECT a$b$c, d$$, 1") == "SELECT a$b$c, d$$, 1;")
    }

    /// Where psql itself might go on, or run a command, it gets the text as a string alone.
    @Test func psqlNeverReadsWhatIsNotSQL() {
        #expect(script("SELECT 1 \\! touch x") == "SELECT E'SELECT 1 \\\\! touch x' \\gexec")
        #expect(script("SELECT (1") == "SELECT (1\n\\g")
        #expect(script("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END") == "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1\\; END\n\\g")
        #expect(script("SELECT '\u{1B}[31m'") == "SELECT E'SELECT ''\\x1b[31m''' \\gexec")
        #expect(script("SELECT '\u{202E}\u{9B}'") == "SELECT E'SELECT ''\\u202e\\u009b''' \\gexec")
        #expect(script("SELECT 'a\r\n\\! ls'") == "SELECT E'SELECT ''a\\x0d\\x0a\\\\! ls''' \\gexec")
        #expect(script("SELECT '\\! ls'") == "SELECT '\\! ls';")
        for unclear in ["SELECT 'a", "SELECT E'a\\'", "SELECT $x$ $y$", "SELECT \"a", "SELECT /* /* */", "SELECT E'a'\n'b\\'; \\! ls'"] {
            #expect(script(unclear) == nil, "\(unclear)")
        }
    }

    /// Without standard_conforming_strings a backslash hides a quote.
    @Test func theSettingDecidesWhereAStringEnds() {
        #expect(
            script("SELECT 'a\\', '; \\! ls'") == "SELECT E'SELECT ''a\\\\'', ''; \\\\! ls''' \\gexec"
                || script("SELECT 'a\\', '; \\! ls'") != nil)
        #expect(script("SELECT 'a\\'; \\! ls'", isStandard: false) == "SELECT 'a\\'; \\! ls';")
        #expect(script("SELECT 'a\\'; \\! ls'") == nil)
        #expect(script("SELECT B'1', U&'x'", isStandard: false) == nil)
        #expect(script("SELECT e'\\'' ';'") == nil || script("SELECT e'\\'', ';'") == "SELECT e'\\'', ';';")
    }

    @Test func parametersStandWhereTheyAreMeant() {
        func bound(_ text: String, _ values: String...) -> String? {
            ScriptText(text) { $0 <= values.count ? values[$0 - 1] : nil }?.statement
        }
        #expect(bound("SELECT $1, '$1', \"$1\", $$ $1 $$, a$1 -- $1", "'x'") == "SELECT 'x', '$1', \"$1\", $$ $1 $$, a$1 -- $1\n;")
        #expect(bound("SELECT x>$1 AND y=$2", "'1'::integer", "E'\\\\'") == "SELECT x> '1'::integer AND y=E'\\\\';")
        #expect(bound("SELECT $1[1], U&$1", "'{1}'") == "SELECT ('{1}')[1], U& '{1}';")
        #expect(bound("SELECT $2", "1") == nil)
        #expect(bound("SELECT $99999999999", "1") == nil)
        #expect(bound("SELECT $1", "'; DROP TABLE x; \\! ls :v --'") == "SELECT '; DROP TABLE x; \\! ls :v --';")
    }

    @Test func commentsStayComments() {
        #expect(
            commented("a\nDROP TABLE x;\r\\! ls\r\nb\u{1B}\u{2028}c")
                == "-- a\n-- DROP TABLE x;\\u{d}\\! ls\\u{d}\\u{a}b\\u{1b}\\u{2028}c\n")
        #expect(quoted("it's") == "'it''s'" && quoted("\\'\u{7}") == "E'\\\\''\\x07'")
    }

    /// Any bytes: no trap, and where something comes of them, psql commands stand only where this writes them.
    @Test func anyTextIsTaken() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "'", "\"", "$", "$$", "$a$", "E'", "U&'", "\\", ";", ":", "--", "/*", "*/", "\n", "\r", "(", ")", "$1", "1e", "x", " ", "é",
            "\u{0}",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            let isStandard = Bool.random(using: &random)
            guard let script = ScriptText(text, isStandard: isStandard, parameter: { _ in "'p'" })?.script else { continue }
            #expect(!script.unicodeScalars.contains { isUnfit($0) && $0 != "\n" })
        }
    }
}

@Suite struct ScriptValueTests {
    private func literal(_ type: UInt32, _ write: (inout ByteBuffer) -> Void) -> String? {
        var buffer = ByteBuffer()
        write(&buffer)
        return ScriptValue.literal(Array(buffer.readableBytesView), type: type, isBinary: true)
    }

    @Test func textValuesAreQuotedAndTyped() {
        #expect(ScriptValue.literal(Array("5".utf8), type: 23, isBinary: false) == "'5'::integer")
        #expect(ScriptValue.literal(Array("it's".utf8), type: 0, isBinary: false) == "'it''s'")
        #expect(ScriptValue.literal(Array("{a}".utf8), type: 1009, isBinary: false) == "'{a}'::text[]")
        #expect(
            ScriptValue.literal(nil, type: 25, isBinary: true) == "NULL::text"
                && ScriptValue.literal(nil, type: 0, isBinary: false) == "NULL")
        #expect(ScriptValue.literal([0xFF], type: 25, isBinary: false) == nil)
        #expect(ScriptValue.literal([1], type: 99_999, isBinary: true) == nil)
    }

    @Test func binaryValuesAreThoseOfTheSendFunctions() {
        #expect(literal(16) { $0.writeInteger(UInt8(1)) } == "'true'::boolean")
        #expect(literal(20) { $0.writeInteger(Int64.min) } == "'-9223372036854775808'::bigint")
        #expect(literal(17) { $0.writeBytes([0, 255]) } == "E'\\\\x00ff'::bytea")
        #expect(literal(701) { $0.writeInteger((-Double.infinity).bitPattern) } == "'-Infinity'::double precision")
        #expect(literal(700) { $0.writeInteger(Float(0.1).bitPattern) } == "'0.1'::real")
        #expect(literal(1082) { $0.writeInteger(Int32(8_795)) } == "'2024-01-30'::date")
        #expect(literal(1082) { $0.writeInteger(Int32(-730_485)) } == "'0001-01-01 BC'::date")
        #expect(literal(1114) { $0.writeInteger(Int64(-1)) } == "'1999-12-31 23:59:59.999999'::timestamp")
        #expect(literal(1184) { $0.writeInteger(Int64.max) } == "'infinity'::timestamptz")
        #expect(literal(1184) { $0.writeInteger(Int64.min + 1) } == nil)
        #expect(literal(3802) { $0.writeBytes(Array("\u{1}{}".utf8)) } == "'{}'::jsonb")
        #expect(
            literal(1700) { $0.writeMultipleIntegers(Int16(3), Int16(0), UInt16(0x4000), Int16(6), Int16(12), Int16(3400), Int16(100)) }
                == "'-12.340001'::numeric")
        #expect(literal(1700) { $0.writeMultipleIntegers(Int16(1), Int16(-2), UInt16(0), Int16(8), Int16(5)) } == "'0.00000005'::numeric")
        #expect(literal(1700) { $0.writeMultipleIntegers(Int16(1), Int16(1), UInt16(0), Int16(0), Int16(5)) } == "'50000'::numeric")
        let array = literal(1009) { buffer in
            buffer.writeMultipleIntegers(Int32(1), Int32(1), UInt32(25), Int32(2), Int32(1), Int32(-1), Int32(2))
            buffer.writeString("\"\\")
        }
        #expect(array == "E'{NULL,\"\\\\\"\\\\\\\\\"}'::text[]")
    }

    /// Bytes of a hostile client: an error at most.
    @Test func anyBytesAreTaken() {
        var random = SystemRandomNumberGenerator()
        let types: [UInt32] = [16, 17, 20, 23, 25, 700, 1009, 1007, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 1231, 2950, 3802]
        for _ in 0..<20_000 {
            let extremes: [UInt8] = [0, 0xFF, 0x7F, 0x80, 1]
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                Bool.random(using: &random) ? extremes.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
            }
            _ = ScriptValue.literal(bytes, type: types.randomElement(using: &random) ?? 16, isBinary: true)
        }
    }
}
