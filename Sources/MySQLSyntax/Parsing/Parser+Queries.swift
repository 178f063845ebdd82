extension Parser {
    /// A query with its WITH, order and limit.
    mutating func query() throws(Unparsed) -> Query {
        try enter()
        defer { depth -= 1 }
        let start = token.start
        guard accept(.with) else {
            let body = try body()
            return try ordered(Query(body: body, range: start..<lastEnd))
        }
        let (recursive, common) = try commonTableList()
        let inner = try body()
        var result = Query(body: inner, range: start..<lastEnd)
        result.isRecursive = recursive
        result.commonTables = common
        result = try ordered(result)
        commonTables.removeLast()
        return result
    }

    /// Behind WITH. The names that it defines stay known until ``commonTables`` loses its last.
    mutating func commonTableList() throws(Unparsed) -> (recursive: Bool, [Query.CommonTable]) {
        let recursive = accept(.recursive)
        var result: [Query.CommonTable] = []
        commonTables.append(recursive && server.isMariaDB ? namesAhead() : [])
        repeat {
            let name = try name()
            let columns = at(.leftParen) ? try parenthesisedNames() : []
            try expect(.as)
            if recursive { commonTables[commonTables.count - 1].insert(name.lowercased()) }
            try expect(.leftParen)
            let query = try query()
            try expect(.rightParen)
            if accept(.cycle) {
                _ = try names()
                try expect(.restrict)
            }
            commonTables[commonTables.count - 1].insert(name.lowercased())
            result.append(Query.CommonTable(name: name, columns: columns, query: query))
        } while accept(.comma)
        return (recursive, result)
    }

    /// In MariaDB the parts of a recursive WITH see each other: the names before `AS (` at this level.
    private func namesAhead() -> Set<String> {
        var found: Set<String> = []
        var nesting = 0
        var at = index
        var expectsName = true
        while at < tokens.count {
            let next = tokens[at]
            if nesting == 0, expectsName, isName(next) {
                found.insert(lowered(next))
                expectsName = false
            }
            if next.symbol == .leftParen { nesting += 1 }
            if next.symbol == .rightParen { nesting -= 1 }
            if nesting < 0 { break }
            if nesting == 0, next.symbol == .comma { expectsName = true }
            if nesting == 0, next.keyword == .select { break }
            at += 1
        }
        return found
    }

    func isCommonTable(_ name: TableName) -> Bool {
        name.database == nil && commonTables.contains { $0.contains(name.name.lowercased()) }
    }

    var atSetOperator: Bool { at(.union) || at(.except) || at(.intersect) }

    /// What may follow a query in parentheses that belongs to it.
    var atQueryTail: Bool { atSetOperator || at(.order) || at(.limit) || at(.offset) || at(.fetch) }

    mutating func queryTail(behind first: Query) throws(Unparsed) -> Query {
        let body = try setOperations(behind: .parenthesised(first))
        return try ordered(Query(body: body, range: first.range.lowerBound..<lastEnd))
    }

    private mutating func body() throws(Unparsed) -> Query.Body {
        try setOperations(behind: try bodyPart())
    }

    private mutating func setOperations(behind first: Query.Body) throws(Unparsed) -> Query.Body {
        var parts = [first]
        while atSetOperator {
            advance()
            _ = accept(any: [.all, .distinct])
            parts.append(try bodyPart())
        }
        return parts.count == 1 ? first : .set(parts)
    }

    private mutating func bodyPart() throws(Unparsed) -> Query.Body {
        if at(.leftParen) {
            try enter()
            advance()
            let inner = try query()
            try expect(.rightParen)
            depth -= 1
            return .parenthesised(inner)
        }
        if accept(.values) { return .values(try valueRows()) }
        if !server.isMariaDB, accept(.table) { return .table(try table(.read)) }
        return .select(try select())
    }

    mutating func valueRows() throws(Unparsed) -> [[Expression]] {
        var rows: [[Expression]] = []
        repeat {
            _ = accept(.row)
            try expect(.leftParen)
            rows.append(at(.rightParen) ? [] : try expressions())
            try expect(.rightParen)
        } while accept(.comma)
        return rows
    }

    /// ORDER BY, LIMIT, PROCEDURE, INTO and locks, in any order that a server takes and some more.
    private mutating func ordered(_ query: Query) throws(Unparsed) -> Query {
        var result = query
        if accept(.order) {
            try expect(.by)
            // Of one SELECT, the names are those of its block.
            if case .select(let select) = query.body { scopeStack.append(select.scope) }
            result.order = try orderList()
            if case .select = query.body { scopeStack.removeLast() }
        }
        if at(.limit) || at(.offset) || at(.fetch) {
            try limit()
            result.hasLimit = true
        }
        if accept(.procedure) { try procedureAnalyse() }
        if at(.into) { try into() }
        try locks()
        if at(.into) { try into() }
        result.range = query.range.lowerBound..<lastEnd
        return result
    }

    private mutating func procedureAnalyse() throws(Unparsed) {
        facts.functions.append(FunctionUse(schema: nil, name: lowered(token), offset: token.start))
        if !accept(.analyse) { _ = try name() }
        try expect(.leftParen)
        if !at(.rightParen) { _ = try expressions() }
        try expect(.rightParen)
    }

    mutating func limit() throws(Unparsed) {
        if accept(.limit), !accept(.rows, .examined) {
            try limitValue()
            if accept(.comma) || accept(.offset) { try limitValue() }
            if !accept(.rows, .examined) { return }
            return try limitValue()
        } else if tokens[index > 0 ? index - 1 : 0].keyword == .examined {
            return try limitValue()
        }
        if accept(.offset) {
            try limitValue()
            _ = accept(any: [.row, .rows])
        }
        if accept(.fetch) {
            guard accept(any: [.first, .next]) != nil else { throw fail("expected FIRST or NEXT") }
            if !at(.row), !at(.rows) { try limitValue() }
            guard accept(any: [.row, .rows]) != nil else { throw fail("expected ROWS") }
            if accept(.with) { try expect(.ties) } else { try expect(.only) }
        }
    }

    private mutating func limitValue() throws(Unparsed) {
        switch token.kind {
        case .integer, .hex, .bits, .parameter: advance()
        default: _ = try name()
        }
    }

    private mutating func locks() throws(Unparsed) {
        while at(.for) || at(.lock) {
            if accept(.lock) {
                try expect(.in)
                try expect(.share)
                try expect(.mode)
            } else {
                advance()
                guard accept(any: [.update, .share]) != nil else { throw fail("expected UPDATE or SHARE") }
                if !server.isMariaDB, accept(.of) { _ = try names() }
            }
            facts.flags.insert(.locksRows)
            if accept(.skip) {
                try expect(.locked)
            } else if at(.wait) {
                advance()
                try integer()
            } else {
                _ = accept(.nowait)
            }
        }
    }

    // MARK: - INTO

    private mutating func into() throws(Unparsed) {
        try expect(.into)
        facts.flags.insert(.movesData)
        if accept(.outfile) {
            facts.flags.insert(.writesFile)
            facts.files.append(try string())
            if accept(.character, .set) || accept(.charset) { try charset() }
            try fileFormat()
        } else if accept(.dumpfile) {
            facts.flags.insert(.writesFile)
            facts.files.append(try string())
        } else {
            repeat {
                if token.kind == .userVariable {
                    facts.variablesWritten.insert(spelled(token))
                    advance()
                } else {
                    // A variable of a stored routine; refused elsewhere.
                    _ = try name()
                }
            } while accept(.comma)
        }
    }

    /// FIELDS .. and LINES .. of a file.
    mutating func fileFormat() throws(Unparsed) {
        if accept(any: [.fields, .columns]) != nil {
            while true {
                if accept(.terminated) || accept(.enclosed) || accept(.escaped) {
                } else if accept(.optionally) {
                    try expect(.enclosed)
                } else {
                    break
                }
                try expect(.by)
                try string()
            }
        }
        if accept(.lines) {
            while accept(any: [.terminated, .starting]) != nil {
                try expect(.by)
                try string()
            }
        }
    }

    // MARK: - SELECT

    private static let selectOptions: Set<Keyword> = [
        .all, .distinct, .distinctrow, .highPriority, .straightJoin, .sqlSmallResult, .sqlBigResult, .sqlBufferResult, .sqlNoCache,
        .sqlCache, .sqlCalcFoundRows,
    ]

    private mutating func select() throws(Unparsed) -> Select {
        try expect(.select)
        let mine = scope
        scope += 1
        scopeStack.append(mine)
        defer { scopeStack.removeLast() }
        var result = Select(scope: mine)
        while let option = accept(any: Self.selectOptions) {
            if option == .distinct || option == .distinctrow { result.isDistinct = true }
        }
        repeat { result.items.append(try item()) } while accept(.comma)
        if at(.into) { try into() }
        if accept(.from) {
            try from(into: &result)
        }
        if accept(.where) { result.condition = try expression() }
        if accept(.group) {
            try expect(.by)
            result.groups = try orderList()
            if accept(.with) {
                guard accept(any: [.rollup, .cube]) != nil else { throw fail("expected ROLLUP") }
            }
        }
        if accept(.having) { result.having = try expression() }
        if at(.window), accept(.window) {
            repeat {
                _ = try name()
                try expect(.as)
                result.groups += try windowSpecification()
            } while accept(.comma)
        }
        return result
    }

    private mutating func item() throws(Unparsed) -> Select.Item {
        let start = token.start
        if accept(.star) {
            facts.flags.insert(.star)
            return Select.Item(expression: Expression(.star(qualifier: []), start..<lastEnd), alias: nil)
        }
        if let qualifier = starQualifier {
            for _ in 0..<(qualifier.count * 2 + 1) { advance() }
            facts.flags.insert(.star)
            return Select.Item(expression: Expression(.star(qualifier: qualifier), start..<lastEnd), alias: nil)
        }
        let expression = try expression()
        return Select.Item(expression: expression, alias: try itemAlias())
    }

    /// `t.*` and `db.t.*`
    private var starQualifier: [String]? {
        guard isName(token), peek(1).symbol == .dot else { return nil }
        if peek(2).symbol == .star { return [spelled(token)] }
        guard isName(peek(2)), peek(3).symbol == .dot, peek(4).symbol == .star else { return nil }
        return [spelled(token), spelled(peek(2))]
    }

    private mutating func itemAlias() throws(Unparsed) -> String? {
        if accept(.as) {
            guard token.kind == .string || atName else { throw fail("expected an alias") }
        } else if token.kind != .string && !atName {
            return nil
        }
        let alias = spelled(token)
        advance()
        return alias
    }

    var currentScope: Int { scopeStack.last ?? 0 }
}
