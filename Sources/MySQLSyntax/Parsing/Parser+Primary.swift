extension Parser {
    mutating func primary() throws(Unparsed) -> Expression {
        let start = token.start
        switch token.kind {
        case .string, .nationalString:
            while token.kind == .string || token.kind == .nationalString { advance() }
            return Expression(.literal, start..<lastEnd)
        case .hex, .bits, .integer, .decimal, .float:
            advance()
            return Expression(.literal, start..<lastEnd)
        case .null:
            advance()
            return Expression(.null, start..<lastEnd)
        case .parameter:
            advance()
            return Expression(.parameter, start..<lastEnd)
        case .userVariable: return try userVariable()
        case .doubleAt: return try systemVariable()
        case .symbol: return try symbolPrimary()
        case .name, .quotedName: return try columnOrCall()
        case .word: return try wordPrimary()
        case .end: throw fail("the text ends within an expression")
        }
    }

    private mutating func userVariable() throws(Unparsed) -> Expression {
        let start = token.start
        let name = spelled(token)
        advance()
        guard accept(.assign) else {
            facts.variablesRead.insert(name)
            return Expression(.userVariable(name), start..<lastEnd)
        }
        facts.variablesWritten.insert(name)
        let value = try expression()
        return Expression(.assignment(name, value), start..<lastEnd)
    }

    /// `@@x`, `@@session.x`, `@@cache.x`.
    mutating func systemVariableName() throws(Unparsed) -> String {
        guard token.kind == .doubleAt else { throw fail("expected @@") }
        advance()
        var parts: [String] = []
        repeat {
            guard [.word, .name, .quotedName].contains(token.kind) else { throw fail("expected a variable's name") }
            parts.append(lowered(token))
            advance()
        } while parts.count < 3 && accept(.dot)
        return parts.joined(separator: ".")
    }

    private mutating func systemVariable() throws(Unparsed) -> Expression {
        let start = token.start
        let name = try systemVariableName()
        facts.settingsRead.insert(name)
        return Expression(.systemVariable(name), start..<lastEnd)
    }

    private mutating func symbolPrimary() throws(Unparsed) -> Expression {
        let start = token.start
        if at(.leftParen) { return try parenthesised(asList: false) }
        if at(.dot) { return try columnOrCall() }
        // `{d '2020-01-01'}` and others of ODBC.
        if accept(.leftBrace) {
            _ = try name()
            let value = try expression()
            try expect(.rightBrace)
            return Expression(.operation(.other, [value]), start..<lastEnd)
        }
        throw fail("expected a value")
    }

    var atQuery: Bool { at(.select) || at(.with) || (at(.values) && valuesBegin) || (!server.isMariaDB && at(.table)) }

    /// VALUES as a query, not the function of ON DUPLICATE KEY UPDATE.
    private var valuesBegin: Bool {
        server.isMariaDB ? peek(1).symbol == .leftParen && !isValuesCall : peek(1).keyword == .row
    }

    private var isValuesCall: Bool { isName(peek(2)) && (peek(3).symbol == .rightParen || peek(3).symbol == .dot) }

    /// A subquery, a row or a value in parentheses.
    ///
    /// - Parameter asList: It stands behind IN, so that one value alone is a list too.
    mutating func parenthesised(asList: Bool) throws(Unparsed) -> Expression {
        let start = token.start
        try enter()
        try expect(.leftParen)
        var values: [Expression] = []
        if atQuery {
            let query = try query()
            values = [Expression(.query(query), query.range)]
        } else {
            values = try expressions()
            if values.count == 1, case .query(let first) = values[0].kind, atQueryTail {
                let whole = try queryTail(behind: first)
                values = [Expression(.query(whole), whole.range)]
            }
        }
        try expect(.rightParen)
        depth -= 1
        let range = start..<lastEnd
        if values.count == 1, case .query(let query) = values[0].kind { return Expression(.query(query), range) }
        if values.count > 1 || asList { return Expression(.row(values), range) }
        return Expression(values[0].kind, range)
    }

    // MARK: - Columns and calls

    /// `a`, `t.a`, `db.t.a`, `.t.a`, and `f(..)`, `db.f(..)`.
    mutating func columnOrCall() throws(Unparsed) -> Expression {
        let offset = token.start
        let isLed = accept(.dot)
        var parts = [try name()]
        while parts.count < 3, at(.dot), peek(1).symbol != .star {
            advance()
            parts.append(try nameBehindDot())
        }
        if at(.leftParen), parts.count <= 2, !isLed {
            return try call(
                FunctionUse(schema: parts.count == 2 ? parts[0] : nil, name: parts[parts.count - 1].lowercased(), offset: offset))
        }
        let column = ColumnName(qualifier: Array(parts.dropLast()), name: parts[parts.count - 1])
        facts.columns.append(ColumnUse(name: column, scope: currentScope, offset: offset))
        return Expression(.column(column), offset..<lastEnd)
    }

    /// Of a keyword that is a function's name.
    mutating func keywordCall() throws(Unparsed) -> Expression {
        let use = FunctionUse(schema: nil, name: lowered(token), offset: token.start)
        advance()
        return try call(use)
    }

    /// A function without parentheses, or with empty ones or a precision.
    private mutating func niladic() throws(Unparsed) -> Expression {
        let start = token.start
        let use = FunctionUse(schema: nil, name: lowered(token), offset: token.start)
        facts.functions.append(use)
        advance()
        if accept(.leftParen) {
            if !at(.rightParen) { try integer() }
            try expect(.rightParen)
        }
        return Expression(.function(use, []), start..<lastEnd)
    }

    // MARK: - Words

    private static let niladics: Set<Keyword> = [
        .currentDate, .currentTime, .currentTimestamp, .localtime, .localtimestamp, .utcDate, .utcTime, .utcTimestamp, .currentUser,
        .currentRole, .sysdate,
    ]
    /// Reserved, and functions nevertheless when a parenthesis follows.
    static let callable: Set<Keyword> = [
        .if, .left, .right, .insert, .replace, .repeat, .mod, .char, .database, .schema, .values, .rank, .denseRank, .rowNumber,
        .cumeDist, .percentRank, .ntile, .lag, .lead, .firstValue, .lastValue, .nthValue, .grouping, .row, .interval, .match, .cast,
        .convert, .default,
    ]

    private mutating func wordPrimary() throws(Unparsed) -> Expression {
        let start = token.start
        guard let keyword = token.keyword else { return try introducedOrColumn() }
        let opens = peek(1).symbol == .leftParen
        switch keyword {
        case .null:
            advance()
            return Expression(.null, start..<lastEnd)
        case .true, .false:
            advance()
            return Expression(.literal, start..<lastEnd)
        case .case: return try caseExpression()
        case .exists:
            advance()
            guard at(.leftParen), case .query(let query) = try parenthesised(asList: false).kind else { throw fail("expected a subquery") }
            return Expression(.exists(query), start..<lastEnd)
        case .interval: return try interval()
        case .date where peek(1).kind == .string, .time where peek(1).kind == .string, .timestamp where peek(1).kind == .string:
            advance()
            advance()
            return Expression(.literal, start..<lastEnd)
        case .next where peek(1).keyword == .value, .previous where peek(1).keyword == .value: return try sequenceValue()
        case .match where !opens && server.isMariaDB:
            advance()
            var columns: [Expression] = []
            repeat { columns.append(try columnOrCall()) } while accept(.comma)
            let use = FunctionUse(schema: nil, name: "match", offset: start)
            facts.functions.append(use)
            columns.append(try matchAgainst())
            return Expression(.function(use, columns), start..<lastEnd)
        case .default where !opens:
            advance()
            return Expression(.operation(.other, []), start..<lastEnd)
        default: break
        }
        if Self.niladics.contains(keyword), keyword != .sysdate || opens { return try niladic() }
        if opens, Self.callable.contains(keyword) { return try keywordCall() }
        guard atName else { throw fail("expected a value, not \(keyword.spelling.uppercased())") }
        return try columnOrCall()
    }

    /// `_utf8mb4'..'`, `_binary x'..'`, or a name.
    private mutating func introducedOrColumn() throws(Unparsed) -> Expression {
        let start = token.start
        if bytes[token.start] == UInt8(ascii: "_"), [.string, .hex, .bits].contains(peek(1).kind) {
            advance()
            while [.string, .hex, .bits].contains(token.kind) { advance() }
            return Expression(.literal, start..<lastEnd)
        }
        return try columnOrCall()
    }

    private mutating func caseExpression() throws(Unparsed) -> Expression {
        let start = token.start
        try expect(.case)
        var parts: [Expression] = []
        if !at(.when) { parts.append(try expression()) }
        guard at(.when) else { throw fail("expected WHEN") }
        while accept(.when) {
            parts.append(try expression())
            try expect(.then)
            parts.append(try expression())
        }
        if accept(.else) { parts.append(try expression()) }
        try expect(.end)
        return Expression(.operation(.other, parts), start..<lastEnd)
    }

    static let units: Set<Keyword> = [
        .microsecond, .second, .minute, .hour, .day, .week, .month, .quarter, .year, .secondMicrosecond, .minuteMicrosecond,
        .minuteSecond, .hourMicrosecond, .hourSecond, .hourMinute, .dayMicrosecond, .daySecond, .dayMinute, .dayHour, .yearMonth,
        .sqlTsiSecond, .sqlTsiMinute, .sqlTsiHour, .sqlTsiDay, .sqlTsiWeek, .sqlTsiMonth, .sqlTsiQuarter, .sqlTsiYear,
    ]

    /// `INTERVAL 1 DAY`, or the function `INTERVAL(a, b, ..)`.
    mutating func interval() throws(Unparsed) -> Expression {
        let start = token.start
        try expect(.interval)
        let value = try expression()
        if accept(any: Self.units) != nil { return Expression(.operation(.other, [value]), start..<lastEnd) }
        guard case .row(let values) = value.kind else { throw fail("expected a unit of time") }
        let use = FunctionUse(schema: nil, name: "interval", offset: start)
        facts.functions.append(use)
        return Expression(.function(use, values), start..<lastEnd)
    }

    /// NEXT VALUE FOR s, which changes the sequence.
    private mutating func sequenceValue() throws(Unparsed) -> Expression {
        let start = token.start
        let isNext = at(.next)
        advance()
        try expect(.value)
        try expect(.for)
        try table(isNext ? .write : .read)
        let use = FunctionUse(schema: nil, name: isNext ? "nextval" : "lastval", offset: start)
        facts.functions.append(use)
        return Expression(.function(use, []), start..<lastEnd)
    }
}
