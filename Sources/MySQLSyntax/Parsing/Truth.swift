/// Whether a condition can keep a row out that another lets in.
enum Truth {
    /// It is the same for every row, or true of all but NULLs.
    static func isConstant(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .operation(.or, let parts): return parts.contains(where: isConstant)
        case .operation(.and, let parts): return parts.allSatisfy(isConstant)
        case .operation(.equal, let parts), .operation(.nullSafeEqual, let parts), .operation(.lessOrEqual, let parts),
            .operation(.greaterOrEqual, let parts):
            if parts.count == 2, isSame(parts[0], parts[1]) { return true }
        case .operation(.like, let parts):
            // Without a pattern: it matches everything (see the parser).
            if parts.count == 1 { return true }
        case .operation(.in, let parts):
            if parts.count == 2, case .row(let values) = parts[1].kind, values.contains(where: { isSame(parts[0], $0) }) { return true }
        case .operation(.between, let parts):
            if parts.count == 3, isSame(parts[0], parts[1]), isSame(parts[0], parts[2]) { return true }
        case .operation(.isTruth, let parts), .operation(.not, let parts):
            if parts.count == 1 { return isConstant(parts[0]) }
        default: break
        }
        return !dependsOnRow(expression)
    }

    private static func isSame(_ left: Expression, _ right: Expression) -> Bool {
        guard case .column(let first) = left.kind, case .column(let second) = right.kind else { return false }
        return first.name.lowercased() == second.name.lowercased()
            && (first.qualifier.isEmpty || second.qualifier.isEmpty || first.qualifier == second.qualifier)
    }

    static func dependsOnRow(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .column, .star: return true
        case .literal, .null, .parameter, .userVariable, .systemVariable: return false
        case .assignment(_, let value): return dependsOnRow(value)
        case .operation(_, let parts), .row(let parts): return parts.contains(where: dependsOnRow)
        case .function(let use, let parts): return use.schema != nil || parts.contains(where: dependsOnRow)
        case .query(let query), .exists(let query): return dependsOnRow(query)
        }
    }

    /// A subquery may look at the row from within its conditions.
    private static func dependsOnRow(_ query: Query) -> Bool {
        switch query.body {
        case .select(let select):
            return select.condition.map(dependsOnRow) ?? false || select.having.map(dependsOnRow) ?? false
                || (select.from.isEmpty ? select.items : []).contains { dependsOnRow($0.expression) }
        case .values(let rows): return rows.joined().contains(where: dependsOnRow)
        case .table: return false
        case .parenthesised(let inner): return dependsOnRow(inner)
        case .set(let parts): return parts.contains { dependsOnRow(Query(body: $0, range: query.range)) }
        }
    }
}
