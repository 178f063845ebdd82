import GatehouseCore
import MySQLSyntax
import NIOCore
import Testing

@testable import MySQL

/// What a text does, in the words that policy knows.
@Suite struct FactsTests {
    private func facts(_ text: String, _ change: (inout MySQLSessionState) -> Void = { _ in }) -> MySQLFacts {
        var state = MySQLSessionState(server: Server(flavour: .mariadb, version: 101_119), database: "shop")
        change(&state)
        return MySQLAnalyzer(statementBytes: 1 << 20).analyze(ByteBuffer(string: text), state)
    }

    private func objects(_ facts: MySQLFacts) -> String {
        facts.actions.flatMap(\.objects).map { "\($0.access.rawValue.prefix(1)) \($0.name)" }.sorted().joined(separator: ", ")
    }

    @Test(arguments: [
        ("SELECT * FROM orders", "r shop.orders"), ("SELECT * FROM other.orders o", "r other.orders"),
        ("UPDATE orders SET a = 1 WHERE id = 2", "w shop.orders"), ("DROP TABLE orders", "d shop.orders"),
        ("INSERT INTO a SELECT * FROM b.c", "r b.c, w shop.a"), ("USE accounts", "r accounts.*"),
        ("DROP DATABASE accounts", "d accounts.*"), ("PREPARE p FROM 'DELETE FROM orders'", "w shop.orders"),
        ("SELECT 1; DROP TABLE orders", "d shop.orders"), ("/*!50000 DROP */ TABLE orders", "d shop.orders"),
    ])
    func whatIsTouched(text: String, expected: String) {
        #expect(objects(facts(text)) == expected)
    }

    @Test(arguments: [
        ("DELETE FROM orders", Action.Flags.unboundedWrite), ("UPDATE orders SET a = 1 WHERE 1", .unboundedWrite),
        ("DELETE FROM orders LIMIT 5", .unboundedWrite), ("SELECT * FROM orders", .unboundedRead),
        ("CALL p()", .callsProcedure), ("CALL p()", .opaque), ("EXECUTE p", .opaque), ("EXECUTE IMMEDIATE @a", .opaque),
        ("BEGIN NOT ATOMIC DELETE FROM t; END", .opaque), ("SELECT sys_exec('x')", .callsUnknownFunction),
        ("SELECT sleep(5)", .callsUnknownFunction), ("SELECT shop.f(1)", .callsUnknownFunction),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", .copyFile), ("LOAD DATA INFILE '/etc/passwd' INTO TABLE t", .copyFile),
        ("SELECT 1; SELECT 2", .multiStatement), ("SELECT FROM WHERE", .unparsed), ("SET sql_mode = 'ANSI_QUOTES'; SELECT 1", .opaque),
        ("INSERT INTO a SELECT * FROM b", .movesData), ("ALTER TABLE t ADD c INT", .changesSchema), ("COMMIT", .controlsTransaction),
    ])
    func whatIsDangerous(text: String, flag: Action.Flags) {
        #expect(facts(text).actions.contains { $0.flags.contains(flag) }, "\(facts(text).actions)")
    }

    @Test(arguments: [
        "SELECT id FROM orders WHERE id = 1", "SELECT COUNT(*) FROM orders", "SELECT * FROM orders LIMIT 5",
        "SELECT UPPER(name), NOW() FROM orders WHERE id IN (1, 2)", "UPDATE orders SET a = 1 WHERE id = 2",
        "DELETE FROM orders WHERE id = 3",
    ])
    func whatIsNot(text: String) {
        let flags: Action.Flags = [.unboundedWrite, .unboundedRead, .opaque, .unparsed, .callsUnknownFunction, .copyFile, .changesSchema]
        #expect(facts(text).actions.count == 1 && facts(text).actions[0].flags.isDisjoint(with: flags), "\(facts(text).actions)")
    }

    @Test func namesAreFoldedAsTheServerFoldsThem() {
        #expect(objects(facts("SELECT * FROM Orders")) == "r shop.Orders")
        #expect(objects(facts("SELECT * FROM Orders") { $0.lowercasesTables = true }) == "r shop.orders")
        #expect(objects(facts("SELECT * FROM orders") { $0.database = nil }) == "r orders")
    }

    /// Names could not be compared with those of rules.
    @Test func otherCharacterSetsAreNotRead() {
        let text = ByteBuffer(bytes: Array("SELECT * FROM caf".utf8) + [0xE9])
        var state = MySQLSessionState(server: Server(flavour: .mariadb, version: 101_119), database: "shop")
        state.readsUTF8 = false
        #expect(MySQLAnalyzer(statementBytes: 1_000).analyze(text, state).actions.first?.flags.contains(.unparsed) == true)
        #expect(facts("SELECT 1") { $0.readsUTF8 = false }.actions.first?.kinds == ["select"])
    }

    @Test func killsAreNumbers() {
        #expect(facts("KILL 5").kill == KillRequest(isQuery: false, thread: 5))
        #expect(facts("kill query 77").kill == KillRequest(isQuery: true, thread: 77))
        #expect(facts("KILL CONNECTION 8;").kill == KillRequest(isQuery: false, thread: 8))
        for text in ["KILL @a", "KILL USER 'x'", "KILL 5 + 1", "SELECT 5", "KILL 5; KILL 6", "KILL 99999999999999999999"] {
            #expect(facts(text).kill == nil, "\(text)")
        }
    }

    @Test(arguments: [
        "CREATE USER u IDENTIFIED BY 'hunter2'", "ALTER USER u IDENTIFIED BY 'hunter2' ACCOUNT LOCK", "SET PASSWORD = PASSWORD('hunter2')",
        "GRANT ALL ON *.* TO u IDENTIFIED BY 'hunter2'; SET PASSWORD FOR u = 'hunter2'",
        "CREATE USER u IDENTIFIED WITH BY PASS 'hunter2' (",
        "CHANGE MASTER TO MASTER_PASSWORD = 'hunter2'",
    ])
    func passwordsAreHidden(text: String) {
        let facts = facts(text)
        let judgement = MySQLJudgement(
            actions: facts.actions, verdict: Verdict(decision: .allow, rule: "r"), policyVersion: "1",
            epoch: .init(configuration: 0, time: 0, database: nil, mode: [], views: 0), secrets: facts.secrets)
        let shown = String(buffer: judgement.shown(ByteBuffer(string: text)))
        #expect(!shown.contains("hunter2") && shown.contains("****"), "\(shown) \(facts)")
    }

    @Test func ordinaryConstantsAreShown() {
        #expect(facts("SELECT password FROM users WHERE name = 'bob'").secrets.isEmpty)
        #expect(facts("CREATE USER 'bob'@'%' IDENTIFIED BY 'x'").secrets.count == 2)
    }

    @Test func theFileOfALoadIsKnown() {
        #expect(facts("LOAD DATA LOCAL INFILE '/tmp/a''b' INTO TABLE t").localFile == Array("/tmp/a'b".utf8))
        #expect(facts("LOAD DATA INFILE '/tmp/a' INTO TABLE t").localFile == nil)
    }

    @Test func viewsAreNotLookedThrough() {
        let names = MySQLNames(views: [QualifiedName(schema: "shop", name: "v")], lowercases: false)
        #expect(names.relations(reachedBy: QualifiedName(schema: "shop", name: "t")) == [Relation(schema: "shop", name: "t")])
        #expect(names.relations(reachedBy: QualifiedName(schema: "shop", name: "v")) == nil)
        #expect(names.relations(reachedBy: QualifiedName(name: "t")) == nil)
    }
}
