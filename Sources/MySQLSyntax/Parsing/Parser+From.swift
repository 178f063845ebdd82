extension Parser {
    /// Behind FROM: tables and joins.
    mutating func from(into select: inout Select) throws(Unparsed) {
        if accept(.dual) { return }
        repeat { try joined(into: &select) } while accept(.comma)
    }

    private mutating func joined(into select: inout Select) throws(Unparsed) {
        try factor(into: &select)
        while true {
            var natural = false
            if accept(.natural) {
                natural = true
                _ = accept(any: [.inner, .left, .right])
                _ = accept(.outer)
                if !accept(.straightJoin) { try expect(.join) }
            } else if accept(any: [.inner, .cross]) != nil {
                try expect(.join)
            } else if accept(any: [.left, .right]) != nil {
                _ = accept(.outer)
                try expect(.join)
            } else if !accept(.join), !accept(.straightJoin) {
                return
            }
            let first = select.from.count
            try factor(into: &select)
            if natural { for index in first..<select.from.count { select.from[index].isNatural = true } }
            // Several in a row close joins that were opened before: `a JOIN b JOIN c ON x ON y`.
            while (at(.on) && !isOnDuplicate) || at(.using) {
                if accept(.on) {
                    select.joinConditions.append(try expression())
                } else {
                    advance()
                    let names = try parenthesisedNames()
                    for index in first..<select.from.count {
                        select.from[index].isNatural = true
                        select.from[index].using += names
                    }
                    for name in names {
                        facts.columns.append(
                            ColumnUse(name: ColumnName(qualifier: [], name: name), scope: currentScope, offset: token.start))
                    }
                }
            }
        }
    }

    /// Of an INSERT .. SELECT.
    private var isOnDuplicate: Bool { peek(1).keyword == .duplicate && peek(2).keyword == .key }

    private mutating func factor(into select: inout Select) throws(Unparsed) {
        try enter()
        defer { depth -= 1 }
        if at(.leftParen) { return try parenthesisedFactor(into: &select) }
        if accept(.leftBrace) {
            guard lowered(token) == "oj" else { throw fail("expected OJ") }
            advance()
            try joined(into: &select)
            return try expect(.rightBrace)
        }
        if at(.lateral), peek(1).symbol == .leftParen, !server.isMariaDB {
            advance()
            let first = select.from.count
            try parenthesisedFactor(into: &select)
            for index in first..<select.from.count { select.from[index].isLateral = true }
            return
        }
        if at(.jsonTable), peek(1).symbol == .leftParen { return try jsonTable(into: &select) }
        let offset = token.start
        let name = try tableName()
        // A function of MySQL or MariaDB is none of those that stand here.
        guard !at(.leftParen) else { throw fail("a function as a table") }
        let isCommon = isCommonTable(name)
        if accept(.partition) { _ = try parenthesisedNames() }
        if at(.for), peek(1).keyword == .systemTime { try systemTime() }
        let alias = try tableAlias()
        let columns = alias != nil && at(.leftParen) && isCommon ? try parenthesisedNames() : []
        try indexHints()
        let source: FromItem.Source
        if isCommon {
            source = .common(name.name)
        } else {
            facts.tables.append(TableUse(name: name, alias: alias, access: .read, scope: currentScope, offset: offset))
            source = .table(facts.tables.count - 1)
        }
        select.from.append(FromItem(source: source, alias: alias, columns: columns))
    }

    /// A derived table, or joins in parentheses.
    private mutating func parenthesisedFactor(into select: inout Select) throws(Unparsed) {
        if parenthesesHoldQuery {
            let value = try parenthesised(asList: false)
            guard case .query(let query) = value.kind else { throw fail("expected a query") }
            return try derived(query, into: &select)
        }
        try expect(.leftParen)
        repeat { try joined(into: &select) } while accept(.comma)
        try expect(.rightParen)
    }

    /// Whether the parentheses that open here hold a query and nothing that joins it: `((SELECT 1) UNION (SELECT 2))`, but not
    /// `((SELECT 1) a JOIN b)`.
    private var parenthesesHoldQuery: Bool {
        var opens = 0
        while peek(opens).symbol == .leftParen { opens += 1 }
        guard [.select, .with, .values].contains(peek(opens).keyword) || (!server.isMariaDB && peek(opens).keyword == .table) else {
            return false
        }
        guard opens > 1 else { return true }
        // What follows the innermost parenthesis that closes.
        var nesting = 0
        var ahead = opens - 1
        while index + ahead < tokens.count {
            let next = peek(ahead)
            if next.symbol == .leftParen { nesting += 1 }
            if next.symbol == .rightParen { nesting -= 1 }
            ahead += 1
            if nesting == 0 { break }
        }
        let next = peek(ahead)
        if next.symbol == .rightParen {
            // Deeper ones all close together, or the next decides in the same way.
            return opens == 2 || !isName(peek(ahead + 1)) && peek(ahead + 1).keyword != .as
        }
        return [.union, .except, .intersect, .order, .limit].contains(next.keyword)
    }

    private mutating func derived(_ query: Query, into select: inout Select) throws(Unparsed) {
        if at(.for), peek(1).keyword == .systemTime { try systemTime() }
        let alias = try tableAlias()
        let columns = alias != nil && at(.leftParen) ? try parenthesisedNames() : []
        select.from.append(FromItem(source: .derived(query), alias: alias, columns: columns))
    }

    mutating func tableAlias() throws(Unparsed) -> String? {
        if accept(.as) { return try name() }
        guard atName, !at(.window), !(at(.for)) else { return nil }
        return try name()
    }

    private mutating func indexHints() throws(Unparsed) {
        while let _ = at(.use) || at(.force) || at(.ignore) ? token.keyword : nil {
            guard peek(1).keyword == .index || peek(1).keyword == .key else { return }
            advance()
            advance()
            if accept(.for) {
                if !accept(.join) {
                    guard accept(any: [.order, .group]) != nil else { throw fail("expected JOIN, ORDER BY or GROUP BY") }
                    try expect(.by)
                }
            }
            try expect(.leftParen)
            while !at(.rightParen) {
                if !accept(.primary) { _ = try name() }
                if !accept(.comma) { break }
            }
            try expect(.rightParen)
        }
    }

    /// FOR SYSTEM_TIME AS OF .. | BETWEEN .. AND .. | FROM .. TO .. | ALL | BEFORE ..
    mutating func systemTime() throws(Unparsed) {
        try expect(.for)
        try expect(.systemTime)
        if accept(.all) { return }
        if accept(.as) {
            try expect(.of)
            try point()
        } else if accept(.between) {
            try point()
            try expect(.and)
            try point()
        } else if accept(.from) {
            try point()
            try expect(.to)
            try point()
        } else {
            try expect(.before)
            try point()
        }
    }

    private mutating func point() throws(Unparsed) {
        if at(.timestamp), peek(1).kind != .string, peek(1).symbol != .leftParen { advance() }
        if at(.transaction) { advance() }
        _ = try bits(0)
    }

    // MARK: - JSON_TABLE

    private mutating func jsonTable(into select: inout Select) throws(Unparsed) {
        let offset = token.start
        advance()
        facts.functions.append(FunctionUse(schema: nil, name: "json_table", offset: offset))
        try expect(.leftParen)
        let document = try expression()
        try expect(.comma)
        try string()
        var columns: [String] = []
        try jsonColumns(into: &columns)
        try expect(.rightParen)
        let alias = try tableAlias()
        select.from.append(FromItem(source: .jsonTable(document, columns: columns), alias: alias))
    }

    private mutating func jsonColumns(into columns: inout [String]) throws(Unparsed) {
        try enter()
        defer { depth -= 1 }
        try expect(.columns)
        try expect(.leftParen)
        repeat {
            if at(.nested), peek(1).keyword == .path || peek(1).kind == .string {
                advance()
                _ = accept(.path)
                try string()
                try jsonColumns(into: &columns)
                continue
            }
            columns.append(try name())
            if accept(.for) {
                try expect(.ordinality)
                continue
            }
            try type()
            _ = accept(.exists)
            try expect(.path)
            try string()
            try onEmptyOrError()
        } while accept(.comma)
        try expect(.rightParen)
    }
}
