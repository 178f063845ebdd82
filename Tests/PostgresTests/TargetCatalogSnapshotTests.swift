import GatehouseCore
import Testing

@testable import Postgres

/// What a snapshot says of a real server's catalog.
@Suite struct TargetCatalogSnapshotTests {
    private static let setup = """
        CREATE SCHEMA app; CREATE SCHEMA audit; CREATE SCHEMA evil;
        CREATE TABLE public.customers(id int, dropped text, name text, ssn text);
        ALTER TABLE public.customers DROP COLUMN dropped;
        CREATE TABLE app.customers(id int);
        CREATE TABLE app.orders(id int, customer int);
        CREATE VIEW app.summary AS SELECT c.name, o.id FROM public.customers c JOIN app.orders o ON o.customer = c.id;
        CREATE VIEW app.deep AS SELECT name FROM app.summary;
        CREATE MATERIALIZED VIEW app.kept AS SELECT name FROM app.deep;
        CREATE TABLE audit.log(id int, at date) PARTITION BY RANGE (at);
        CREATE TABLE audit.log_2024 PARTITION OF audit.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (at);
        CREATE TABLE audit.log_2024_1 PARTITION OF audit.log_2024 FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
        CREATE TABLE audit.base(id int); CREATE TABLE audit.child() INHERITS (audit.base);
        CREATE TABLE audit.sink(id int);
        CREATE TABLE audit.twin(id int); CREATE TABLE app.twin(id int); CREATE TABLE public.twin(id int);
        CREATE RULE copy AS ON INSERT TO app.orders DO ALSO INSERT INTO audit.sink VALUES (NEW.id);
        CREATE TABLE evil.pg_class(oid oid, relname text); CREATE TABLE evil.current_schemas(x int);
        CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
        CREATE ROLE tricked LOGIN PASSWORD 'catalog-test-password'; ALTER ROLE tricked SET search_path = evil, pg_catalog, app;
        GRANT USAGE ON SCHEMA evil, app TO tricked;
        CREATE TEMP TABLE scratch(id int); CREATE TEMP TABLE orders(id int);
        """

    private static let prepared = Result {
        try (server: CatalogServer.shared.get(), session: SharedSession(CatalogServer.shared.get().database("snapshots", setup)))
    }

    /// Holds a session open so that its temporary tables stay.
    private final class SharedSession: @unchecked Sendable {
        let session: ServerSession
        init(_ session: ServerSession) { self.session = session }
    }

    private func snapshot(_ user: String = "owner") throws -> CatalogSnapshot {
        try Self.prepared.get().server.snapshot(database: "snapshots", user: user)
    }

    private func reached(_ snapshot: CatalogSnapshot, _ schema: String?, _ name: String, path: [String]? = ["public"]) -> Set<String> {
        Set(snapshot.relations(reachedBy: QualifiedName(schema: schema, name: name), searchPath: path).map { "\($0.schema).\($0.name)" })
    }

    @Test func saysWhoseItIs() throws {
        let snapshot = try snapshot()
        #expect(snapshot.serverVersion >= 120_000)
        #expect(snapshot.user == "owner")
        #expect(snapshot.searchPath == ["pg_catalog", "public"])
    }

    @Test func namesGoByTheSearchPath() throws {
        let snapshot = try snapshot()
        let customers = reached(snapshot, nil, "customers", path: ["app", "public"])
        #expect(customers == ["app.customers"])
        #expect(reached(snapshot, nil, "customers", path: ["public", "app"]) == ["public.customers"])
        #expect(reached(snapshot, nil, "customers", path: nil) == ["public.customers", "app.customers"])
        #expect(reached(snapshot, nil, "customers", path: ["none", "$user"]).contains("none.customers"))
        #expect(reached(snapshot, "app", "customers", path: nil) == ["app.customers"])
        #expect(reached(snapshot, nil, "pg_class", path: ["evil"]) == ["pg_catalog.pg_class"])
        #expect(reached(snapshot, nil, "pg_class", path: ["evil", "pg_catalog"]) == ["evil.pg_class"])
    }

    @Test func temporaryTablesCount() throws {
        let snapshot = try snapshot()
        #expect(reached(snapshot, nil, "scratch") == ["pg_temp.scratch"])
        #expect(reached(snapshot, "pg_temp", "scratch") == ["pg_temp.scratch"])
        #expect(reached(snapshot, nil, "orders", path: ["app"]) == ["pg_temp.orders", "app.orders", "audit.sink"])
    }

    @Test func unknownNamesAreThemselvesWhereTheyMayBe() throws {
        let snapshot = try snapshot()
        #expect(reached(snapshot, "app", "nowhere") == ["app.nowhere"])
        #expect(
            reached(snapshot, nil, "nowhere", path: ["app", "$user"]) == [
                "pg_catalog.nowhere", "app.nowhere", "owner.nowhere", "pg_temp.nowhere",
            ])
        #expect(
            reached(snapshot, nil, "nowhere", path: nil).isSuperset(of: [
                "app.nowhere", "public.nowhere", "audit.nowhere", "pg_temp.nowhere",
            ]))
    }

    @Test func viewsReachWhatLiesUnderThem() throws {
        let snapshot = try snapshot()
        let below: Set = ["public.customers", "app.orders", "audit.sink"]
        #expect(reached(snapshot, "app", "summary") == below.union(["app.summary"]))
        #expect(reached(snapshot, "app", "deep") == below.union(["app.summary", "app.deep"]))
        #expect(reached(snapshot, "app", "kept") == below.union(["app.summary", "app.deep", "app.kept"]))
        #expect(reached(snapshot, "public", "customers") == ["public.customers"])
    }

    @Test func partitionsAndInheritanceReachBothWays() throws {
        let snapshot = try snapshot()
        let log: Set = ["audit.log", "audit.log_2024", "audit.log_2024_1"]
        for name in ["log", "log_2024", "log_2024_1"] { #expect(reached(snapshot, "audit", name) == log) }
        #expect(reached(snapshot, "audit", "child") == ["audit.base", "audit.child"])
        #expect(reached(snapshot, "audit", "base") == ["audit.base", "audit.child"])
    }

    @Test func columnsGoByTheirPlace() throws {
        let snapshot = try snapshot()
        let columns = try Self.prepared.get().session.session.describe("SELECT ssn AS x, name AS ssn FROM public.customers")
        let origins = columns.map { snapshot.columnOrigin(tableOID: $0.tableOID, attnum: $0.attnum) }
        #expect(origins.map { $0?.column } == ["ssn", "name"])
        #expect(origins[0]?.relation == Relation(schema: "public", name: "customers"))
        #expect(snapshot.columnOrigin(tableOID: columns[0].tableOID, attnum: 2) == nil)
        #expect(snapshot.columnOrigin(tableOID: columns[0].tableOID, attnum: -1) == nil)
        #expect(snapshot.columnOrigin(tableOID: 4_000_000_000, attnum: 1) == nil)
    }

    @Test func anAccountsOwnSearchPathCannotDeceiveTheReading() throws {
        let snapshot = try snapshot("tricked")
        #expect(snapshot.searchPath == ["evil", "pg_catalog", "app"])
        #expect(reached(snapshot, nil, "deep", path: snapshot.searchPath).contains("public.customers"))
        #expect(reached(snapshot, "audit", "log").count == 3)
    }

    @Test func schemasThatTheAccountCannotUseAreLookedBehind() throws {
        // The server passes over a schema without USAGE; the right may also come back at any time.
        let snapshot = try snapshot("tricked")
        #expect(reached(snapshot, nil, "log", path: ["audit", "app"]).contains("audit.log"))
        #expect(reached(snapshot, nil, "twin", path: ["audit", "app", "public"]) == ["audit.twin", "app.twin"])
        #expect(reached(try self.snapshot(), nil, "twin", path: ["audit", "app", "public"]) == ["audit.twin"])
    }

    @Test func resolversAnswerForPolicy() throws {
        let resolver = try snapshot().resolver(searchPath: ["app"])
        #expect(resolver.relations(reachedBy: QualifiedName(name: "customers")) == [Relation(schema: "app", name: "customers")])
        #expect(UnknownNames().relations(reachedBy: QualifiedName(name: "customers")) == nil)
    }

    @Test func tooLargeACatalogIsRefused() throws {
        let server = try Self.prepared.get().server
        let address = CatalogAddress(
            host: "127.0.0.1", port: server.port, database: "snapshots", user: "owner", password: CatalogServer.password,
            tls: UpstreamTLS(mode: .disable), timeout: .seconds(20))
        var bounds = CatalogReader.Bounds()
        bounds.relations = 10
        #expect(throws: CatalogError.self) {
            try CatalogReader.read(from: CatalogConnection(to: address), timeout: .seconds(20), bounds: bounds)
        }
    }
}

/// The reader of stored queries, without a server.
@Suite struct TargetCatalogViewDefinitionTests {
    private func read(_ text: String) -> ViewDefinition? {
        Array(text.utf8).withUnsafeBytes { ViewDefinition($0) }
    }

    private func item(_ number: Int, _ table: Int, _ column: Int, _ expression: String = "{VAR :varno 1 :varattno 2}", junk: Bool = false)
        -> String
    {
        "{TARGETENTRY :expr \(expression) :resno \(number) :resname x :ressortgroupref 0 :resorigtbl \(table) :resorigcol \(column) :resjunk \(junk)}"
    }

    private func query(_ items: [String], rtable: String = "<>") -> String {
        "({QUERY :commandType 1 :rtable \(rtable) :targetList (\(items.joined(separator: " "))) :setOperations <>})"
    }

    @Test func readsTheOutermostListAlone() {
        let inner = "({RTE :subquery {QUERY :targetList (\(item(1, 99, 9)))}})"
        let definition = read(query([item(1, 16384, 2), item(2, 0, 0), item(3, 16384, 0), item(4, 5, 5, junk: true)], rtable: inner))
        #expect(definition?.origins == [1: .column(ColumnID(table: 16384, attnum: 2)), 2: .computed, 3: .computed])
        #expect(definition?.usesWholeRow == false)
    }

    @Test func seesWholeRowsAndFunctionsAnywhere() {
        let definition = read(query([item(1, 0, 0, "{FUNCEXPR :funcid 3155 :args ({VAR :varno 1 :varattno 0})}")]))
        #expect(definition?.usesWholeRow == true)
        #expect(definition?.functions == [3155])
    }

    @Test func namesAndStringsDoNotConfuseIt() {
        let definition = read(query([item(1, 7, 3, "{CONST :name a\\{b\\}\\(\\ \\:varattno\\ 0 :text \"\\)\\)\" :constvalue 4 [ 0 1 ]}")]))
        #expect(definition?.origins == [1: .column(ColumnID(table: 7, attnum: 3))])
        #expect(definition?.usesWholeRow == false)
    }

    @Test func brokenTextIsNotRead() {
        let whole = query([item(1, 7, 3)])
        for length in 0..<whole.count { #expect(read(String(whole.prefix(length))) == nil) }
        #expect(read(whole + whole) == nil || read(whole + whole)?.origins.isEmpty == false)
        #expect(read("(<>)") == nil)
        #expect(read(")))") == nil)
        #expect(
            read("({QUERY :targetList ({TARGETENTRY :resno 99999999999 :resorigtbl 1 :resorigcol 1 :resjunk false})})")?.origins.isEmpty
                == true)
    }
}
