import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// Statements that would lead masked values out, errors that may quote them, and COPY.
@Suite struct TargetCatalogStatementTests {
    private let context = StatementContext(searchPath: ["public"])

    private func object(_ name: String, _ access: ObjectReference.Access = .read) -> ObjectReference {
        ObjectReference(name: QualifiedName(name: name), access: access)
    }

    private func planner() throws -> MaskPlanner { try MaskedDatabase.shared.get().planner }

    // MARK: Refusals

    @Test func copiesOfMaskedRowsAreRefused() throws {
        let planner = try planner()
        func refusal(_ kinds: Set<String>, _ objects: [ObjectReference], _ flags: Action.Flags, _ columns: Set<String> = []) -> String? {
            planner.refusal(of: Action(kinds: kinds, objects: objects, columns: columns, flags: flags), in: context)
        }
        #expect(refusal(["create.table_as"], [object("x", .define), object("customers")], [.movesData, .changesSchema]) != nil)
        #expect(refusal(["insert"], [object("orders", .write), object("customers")], .movesData) != nil)
        #expect(refusal(["insert"], [object("orders", .write), object("plain")], .movesData) != nil)
        #expect(refusal(["insert"], [object("orders", .write), object("unheard_of")], .movesData) != nil)
        #expect(refusal(["copy.to"], [object("customers")], .copyFile) != nil)
        #expect(refusal(["insert"], [object("customers", .write), object("orders")], .movesData) == nil)
        #expect(refusal(["insert"], [object("orders", .write), object("untouched")], .movesData) == nil)
        #expect(refusal(["create.table_as"], [object("x", .define), object("orders")], [.movesData, .changesSchema]) == nil)
    }

    @Test func writesThatMayUseAMaskedColumnAreRefused() throws {
        let planner = try planner()
        func refusal(_ kinds: Set<String>, _ objects: [ObjectReference], _ columns: Set<String>, _ flags: Action.Flags = []) -> String? {
            planner.refusal(of: Action(kinds: kinds, objects: objects, columns: columns, flags: flags), in: context)
        }
        #expect(refusal(["update"], [object("customers", .write)], ["name", "ssn"]) != nil)
        #expect(refusal(["insert", "update"], [object("customers", .write)], ["name", "ssn"]) != nil)
        #expect(refusal(["merge"], [object("orders", .write), object("customers")], ["note", "ssn"]) != nil)
        #expect(refusal(["update"], [object("orders", .write), object("customers")], ["note"], .innerStar) != nil)
        #expect(refusal(["update"], [object("orders", .write)], ["note"], .callsUnknownFunction) != nil)
        #expect(refusal(["update"], [object("customers", .write)], ["name", "id"]) == nil)
        #expect(refusal(["insert"], [object("customers", .write)], ["id", "ssn"]) == nil)
        #expect(refusal(["delete"], [object("customers", .write)], ["ssn"]) == nil)
        #expect(refusal(["update"], [object("orders", .write)], ["note"]) == nil)
    }

    @Test func changesOfTheSchemaAroundMaskedColumnsAreRefused() throws {
        let planner = try planner()
        func refusal(_ kinds: Set<String>, _ objects: [ObjectReference], _ flags: Action.Flags = []) -> String? {
            planner.refusal(of: Action(kinds: kinds, objects: objects, flags: flags.union(.changesSchema)), in: context)
        }
        #expect(refusal(["alter.table"], [object("customers", .define)]) != nil)
        #expect(refusal(["create.view"], [object("v", .define), object("plain")]) != nil)
        #expect(refusal(["create.table"], [object("x", .define), object("masked_child")]) != nil)
        #expect(refusal(["alter.table"], [object("parts", .define)]) != nil)
        #expect(refusal(["create.function"], []) != nil)
        #expect(refusal(["create.trigger"], [object("orders", .define)]) != nil)
        #expect(refusal(["alter.schema"], []) != nil)
        #expect(refusal(["alter.table"], [object("orders", .define)], .callsUnknownFunction) != nil)
        #expect(refusal(["drop.table"], [object("customers", .define)]) == nil)
        #expect(refusal(["create.table"], [object("fresh", .define)]) == nil)
        #expect(refusal(["create.view"], [object("v", .define), object("orders")]) == nil)
        #expect(refusal(["alter.table"], [object("orders", .define)]) == nil)
    }

    @Test func sideDoorsOfTheServersOwnFunctionsAreRefused() throws {
        let planner = try planner()
        func refusal(_ function: String, _ columns: Set<String>) -> String? {
            let action = Action(
                kinds: ["select"], objects: [object("customers")], functions: [QualifiedName(name: function)], columns: columns)
            return planner.refusal(of: action, in: context)
        }
        for function in ["set_config", "pg_notify", "setval", "pg_advisory_lock", "lo_from_bytea"] {
            #expect(refusal(function, ["ssn"]) != nil)
            #expect(refusal(function, ["name"]) == nil)
        }
        #expect(refusal("upper", ["ssn"]) == nil)
    }

    @Test func inAnOpenTransactionOnesOwnTablesCanBeFilled() throws {
        let planner = try planner()
        let changed = StatementContext(searchPath: ["public"], schemaChanged: true)
        let insert = Action(kinds: ["insert"], objects: [object("fresh", .write)], columns: ["id"])
        #expect(planner.refusal(of: insert, in: changed) == nil)
        let copy = Action(kinds: ["insert"], objects: [object("fresh", .write), object("customers")], flags: .movesData)
        #expect(planner.refusal(of: copy, in: changed) != nil)
    }

    // MARK: Errors

    @Test func errorsThatMayQuoteAValueAreToldApart() throws {
        let planner = try planner()
        func echoes(_ objects: [ObjectReference], _ flags: Action.Flags = []) -> Bool {
            planner.mayEchoMasked(Action(kinds: ["select"], objects: objects, flags: flags), in: context)
        }
        #expect(echoes([object("customers")]))
        #expect(echoes([object("filtered")]), "the view's own condition may fail on a value")
        #expect(echoes([object("parent")]), "the rows of children that have one pass through it")
        #expect(!echoes([object("orders")]))
        #expect(!echoes([]))
        #expect(echoes([], .opaque))
        for state in ["42P01", "42601", "40001", "57014", "53300"] { #expect(MaskPlanner.isSafe(sqlState: state)) }
        for state in ["22P02", "23505", "23514", "P0001", "XX000", "01000", "00000", "", "2"] {
            #expect(!MaskPlanner.isSafe(sqlState: state))
        }
    }

    @Test func conditionsOnMaskedColumnsAreTold() throws {
        let planner = try planner()
        let probe = Action(kinds: ["select"], objects: [object("customers")], columns: ["name", "ssn"])
        #expect(planner.mayUseMasked(probe, in: context))
        #expect(!planner.mayUseMasked(Action(kinds: ["select"], objects: [object("customers")], columns: ["name"]), in: context))
    }

    // MARK: COPY

    private func copyPlan(_ table: String, _ columns: [String]?, path: [String]? = ["public"]) throws -> CopyPlan {
        try planner().planCopy(of: QualifiedName(name: table), columns: columns, format: .text, in: StatementContext(searchPath: path))
    }

    @Test func copyPlansFollowTheColumnsThatAreSent() throws {
        guard case .mask(let whole, let decisions) = try copyPlan("customers", nil) else { return #expect(Bool(false), "not masked") }
        #expect(decisions.map(MaskedDatabase.word) == ["pass", "pass", "ssn", "pass", "card", "pass", "other"])
        #expect(whole.map { $0?.shape } == [nil, nil, .scalar(25), nil, .scalar(1042), nil, .scalar(3802)])
        guard case .mask(_, let listed) = try copyPlan("customers", ["ssn", "id"]) else { return #expect(Bool(false), "not masked") }
        #expect(listed.map(MaskedDatabase.word) == ["ssn", "pass"])
        #expect(try copyPlan("customers", ["id", "name"]) == .pass)
        #expect(try copyPlan("orders", nil) == .pass)
        // Generated columns are not sent; a domain is masked as its base type.
        guard case .mask(let typed, _) = try copyPlan("typed", nil) else { return #expect(Bool(false), "not masked") }
        #expect(typed.map { $0?.shape } == [.scalar(23), .scalar(1043), .scalar(1043), typed[3]?.shape, .scalar(25)])
    }

    @Test func copiesThatCannotBeMaskedAreDenied() throws {
        func isDenied(_ plan: CopyPlan) -> Bool { if case .deny = plan { true } else { false } }
        #expect(isDenied(try copyPlan("customers", ["no_such"])))
        #expect(isDenied(try copyPlan("unheard_of", nil)))
        let planner = try planner()
        let changed = StatementContext(searchPath: ["public"], schemaChanged: true)
        #expect(isDenied(planner.planCopy(of: QualifiedName(name: "customers"), columns: nil, format: .text, in: changed)))
        func query(_ name: String, _ flags: Action.Flags = []) -> CopyPlan {
            planner.planCopy(ofQuery: Action(kinds: ["copy.to", "select"], objects: [object(name)], flags: flags), in: context)
        }
        #expect(isDenied(query("customers")) && isDenied(query("plain")) && isDenied(query("unheard_of")))
        #expect(isDenied(query("orders", .callsUnknownFunction)))
        #expect(query("orders") == .pass && query("untouched") == .pass)
    }

    /// The real server's COPY data, masked, is what the same server reads back as the column's type.
    @Test(arguments: [
        ("FORMAT text", CopyOptions()), ("FORMAT text, DELIMITER '*', HEADER", CopyOptions(delimiter: UInt8(ascii: "*"), header: true)),
        ("FORMAT csv", CopyOptions(format: .csv)), ("FORMAT csv, HEADER, FORCE_QUOTE *", CopyOptions(format: .csv, header: true)),
        (
            "FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '!', NULL 'none'",
            CopyOptions(
                format: .csv, delimiter: UInt8(ascii: ";"), null: Array("none".utf8), quote: UInt8(ascii: "'"), escape: UInt8(ascii: "!"))
        ), ("FORMAT binary", CopyOptions(format: .binary)),
    ])
    func maskedCopiesAreReadBack(with: String, options: CopyOptions?) throws {
        let options = try #require(options)
        let key = try #require(MaskKey(bytes: Array("a key of the copy tests".utf8)))
        try MaskedDatabase.shared.get().alone { session, _ in
            try session.run(
                """
                CREATE TEMP TABLE source(id int, t text, v varchar, c char(40), n int, d timestamptz, u uuid, j json, b jsonb, x xml, y bytea, a text[], last text);
                INSERT INTO source VALUES (1, E'a\\tb\\nc\\\\d,"e";''f!*g', '123456789012', '123456789012', 7, now(), gen_random_uuid(), '{"a": 1}',
                    '{"b": [1]}', '<r>t</r>', '\\x00ff5c22', '{a,b}', 'end'), (2, '', '', '', 0, NULL, NULL, '1', '2', '', '', '{}', ''),
                    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
                CREATE TEMP TABLE sink(LIKE source)
                """)
            defer { try? session.run("DROP TABLE source, sink") }
            let types = try session.describe("SELECT * FROM source").map(\.typeOID)
            let chunks = try session.copyOut("COPY source TO STDOUT WITH (\(with))")
            for strategy in [MaskStrategy.redact, .partial, .hash(key), .null] {
                let columns = types.enumerated().map { index, type -> ColumnMask? in
                    index == 0 || index == types.count - 1 ? nil : ColumnMask(type: type, format: .text, strategy: strategy)
                }
                var mask = CopyMask(options: options, columns: columns)
                var output = ByteBuffer()
                for chunk in chunks { _ = try mask.feed(ByteBuffer(bytes: chunk).readableBytesView, into: &output) }
                try mask.finish()
                try session.run("TRUNCATE sink")
                try session.copyIn(
                    "COPY sink FROM STDIN WITH (\(with.replacing(", FORCE_QUOTE *", with: "")))", Array(output.readableBytesView))
                #expect(
                    try session.value("SELECT count(*) FROM sink k JOIN source s USING (id) WHERE k.last IS NOT DISTINCT FROM s.last")
                        == "3")
                let third = "SELECT num_nulls(t, v, c, n, d, u, j, b, x, y, a) FROM sink WHERE id = "
                #expect(try session.value(third + "3") == "11")
                #expect(try session.value(third + "2") == (strategy == .null ? "11" : strategy == .partial ? "3" : "2"))
                if case .hash = strategy {
                    // The same value has the same replacement, whatever the format.
                    let digest = try session.value("SELECT t FROM sink WHERE id = 1")
                    #expect(digest?.utf8.count == 32)
                    #expect(try session.value("SELECT u IS NOT NULL FROM sink WHERE id = 1") == "t")
                }
                #expect(try session.value("SELECT count(*) FROM sink s JOIN source USING (id, t)") == "0")
            }
        }
    }

    /// Every common type, in both formats: what the mask makes of a real value is accepted back as that type's input.
    @Test(arguments: [
        "'some text'::text", "'x'::varchar(10)", "'pad'::char(12)", "'n'::name", "'c'::\"char\"", "1::int2", "1::int4", "1::int8",
        "1.5::numeric",
        "1.5::float4", "1.5::float8", "true", "now()", "now()::timestamp", "current_date", "localtime", "'12:00+02'::timetz",
        "'1 day'::interval",
        "gen_random_uuid()", "'{\"a\":1}'::json", "'{\"a\":1}'::jsonb", "'<a/>'::xml", "'\\x00ff'::bytea", "'{a,b}'::text[]",
        "'{1,2}'::int[]",
        "'10.0.0.1'::inet", "'10.0.0.0/8'::cidr", "'08:00:2b:01:02:03'::macaddr", "'1.5'::money", "'[1,3)'::int4range",
        "'{[1,3)}'::int4multirange",
        "'(1,2)'::point", "'101'::bit(3)", "'101'::varbit", "'a b'::tsvector", "'a & b'::tsquery", "'0/1'::pg_lsn", "'1'::oid",
        "'happy'::mood",
        "'d'::short", "'dd'::shorter", "'$.a'::jsonpath", "ROW(1, 2, 'x')::orders",
        "12345.678::numeric", "'-987654321.5'::numeric", "'NaN'::numeric", "'Infinity'::numeric", "0.00012345::numeric", "1e20::numeric",
        "'infinity'::date", "'-infinity'::timestamp", "'infinity'::timestamptz", "'0044-03-15 BC'::date",
        "'2024-02-29 12:34:56.789'::timestamptz",
        "'4713-01-01 BC'::date", "'294276-12-31'::timestamp", "'NaN'::float8", "'-Infinity'::float4", "1e300::float8", "'-32768'::int2",
        "9223372036854775807::int8", "'::1'::inet", "'fe80::1/64'::inet", "'08:00:2b:01:02:03:04:05'::macaddr8", "''::text",
        "'[0:1][2:3]={{a b,NULL},{\"q\\\"\",NULLS}}'::text[]", "'{}'::int[]", "ARRAY[1.5, NULL, 12345]::numeric[]",
        "ARRAY['2024-01-01'::date, 'infinity']", "ARRAY['{\"a\":[1,\"x\"]}'::jsonb, 'null']", "ARRAY[true, NULL]", "ARRAY['\\x00'::bytea]",
        "'empty'::numrange", "'(,100.5]'::numrange", "'[2024-01-01,2024-02-01)'::daterange",
        "'[\"2024-01-01 10:00\",)'::tstzrange", "'{[2024-01-01,2024-02-01),[2024-03-01,2024-04-01)}'::datemultirange",
        "'{}'::int8multirange",
        "ARRAY['[1,5)'::int4range]", #"'{"a":{"b":[1.50,-2e3,"\u00e9\n\"",true,null,"2024-05-06"]},"1":2}'::json"#,
        "'[]'::jsonb", "'\"top\"'::jsonb", "'7'::jsonb",
    ])
    func maskedValuesAreAcceptedBack(expression: String) throws {
        let key = try #require(MaskKey(bytes: Array("a key of the type tests".utf8)))
        let step = try #require(RoundingStep("100"))
        let strategies: [MaskStrategy] = [
            .redact, .partial, .hash(key), .null, .token(key), .dateShift(key, within: 30), .round(step),
            .partially(PartialShape(first: 1, last: 2, character: 0x22)), .partially(PartialShape(character: 0x5C, keepsDomain: true)),
        ]
        let database = try MaskedDatabase.shared.get()
        try database.alone { session, planner in
            let type = try #require(try session.value("SELECT pg_typeof(\(expression))::text"))
            var seen: [[String?]] = []
            for format in [ValueFormat.text, .binary] {
                let (columns, rows) = try session.query("SELECT \(expression)", format: format)
                let (column, value) = (try #require(columns.first), try #require(rows.first?.first ?? nil))
                var answers: [String?] = []
                for strategy in strategies {
                    var output = ByteBuffer()
                    let mask = ColumnMask(shape: planner.snapshot.shape(of: column.typeOID), format: format, strategy: strategy)
                    let outcome = value.withUnsafeBytes { ValueMask.apply($0, by: mask, into: &output) }
                    let replacement = outcome == .replaced ? Array(output.readableBytesView) : nil
                    if replacement == value {
                        #expect(Self.mayStay(expression, strategy), "\(strategy) \(String(decoding: value, as: UTF8.self))")
                    }
                    answers.append(
                        try session.accept(replacement, type: column.typeOID, format: format, in: "SELECT ($1::\(type))::text"))
                }
                seen.append(answers)
            }
            // What one format shows, the other shows too; json keeps its blanks in text alone.
            let isAnother = ["now()", "local", "random"].contains { expression.contains($0) }
            for (strategy, (text, binary)) in zip(strategies, zip(seen[0], seen[1])) where !isAnother {
                #expect(text == binary, "\(expression) \(strategy)")
            }
        }
    }

    /// Values that say nothing, and those that are as masked as they can be.
    private static func mayStay(_ expression: String, _ strategy: MaskStrategy) -> Bool {
        let isEmpty = ["''", "'{}'", "'empty'", "'[]'", "finity'", "'NaN'"].contains { expression.contains($0) }
        switch strategy {
        case .token: return isEmpty || expression.utf8.count < 20
        // A multiple already.
        case .round: return isEmpty || expression.hasPrefix("1e")
        default: return isEmpty
        }
    }

    @Test func madeTypesAreLookedInto() throws {
        let key = try #require(MaskKey(bytes: Array("a key of the type tests".utf8)))
        try MaskedDatabase.shared.get().alone { session, planner in
            let expressions = [
                "ROW(7, 'a \"b\", c', ARRAY['secret one', NULL], '2024-01-01')::made_pair", "ARRAY[ROW(7, '', NULL, NULL)::made_pair]",
                "'[1.5,2.5)'::made_range", "ARRAY['happy'::mood]",
            ]
            for expression in expressions {
                let type = try #require(try session.value("SELECT pg_typeof(\(expression))::text"))
                for strategy in [MaskStrategy.redact, .hash(key), .token(key), .dateShift(key, within: 9)] {
                    var answers: [String?] = []
                    for format in [ValueFormat.text, .binary] {
                        let (columns, rows) = try session.query("SELECT \(expression)", format: format)
                        let (column, value) = (try #require(columns.first), try #require(rows.first?.first ?? nil))
                        let mask = ColumnMask(shape: planner.snapshot.shape(of: column.typeOID), format: format, strategy: strategy)
                        var output = ByteBuffer()
                        let outcome = value.withUnsafeBytes { ValueMask.apply($0, by: mask, into: &output) }
                        let replacement = outcome == .replaced ? Array(output.readableBytesView) : nil
                        #expect(replacement.map { !String(decoding: $0, as: UTF8.self).contains("secret") } ?? true)
                        answers.append(
                            try session.accept(replacement, type: column.typeOID, format: format, in: "SELECT ($1::\(type))::text"))
                    }
                    #expect(answers[0] == answers[1], "\(expression) \(strategy)")
                    #expect(answers[0] != nil || expression.contains("made_range"), "\(expression) \(strategy)")
                }
            }
        }
    }
}
