import GatehouseCore
import MySQLSyntax
import NIOCore

/// KILL of a thread: its number is one of the gateway's own, and stands for one of the server's.
struct KillRequest: Hashable, Sendable {
    /// The statement alone, not the connection.
    var isQuery: Bool
    var thread: UInt64
}

/// What a text does, in the words that policy knows.
struct MySQLFacts {
    var actions: [Action] = []
    /// The file that LOAD DATA LOCAL names.
    var localFile: [UInt8]?
    /// The text is a KILL of a number and nothing else.
    var kill: KillRequest?
    /// Where passwords stand in the text, in ascending order: recordings and approvers get none of them.
    var secrets: [Range<Int>] = []
}

/// Reads texts by `MySQLSyntax`, as the session's server would.
struct MySQLAnalyzer {
    private let limits: ParseLimits

    init(statementBytes: Int) {
        limits = ParseLimits(textBytes: statementBytes)
    }

    func analyze(_ text: ByteBuffer, _ state: MySQLSessionState) -> MySQLFacts {
        let bytes = Array(text.readableBytesView)
        guard state.readsUTF8 || !bytes.contains(where: { $0 >= 0x80 }) else {
            let words = "characters outside of ASCII in another character set than UTF-8"
            return MySQLFacts(actions: [Action.unparsed(because: words)], secrets: Self.suspected(in: bytes))
        }
        let parsed = ParsedText.parse(bytes, server: state.server, limits: limits)
        var facts = MySQLFacts()
        for statement in parsed.statements {
            facts.actions.append(ActionMaker(state: state).action(of: statement))
            facts.secrets += statement.secrets + Self.suspected(in: statement, bytes)
            if statement.flags.contains(.localFile) { facts.localFile = statement.files.first.map { Array($0.utf8) } }
        }
        if let failure = parsed.failure {
            facts.actions.append(Action.unparsed(because: failure.reason))
            facts.secrets = Self.suspected(in: bytes)
        }
        if facts.actions.isEmpty { facts.actions = [Action(kinds: ["empty"])] }
        if facts.actions.count > 1 {
            for index in facts.actions.indices { facts.actions[index].flags.insert(.multiStatement) }
            // What follows a change of how texts are read is read otherwise than it was here.
            if facts.actions.contains(where: { $0.settings.contains { Self.changesReading($0.name) } }) {
                for index in facts.actions.indices { facts.actions[index].flags.insert(.opaque) }
            }
        } else if parsed.failure == nil, let statement = parsed.statements.first {
            facts.kill = kill(statement, bytes)
        }
        return facts
    }

    /// Where passwords stand in a text that was not understood is not known: nothing is shown of one that speaks of them.
    private static func suspected(in bytes: [UInt8]) -> [Range<Int>] {
        let words = String(decoding: bytes, as: UTF8.self).lowercased()
        return words.contains("identified") || words.contains("password") ? [0..<bytes.count] : []
    }

    /// Accounts have many clauses: whatever constant stands behind a word that speaks of passwords may be one.
    private static func suspected(in statement: Statement, _ bytes: [UInt8]) -> [Range<Int>] {
        let about = statement.normalized.lowercased()
        let isAboutAccounts = statement.kinds.contains { kind in
            ["user", "password", "server"].contains { kind.contains($0) } || ["grant", "change", "start"].contains { kind.hasPrefix($0) }
        }
        guard isAboutAccounts, about.contains("identified") || about.contains("password"), statement.range.upperBound <= bytes.count else {
            return []
        }
        let text = bytes[statement.range].map { $0 | 0x20 }
        let places = ["identified", "password"].compactMap { text.firstRange(of: Array($0.utf8))?.lowerBound }
        guard let first = places.min() else { return statement.literals.map(\.range) }
        return statement.literals.map(\.range).filter { $0.lowerBound >= statement.range.lowerBound + first }
    }

    private static func changesReading(_ setting: String?) -> Bool {
        guard let setting else { return true }
        return ["sql_mode", "names", "character_set", "character_set_client"].contains(setting)
    }

    private func kill(_ statement: Statement, _ bytes: [UInt8]) -> KillRequest? {
        guard statement.kinds.contains(where: { $0 == "kill" || $0.hasPrefix("kill.") }), statement.literals.count == 1,
            let range = statement.literals.first?.range, range.upperBound <= bytes.count, range.upperBound == statement.range.upperBound,
            let number = UInt64(String(decoding: bytes[range], as: UTF8.self))
        else { return nil }
        return KillRequest(isQuery: statement.normalized.uppercased().contains(" QUERY "), thread: number)
    }
}

/// One statement's facts as an `Action`.
struct ActionMaker {
    let state: MySQLSessionState

    func action(of statement: Statement) -> Action {
        var action = Action(kinds: statement.kinds, normalized: statement.normalized)
        take(statement, into: &action)
        // What is prepared here runs sooner or later.
        for inner in statement.inner {
            action.kinds.formUnion(inner.kinds)
            take(inner, into: &action)
        }
        action.defines = statement.defines
        if statement.runs != nil {
            action.runs = statement.runs
            action.flags.insert(.opaque)
        }
        return action
    }

    private func take(_ statement: Statement, into action: inout Action) {
        action.objects += statement.tables.map { ObjectReference(name: name($0.name), access: access($0.access)) }
        // A database by itself stands for all that is in it.
        action.objects += statement.databases.map {
            ObjectReference(
                name: QualifiedName(schema: folded($0), name: "*"),
                access: statement.kinds.contains { $0.hasPrefix("create") || $0.hasPrefix("drop") || $0.hasPrefix("alter") }
                    ? .define : .read)
        }
        action.functions += statement.functions.map { QualifiedName(schema: $0.schema, name: $0.name) }
        action.functions += statement.routines.map { QualifiedName(schema: $0.database ?? state.database, name: $0.name.lowercased()) }
        action.columns.formUnion(statement.columns.map(\.name.name))
        action.settings += statement.settings.map { SettingChange(name: $0.name, value: $0.value, isLocal: $0.scope == .statement) }
        action.flags.formUnion(flags(of: statement))
    }

    private func name(_ table: TableName) -> QualifiedName {
        QualifiedName(schema: (table.database ?? state.database).map(folded), name: folded(table.name))
    }

    private func folded(_ name: String) -> String { state.lowercasesTables ? name.lowercased() : name }

    private func access(_ access: TableUse.Access) -> ObjectReference.Access {
        switch access {
        case .read, .maintain: .read
        case .write: .write
        case .define: .define
        }
    }

    private func flags(of statement: Statement) -> Action.Flags {
        var flags: Action.Flags = []
        let pairs: [(Statement.Flags, Action.Flags)] = [
            (.opaque, .opaque), (.writesFile, .copyFile), (.readsFile, .copyFile), (.controlsTransaction, .controlsTransaction),
            (.star, .innerStar), (.movesData, .movesData),
        ]
        for (found, flag) in pairs where statement.flags.contains(found) { flags.insert(flag) }
        let words = Set(statement.kinds.map { String($0.prefix { $0 != "." }) })
        // A LIMIT takes some rows, and nobody says which.
        if !words.isDisjoint(with: ["update", "delete"]), statement.condition == .missing || statement.condition == .constant {
            flags.insert(.unboundedWrite)
        }
        if !words.isDisjoint(with: ["create", "alter", "drop", "rename"]) { flags.insert(.changesSchema) }
        if words.contains("call") { flags.formUnion([.callsProcedure, .opaque]) }
        if statement.functions.contains(where: { $0.schema != nil || !MySQLFunctions.harmless.contains($0.name) }) {
            flags.insert(.callsUnknownFunction)
        }
        if let query = statement.query, Self.isUnbounded(query) { flags.insert(.unboundedRead) }
        return flags
    }

    /// A query over tables whose result may be all that is in one.
    private static func isUnbounded(_ query: Query) -> Bool {
        query.hasLimit ? false : isUnbounded(query.body)
    }

    private static func isUnbounded(_ body: Query.Body) -> Bool {
        switch body {
        case .table: return true
        case .parenthesised(let inner): return isUnbounded(inner)
        case .set(let bodies): return bodies.contains { isUnbounded($0) }
        case .values: return false
        case .select(let select):
            guard select.condition == nil, select.groups.isEmpty, select.joinConditions.isEmpty else { return false }
            let readsTable = select.from.contains { if case .table = $0.source { true } else { false } }
            return readsTable && !select.items.contains { MySQLFunctions.sums($0.expression) }
        }
    }
}

/// The server's own functions that read nothing but their arguments and the session, and change nothing.
enum MySQLFunctions {
    private static let aggregates: Set<String> = [
        "avg", "bit_and", "bit_or", "bit_xor", "count", "group_concat", "json_arrayagg", "json_objectagg", "max", "min", "std", "stddev",
        "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance", "any_value",
    ]

    static func sums(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .function(let use, let arguments):
            return use.schema == nil && aggregates.contains(use.name) || arguments.contains(where: sums)
        case .operation(_, let operands): return operands.contains(where: sums)
        default: return false
        }
    }

    static let harmless: Set<String> = aggregates.union(
        """
        abs acos adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 bin bin_to_uuid binary bit_count bit_length cast ceil ceiling
        char char_length character_length charset coalesce coercibility collation compress concat concat_ws connection_id conv convert
        convert_tz cos cot crc32 crc32c cume_dist curdate current_date current_role current_time current_timestamp current_user curtime database
        date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear default degrees dense_rank elt exp export_set
        extract field find_in_set first_value floor format format_bytes format_pico_time found_rows from_base64 from_days from_unixtime
        get_format greatest grouping hex hour if ifnull in inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4
        is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append json_array_insert json_compact json_contains
        json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys json_length json_loose
        json_merge json_merge_patch json_merge_preserve json_normalize json_object json_overlaps json_pretty json_query json_quote
        json_remove json_replace json_schema_valid json_search json_set json_storage_free json_storage_size json_table json_type
        json_unquote json_valid json_value lag last_day last_insert_id last_value lcase lead least left length ln localtime localtimestamp
        locate log log10 log2 lower lpad ltrim make_set makedate maketime md5 median microsecond mid minute mod month monthname name_const
        natural_sort_key now nth_value ntile nullif nvl nvl2 oct octet_length ord percent_rank percentile_cont percentile_disc period_add
        period_diff pi position pow power quarter quote radians rand random_bytes rank regexp_instr regexp_like regexp_replace
        regexp_substr repeat replace reverse right round row_count row_number rpad rtrim schema sec_to_time second session_user sformat
        sha sha1 sha2 sign sin soundex space sqrt st_area st_asbinary st_asgeojson st_astext st_buffer st_centroid st_contains st_crosses
        st_dimension st_disjoint st_distance st_distance_sphere st_envelope st_equals st_geometrytype st_geomfromgeojson st_geomfromtext
        st_geomfromwkb st_intersection st_intersects st_isempty st_isvalid st_length st_overlaps st_pointfromtext st_srid st_touches
        st_union st_within st_x st_y point linestring polygon geometrycollection multipoint str_to_date strcmp subdate substr substring
        substring_index subtime sysdate system_user tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64
        to_char to_days to_number to_seconds trim trim_oracle truncate ucase uncompress uncompressed_length unhex unix_timestamp upper user
        utc_date utc_time utc_timestamp uuid uuid_short uuid_to_bin validate_password_strength values value version week weekday
        weekofyear weight_string year yearweek
        """.split { $0 == " " || $0 == "\n" }.map(String.init))
}
