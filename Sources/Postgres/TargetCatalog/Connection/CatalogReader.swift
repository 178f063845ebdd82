import GatehouseCore

/// Reads a target's catalog in one round trip, as it stood at one moment (REPEATABLE READ).
enum CatalogReader {
    /// The most that is read: a catalog beyond this would take the gateway's memory. Reading it fails then.
    struct Bounds: Sendable {
        var relations = 200_000
        var columns = 4_000_000
        var links = 4_000_000
        /// Stored queries of views, in all and each. Views beyond count as not readable.
        var viewBytes = 32 * 1_048_576
        var viewBytesEach = 1_048_576
    }

    static func read(from connection: CatalogConnection, timeout: Duration, bounds: Bounds = Bounds()) throws -> CatalogContent {
        var content = CatalogContent()
        var columns: [UInt32: [CatalogColumn]] = [:]
        var results = 0
        try connection.run(text(timeout: timeout, bounds: bounds), deadline: Deadline(after: timeout)) { place, result in
            guard let part = Part(rawValue: place) else { throw CatalogError("more results than were asked for") }
            results += 1
            try take(part, result, into: &content, columns: &columns, bounds: bounds)
        }
        guard results == Part.allCases.count else { throw CatalogError("fewer results than were asked for") }
        for index in content.relations.indices { content.relations[index].columns = columns[content.relations[index].oid] ?? [] }
        return content
    }

    // MARK: The questions

    private enum Part: Int, CaseIterable {
        case session, searchPath, schemas, relations, columns, inheritance, dependencies, code, textRunners, views, types, madeTypes
    }

    /// Everything before the SET is written so that no object of the account's own search path can be meant.
    private static func text(timeout: Duration, bounds: Bounds) -> String {
        let milliseconds = max(1, timeout.components.seconds.multipliedReportingOverflow(by: 1000).partialValue)
        return
            ([
                """
                BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
                SET LOCAL statement_timeout = \(milliseconds);
                SET LOCAL lock_timeout = \(milliseconds)
                """
            ] + [sql(.session, bounds), sql(.searchPath, bounds), "SET LOCAL search_path = pg_catalog"]
            + Part.allCases.dropFirst(2).map { sql($0, bounds) } + ["COMMIT"]).joined(separator: ";\n")
    }

    private static func sql(_ part: Part, _ bounds: Bounds) -> String {
        switch part {
        case .session:
            "SELECT pg_catalog.current_setting('server_version_num'), CURRENT_USER"
        case .searchPath:
            "SELECT s FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(true))) WITH ORDINALITY AS p(s, n)"
        case .schemas:
            "SELECT nspname, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE NOT starts_with(nspname, 'pg_toast') LIMIT \(bounds.relations + 1)"
        case .relations:
            """
            SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') LIMIT \(bounds.relations + 1)
            """
        case .columns:
            """
            SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attgenerated <> '' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attrelid, a.attnum LIMIT \(bounds.columns + 1)
            """
        case .inheritance:
            "SELECT inhrelid, inhparent FROM pg_inherits LIMIT \(bounds.links + 1)"
        case .dependencies:
            // 16384 is the first OID that initdb does not use (FirstNormalObjectId).
            """
            SELECT DISTINCT r.ev_class, d.refobjid, d.refobjsubid FROM pg_rewrite r
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE r.ev_class >= 16384 AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class LIMIT \(bounds.links + 1)
            """
        case .code:
            """
            SELECT DISTINCT r.ev_class FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE r.ev_class >= 16384 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) LIMIT \(bounds.links + 1)
            """
        case .textRunners:
            """
            SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN ('query_to_xml',
            'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'table_to_xml', 'table_to_xml_and_xmlschema', 'schema_to_xml',
            'schema_to_xml_and_xmlschema', 'database_to_xml', 'database_to_xml_and_xmlschema', 'cursor_to_xml', 'ts_stat', 'ts_rewrite',
            'pg_read_file', 'pg_read_binary_file', 'lo_get', 'loread', 'pg_logical_slot_get_changes', 'pg_logical_slot_peek_changes',
            'pg_logical_slot_get_binary_changes', 'pg_logical_slot_peek_binary_changes', 'pg_mcv_list_items')
            """
        case .views:
            """
            SELECT v.ev_class, v.query FROM (SELECT r.ev_class, r.ev_action::text AS query,
            sum(length(r.ev_action::text)) OVER (ORDER BY length(r.ev_action::text), r.ev_class) AS total FROM pg_rewrite r
            WHERE r.ev_class >= 16384 AND r.ev_type = '1' AND length(r.ev_action::text) <= \(bounds.viewBytesEach)) v
            WHERE v.total <= \(bounds.viewBytes)
            """
        case .types:
            """
            SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
            UNION ALL SELECT t.oid, 25 FROM pg_type t JOIN pg_proc p ON p.oid = t.typinput
            WHERE t.typname = 'citext' AND p.proname = 'citextin' LIMIT \(bounds.links + 1)
            """
        case .madeTypes:
            // The server's own are known to masking. Servers before 14 have no multiranges, nor a column for them.
            """
            SELECT a.oid, 'a', a.typelem, 0 FROM pg_type a JOIN pg_type e ON e.oid = a.typelem AND e.typarray = a.oid
            WHERE a.oid >= 16384 AND a.typdelim = ','
            UNION ALL SELECT rngtypid, 'r', rngsubtype, 0 FROM pg_range WHERE rngtypid >= 16384
            UNION ALL SELECT (to_jsonb(r) ->> 'rngmultitypid')::oid, 'm', rngsubtype, 0 FROM pg_range r
            WHERE rngtypid >= 16384 AND to_jsonb(r) ? 'rngmultitypid'
            UNION ALL SELECT c.reltype, 'c', a.atttypid, a.attnum FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind = 'c' AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 4 LIMIT \(bounds.links + 1)
            """
        }
    }

    // MARK: The answers

    private static func take(
        _ part: Part, _ result: CatalogResult, into content: inout CatalogContent, columns: inout [UInt32: [CatalogColumn]], bounds: Bounds
    ) throws {
        try check(part, result.rowCount, bounds)
        let rows = 0..<result.rowCount
        switch part {
        case .session:
            content.serverVersion = try result.number(0, 0)
            content.user = try result.text(0, 1)
        case .searchPath:
            content.searchPath = try rows.map { try result.text($0, 0) }
        case .schemas:
            content.schemas = try rows.map { try result.text($0, 0) }
            content.usableSchemas = try Set(rows.filter { try result.flag($0, 1) }.map { content.schemas[$0] })
        case .relations:
            content.relations = try rows.compactMap { try relation(result, $0) }
        case .columns:
            for row in rows {
                let column = CatalogColumn(
                    attnum: try result.number(row, 1), name: try result.text(row, 2), type: try result.number(row, 3),
                    isGenerated: try result.flag(row, 4))
                columns[try result.number(row, 0), default: []].append(column)
            }
        case .inheritance:
            content.inheritance = try rows.map { (child: try result.number($0, 0), parent: try result.number($0, 1)) }
        case .dependencies:
            content.dependencies = try rows.map { row in
                // attnum 0 is the relation as such; system columns are negative.
                let column = ColumnID(table: try result.number(row, 1), attnum: try result.number(row, 2))
                return (relation: try result.number(row, 0), on: column)
            }
        case .code:
            content.runningCode = try Set(rows.map { try result.number($0, 0) })
        case .textRunners:
            content.textRunners = try Set(rows.map { try result.number($0, 0) })
        case .views:
            for row in rows {
                guard let query = result.bytes(row, 1), let view = ViewDefinition(query) else { continue }
                content.views[try result.number(row, 0)] = view
            }
        case .types:
            for row in rows { content.valueTypes[try result.number(row, 0)] = try result.number(row, 1) }
        case .madeTypes:
            for row in rows {
                content.add(madeType: try result.number(row, 0), kind: try result.text(row, 1), of: try result.number(row, 2))
            }
        }
    }

    private static func relation(_ result: CatalogResult, _ row: Int) throws -> CatalogRelation? {
        guard let kind = result.bytes(row, 3)?.first.flatMap(CatalogRelation.Kind.init) else { return nil }
        let schema = CatalogContent.publicName(try result.text(row, 1))
        return CatalogRelation(
            oid: try result.number(row, 0), relation: Relation(schema: schema, name: try result.text(row, 2)), kind: kind)
    }

    private static func check(_ part: Part, _ count: Int, _ bounds: Bounds) throws {
        let bound =
            switch part {
            case .schemas, .relations: bounds.relations
            case .columns: bounds.columns
            default: bounds.links
            }
        guard count <= bound else { throw CatalogError("it is too large: more than \(bound) \(part)") }
        if part == .session, count != 1 { throw CatalogError("no answer about the session") }
    }
}
