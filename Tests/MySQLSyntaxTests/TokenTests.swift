import Testing

@testable import MySQLSyntax

/// Tokens byte by byte: what each is, and where it begins and ends.
@Suite struct TokenTests {
    /// `kind@start-end`, for symbols the symbol's name.
    static func tokens(_ line: String, _ server: Server) -> String {
        var lexer = Lexer(bytes(of: line), server: server)
        var result: [String] = []
        while true {
            do {
                let token = try lexer.next()
                if token.kind == .end { break }
                let what = token.kind == .symbol ? "\(token.symbol)" : token.keyword.map { "\($0)!" } ?? "\(token.kind)"
                result.append("\(what)@\(token.start)-\(token.end)")
            } catch {
                result.append("failure@\(error.offset)")
                break
            }
        }
        return result.joined(separator: " ")
    }

    @Test(arguments: [
        ("SELECT a", "select!@0-6 word@7-8"),
        ("sElEcT", "select!@0-6"),
        ("'a''b'", "string@0-6"),
        (#"'a\'b'"#, "string@0-6"),
        (#"'a\\'b'"#, "string@0-5 failure@5"),
        ("'a' 'b'", "string@0-3 string@4-7"),
        ("N'a'", "nationalString@0-4"),
        ("n 'a'", "word@0-1 string@2-5"),
        ("x'4142'", "hex@0-7"),
        ("0x4142", "hex@0-6"),
        ("0x", "name@0-2"),
        ("b'01'", "bits@0-5"),
        ("0b01", "bits@0-4"),
        ("0b2", "name@0-3"),
        ("12", "integer@0-2"),
        ("12.", "decimal@0-3"),
        ("1.5", "decimal@0-3"),
        (".5", "decimal@0-2"),
        ("1e5", "float@0-3"),
        ("1e+5", "float@0-4"),
        ("1.5e-3", "float@0-6"),
        ("1e5x", "float@0-3 word@3-4"),
        ("1ex", "name@0-3"),
        ("1.e", "failure@0"),
        ("1a", "name@0-2"),
        ("t.1a", "name@0-1 dot@1-2 name@2-4"),
        ("t.1e5", "name@0-1 dot@1-2 name@2-5"),
        ("t .1", "word@0-1 decimal@2-4"),
        ("`t`.1", "quotedName@0-3 decimal@3-5"),
        ("`t`.a", "quotedName@0-3 dot@3-4 name@4-5"),
        ("t.select", "name@0-1 dot@1-2 name@2-8"),
        ("select.a", "name@0-6 dot@6-7 name@7-8"),
        ("t. select", "word@0-1 dot@1-2 select!@3-9"),
        ("a.b.c", "name@0-1 dot@1-2 name@2-3 dot@3-4 name@4-5"),
        ("`a``b`", "quotedName@0-6"),
        ("@a", "userVariable@0-2"),
        ("@a.b$c", "userVariable@0-6"),
        ("@`a b`", "userVariable@0-6"),
        ("@'a b'", "userVariable@0-6"),
        ("@a:=1", "userVariable@0-2 assign@2-4 integer@4-5"),
        ("@@a", "doubleAt@0-2 word@2-3"),
        ("@@global.a", "doubleAt@0-2 name@2-8 dot@8-9 name@9-10"),
        ("'u'@'h'", "string@0-3 userVariable@3-7"),
        ("<=>", "nullSafeEqual@0-3"),
        ("<= >", "lessEqual@0-2 greater@3-4"),
        ("<>!=", "failure@0"),
        ("a<b>=c", "word@0-1 less@1-2 word@2-3 greaterEqual@3-5 word@5-6"),
        ("a<<b>>c", "word@0-1 shiftLeft@1-3 word@3-4 shiftRight@4-6 word@6-7"),
        ("&& || & |", "doubleAmpersand@0-2 doublePipe@3-5 ampersand@6-7 pipe@8-9"),
        ("?", "parameter@0-1"),
        (#"\N"#, "null@0-2"),
        (#"\n"#, "failure@0"),
        ("1--1", "integer@0-1 minus@1-2 minus@2-3 integer@3-4"),
        ("1-- 1", "integer@0-1"),
        ("1--", "integer@0-1"),
        ("1#␊2", "integer@0-1 integer@3-4"),
        ("1/**/2", "integer@0-1 integer@5-6"),
        ("1/*!2*/3", "integer@0-1 integer@4-5 integer@7-8"),
        ("1/*!50000 2*/3", "integer@0-1 integer@10-11 integer@13-14"),
        ("1/*!99999 2*/3", "integer@0-1 integer@13-14"),
        ("1*/2", "integer@0-1 star@1-2 slash@2-3 integer@3-4"),
        ("1/2", "integer@0-1 slash@1-2 integer@2-3"),
        ("␀", "failure@0"),
        ("é", "word@0-2"),
        ("█", "failure@0"),
        ("a-b", "word@0-1 minus@1-2 word@2-3"),
        ("a->b", "word@0-1 minus@1-2 greater@2-3 word@3-4"),
        ("{d '2'}", "leftBrace@0-1 word@1-2 string@3-6 rightBrace@6-7"),
        ("_utf8mb4'a'", "word@0-8 string@8-11"),
    ])
    func areCutWhereTheServerCutsThem(line: String, expected: String) {
        #expect(Self.tokens(line, mariadb) == expected, "\(line)")
    }

    @Test func mySQLHasArrows() {
        #expect(Self.tokens("a->b", mysql) == "word@0-1 arrow@1-3 word@3-4")
        #expect(Self.tokens("a->>b", mysql) == "word@0-1 doubleArrow@1-4 word@4-5")
    }

    @Test func everyByteAloneIsATokenOrARefusal() {
        for byte in UInt8.min...UInt8.max {
            for server in [mariadb, mysql] {
                var lexer = Lexer([byte], server: server)
                _ = try? lexer.next()
                #expect(lexer.at <= 2)
            }
        }
    }

    @Test func theNormalFormHasNoConstants() {
        let parsed = parse("SELECT  a/*x*/, 'secret' , 12.5,\n\t0x41 FROM t -- y\n WHERE b IN (1,2)/*! AND c = 'z' */")
        #expect(parsed.statements.map(\.normalized) == ["SELECT a , ? , ?, ? FROM t WHERE b IN (?,?) AND c = ?"])
    }

    @Test func literalsAndSecretsAreLocated() {
        let text = "CREATE USER 'a'@'%' IDENTIFIED BY 'secret'"
        let statement = parse(text).statements.first
        let secret = statement?.secrets.first.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
        #expect(secret == "'secret'")
        #expect(statement?.literals.count == 2)
    }

    @Test func everyKeywordIsFoundByItsSpelling() {
        for keyword in Keyword.allCases {
            #expect(Keyword.find(Array(keyword.spelling.utf8)[...]) == keyword)
            #expect(Keyword.find(Array(keyword.spelling.uppercased().utf8)[...]) == keyword)
        }
        #expect(Keyword.find(Array("nothing_of_the_sort".utf8)[...]) == nil)
    }
}
