internal import GatehouseCore

/// Whether the result of a query may be a table's whole content.
///
/// Bounded is a query with a WHERE that can be false, with a small LIMIT or one that is a parameter, or with an aggregate that
/// sums rows up (`count`, `sum`); also with GROUP BY, for that is what reports do. The server's own catalogs do not count, nor
/// do functions in FROM, of whose size nothing is known.
extension Walker {
    /// A LIMIT above this is none.
    private static let largestLimit = 10_000

    /// Aggregates that make one value of many rows without keeping them.
    private static let summing: Set<String> = [
        "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor", "stddev", "stddev_pop",
        "stddev_samp", "variance", "var_pop", "var_samp", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count",
        "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "percentile_cont", "percentile_disc", "mode",
    ]
    /// Aggregates whose one value holds every row.
    private static let gathering: Set<String> = [
        "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_agg_strict", "jsonb_agg_strict", "json_object_agg", "jsonb_object_agg",
        "json_object_agg_unique", "jsonb_object_agg_unique", "json_object_agg_strict", "jsonb_object_agg_strict", "xmlagg",
        "json_object_agg_unique_strict", "jsonb_object_agg_unique_strict", "json_arrayagg", "json_objectagg",
    ]

    /// - Parameter queries: Whether each common table expression in scope is unbounded itself.
    mutating func isUnbounded(_ select: Message, _ queries: [String: Bool] = [:]) throws -> Bool {
        var queries = queries
        if let with = try select.message(Fields.Select.with) {
            for query in try with.messages(Fields.With.queries) {
                let name = try query.text(Fields.With.name) ?? ""
                // What it says of itself adds nothing to its first part.
                queries[name] = false
                if let inner = try query.message(Fields.With.query) { queries[name] = try returnsAll(inner, queries) }
            }
        }
        let isUnlimited: Bool
        switch Schema.enumName("SetOperation", try select.number(Fields.Select.operation), dropping: "SETOP_") {
        case "union": isUnlimited = try arm(select, Fields.Select.left, queries) || arm(select, Fields.Select.right, queries)
        case "except": isUnlimited = try arm(select, Fields.Select.left, queries)
        case "intersect": isUnlimited = try arm(select, Fields.Select.left, queries) && arm(select, Fields.Select.right, queries)
        default: isUnlimited = try readsAll(select, queries)
        }
        // Asked last, for looking at a number ties the facts to it.
        return try isUnlimited && !isLimited(select)
    }

    /// The same of any statement that gives rows: of a write, its RETURNING.
    mutating func returnsAll(_ node: Message, _ queries: [String: Bool] = [:]) throws -> Bool {
        switch node.kind {
        case .select: return try isUnbounded(node, queries)
        case .insert:
            guard try node.has(Fields.Insert.returning), let source = try node.message(Fields.Insert.query) else { return false }
            return try isUnbounded(source, queries)
        case .update:
            guard try node.has(Fields.Update.returning) else { return false }
            return try node.message(Fields.Update.condition).map { try truth(of: $0).canHoldForAll } ?? true
        case .delete:
            guard try node.has(Fields.Delete.returning) else { return false }
            return try node.message(Fields.Delete.condition).map { try truth(of: $0).canHoldForAll } ?? true
        default: return false
        }
    }

    /// Notes what the outermost statement gives its client.
    mutating func noteBound(_ node: Message) throws {
        if sendsRows, facts.effect == .runs, try returnsAll(node) { facts.flags.insert(.unboundedRead) }
    }

    private mutating func arm(_ select: Message, _ field: Int, _ queries: [String: Bool]) throws -> Bool {
        try select.message(field).map { try isUnbounded($0, queries) } ?? false
    }

    private mutating func readsAll(_ select: Message, _ queries: [String: Bool]) throws -> Bool {
        guard try fromIsUnbounded(select, queries) else { return false }
        if let condition = try select.message(Fields.Select.condition), try !truth(of: condition).canHoldForAll { return false }
        var found = Aggregates()
        for item in try select.messages(Fields.Select.targets) { try aggregates(item, &found) }
        return found.gathers || !found.sums
    }

    private mutating func fromIsUnbounded(_ select: Message, _ queries: [String: Bool]) throws -> Bool {
        for item in try select.messages(Fields.Select.from) where try isUnbounded(from: item, queries) { return true }
        return false
    }

    private mutating func isUnbounded(from item: Message, _ queries: [String: Bool]) throws -> Bool {
        switch item.kind {
        case .rangeVar:
            let name = try item.text(Fields.RangeVar.name) ?? ""
            let schema = try item.text(Fields.RangeVar.schema) ?? ""
            if schema.isEmpty, let known = queries[name] { return known }
            return !(["pg_catalog", "information_schema"].contains(schema) || schema.isEmpty && name.hasPrefix("pg_"))
        case .joinExpression:
            for field in [Fields.Range.left, Fields.Range.right] {
                if let side = try item.message(field), try isUnbounded(from: side, queries) { return true }
            }
            return false
        case .rangeSubselect:
            return try item.message(Fields.Range.subquery).map { try isUnbounded($0, queries) } ?? false
        case .rangeTableSample:
            return try item.message(Fields.Range.sampled).map { try isUnbounded(from: $0, queries) } ?? false
        default: return false
        }
    }

    private mutating func isLimited(_ select: Message) throws -> Bool {
        guard var limit = try select.message(Fields.Select.limit) else { return false }
        while limit.kind == .typeCast, let inner = try limit.message(Fields.Expression.castArgument) { limit = inner }
        if limit.kind == .parameter { return true }
        guard limit.kind == .constant else { return false }
        facts.readLiteral = true
        // libpg_query leaves a zero out.
        guard let integer = try limit.message(Fields.Constant.integer) else { return false }
        return (0...Self.largestLimit).contains(try integer.number(Fields.Constant.integerValue))
    }

    private struct Aggregates {
        var sums = false
        var gathers = false
    }

    /// Those of this query alone: what is inside of a sub-select belongs to that.
    private func aggregates(_ node: Message, _ found: inout Aggregates) throws {
        if node.kind == .subLink { return }
        if node.kind == .functionCall, let name = qualified(try strings(try node.messages(Fields.Call.name))) {
            if Self.gathering.contains(name.name) { found.gathers = true }
            // Over a window it is told for every row.
            if try Self.summing.contains(name.name) && !node.has(Fields.Call.over) { found.sums = true }
        }
        if node.info.name == "JsonArrayAgg" || node.info.name == "JsonObjectAgg" { found.gathers = true }
        var inside = found
        try node.children { _, child in try aggregates(child, &inside) }
        found = inside
    }

    /// A sub-select whose one value holds a table: `(SELECT json_agg(t) FROM t)`, `ARRAY(SELECT a FROM t)`.
    mutating func noteGathering(_ select: Message, isArray: Bool) throws {
        guard facts.effect == .runs, select.kind == .select else { return }
        var found = Aggregates()
        for item in try select.messages(Fields.Select.targets) { try aggregates(item, &found) }
        guard isArray || found.gathers else { return }
        let names = commonTables.filter { $0.value > 0 }.mapValues { _ in true }
        if try isUnbounded(select, names) { facts.flags.insert(.unboundedRead) }
    }
}
