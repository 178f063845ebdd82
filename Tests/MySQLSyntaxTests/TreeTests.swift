import Testing

@testable import MySQLSyntax

/// The tree of queries, as lineage will read it.
@Suite struct TreeTests {
    private func select(_ text: String) throws -> (Statement, Select) {
        let statement = try #require(parse(text).statements.first)
        guard case .select(let select) = try #require(statement.query).body else { throw Unparsed(reason: "no select", offset: 0) }
        return (statement, select)
    }

    @Test func itemsHaveExpressionsAndAliases() throws {
        let (_, select) = try select("SELECT a, t.b AS x, count(*) 'n', @v := c FROM t")
        #expect(select.items.map(\.alias) == [nil, "x", "n", nil])
        #expect(select.items[0].expression.kind == .column(ColumnName(qualifier: [], name: "a")))
        #expect(select.items[1].expression.kind == .column(ColumnName(qualifier: ["t"], name: "b")))
        guard case .function(let use, _) = select.items[2].expression.kind else { return #expect(Bool(false)) }
        #expect(use.name == "count")
        guard case .assignment("v", let value) = select.items[3].expression.kind else { return #expect(Bool(false)) }
        #expect(value.kind == .column(ColumnName(qualifier: [], name: "c")))
    }

    @Test func fromItemsPointAtTables() throws {
        let (statement, select) = try select("SELECT * FROM t AS x JOIN db.u USING (id) NATURAL JOIN v, (SELECT 1 AS one) d")
        #expect(select.from.count == 4)
        #expect(select.from[0].source == .table(0) && select.from[0].alias == "x")
        #expect(select.from[1].using == ["id"] && select.from[1].isNatural)
        #expect(select.from[2].isNatural)
        guard case .derived(let query) = select.from[3].source, case .select(let inner) = query.body else { return #expect(Bool(false)) }
        #expect(inner.items.map(\.alias) == ["one"] && inner.scope == 1)
        #expect(
            statement.tables.map(\.name) == [
                .init(database: nil, name: "t"), .init(database: "db", name: "u"), .init(database: nil, name: "v"),
            ])
        #expect(statement.scopes == 2)
    }

    @Test func scopesTellWhichBlockNamesATable() throws {
        let statement = try #require(parse("SELECT a FROM t WHERE b IN (SELECT c FROM u) ORDER BY d").statements.first)
        #expect(statement.tables.map(\.scope) == [0, 1])
        let scopes = Dictionary(uniqueKeysWithValues: statement.columns.map { ($0.name.name, $0.scope) })
        #expect(scopes == ["a": 0, "b": 0, "c": 1, "d": 0])
    }

    @Test func commonTablesAreKept() throws {
        let statement = try #require(
            parse("WITH RECURSIVE c (n) AS (SELECT 1 UNION SELECT n FROM c) SELECT n FROM c AS x").statements.first)
        let query = try #require(statement.query)
        #expect(query.isRecursive && query.commonTables.map(\.name) == ["c"] && query.commonTables[0].columns == ["n"])
        guard case .select(let select) = query.body, case .set(let parts) = query.commonTables[0].query.body else {
            return #expect(Bool(false))
        }
        #expect(select.from.map(\.source) == [.common("c")] && parts.count == 2)
    }

    @Test func chainsOfOneOperatorAreOneNode() throws {
        let (_, select) = try select("SELECT 1 FROM t WHERE a = 1 AND b = 2 AND c = 3 OR d = 4")
        guard case .operation(.or, let parts) = select.condition?.kind, case .operation(.and, let inner) = parts[0].kind else {
            return #expect(Bool(false))
        }
        #expect(parts.count == 2 && inner.count == 3)
    }

    @Test func rangesAreOfTheText() throws {
        let text = "SELECT a + 1, 'x' FROM t"
        let (_, select) = try select(text)
        #expect(select.items.map { String(decoding: Array(text.utf8)[$0.expression.range], as: UTF8.self) } == ["a + 1", "'x'"])
    }
}
