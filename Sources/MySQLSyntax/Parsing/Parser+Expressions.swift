extension Parser {
    mutating func expression() throws(Unparsed) -> Expression {
        try enter()
        let result = try logic(0)
        depth -= 1
        return result
    }

    mutating func expressions() throws(Unparsed) -> [Expression] {
        var result = [try expression()]
        while accept(.comma) { result.append(try expression()) }
        return result
    }

    // MARK: - OR, XOR, AND, NOT

    private var logicOperator: (operator: Operator, level: Int)? {
        switch (token.symbol, token.keyword) {
        case (.doublePipe, _): server.mode.contains(.pipesAsConcat) ? nil : (.or, 0)
        case (_, .or): (.or, 0)
        case (_, .xor): (.xor, 1)
        case (.doubleAmpersand, _), (_, .and): (.and, 2)
        default: nil
        }
    }

    /// Precedence climbing; a chain of one level is one node.
    private mutating func logic(_ lowest: Int) throws(Unparsed) -> Expression {
        let start = token.start
        var chain = [try negation()]
        var current: (operator: Operator, level: Int)?
        while let next = logicOperator, next.level >= lowest {
            if let current, current.level != next.level {
                chain = [Expression(.operation(current.operator, chain), start..<lastEnd)]
            }
            current = next
            advance()
            let binds = try logic(next.level + 1)
            chain.append(binds)
        }
        guard let current else { return chain[0] }
        return Expression(.operation(current.operator, chain), start..<lastEnd)
    }

    private mutating func negation() throws(Unparsed) -> Expression {
        let start = token.start
        var count = 0
        if !server.mode.contains(.highNotPrecedence) {
            while accept(.not) { count += 1 }
        }
        let inner = try comparison()
        guard count > 0 else { return inner }
        return Expression(.operation(count.isMultiple(of: 2) ? .isTruth : .not, [inner]), start..<lastEnd)
    }

    // MARK: - Comparisons and predicates

    private mutating func comparison() throws(Unparsed) -> Expression {
        let start = token.start
        var left = try bits(0)
        var wraps = 0
        while true {
            guard let (kind, operands) = try predicate(on: left) else { return left }
            wraps += 1
            guard wraps <= limits.depth else { throw fail("a chain of more than \(limits.depth) comparisons") }
            left = Expression(.operation(kind, operands), start..<lastEnd)
        }
    }

    private static let comparisons: [Symbol: Operator] = [
        .equal: .equal, .notEqual: .notEqual, .less: .less, .lessEqual: .lessOrEqual, .greater: .greater,
        .greaterEqual: .greaterOrEqual, .nullSafeEqual: .nullSafeEqual,
    ]

    private mutating func predicate(on left: Expression) throws(Unparsed) -> (Operator, [Expression])? {
        if let comparison = Self.comparisons[token.symbol] {
            advance()
            if accept(any: [.all, .any, .some]) != nil, !at(.leftParen) { throw fail("expected a subquery") }
            return (comparison, [left, try bits(0)])
        }
        if accept(.is) {
            let not = accept(.not)
            if accept(.null) { return (not ? .isNotNull : .isNull, [left]) }
            // MariaDB's IS JSON came later than what is known here.
            guard accept(any: [.true, .false, .unknown]) != nil else { throw fail("expected NULL or a truth value") }
            return (.isTruth, [left])
        }
        if at(.sounds), peek(1).keyword == .like {
            advance()
            advance()
            return (.other, [left, try bits(0)])
        }
        if !server.isMariaDB, at(.member), accept(.member) {
            _ = accept(.of)
            try expect(.leftParen)
            let right = try expression()
            try expect(.rightParen)
            return (.other, [left, right])
        }
        let not = at(.not) && [.in, .between, .like, .regexp, .rlike].contains(peek(1).keyword)
        if not { advance() }
        return try negatablePredicate(on: left, not: not)
    }

    private mutating func negatablePredicate(on left: Expression, not: Bool) throws(Unparsed) -> (Operator, [Expression])? {
        if accept(.in) {
            guard at(.leftParen) else { throw fail("expected a list or a subquery") }
            return (not ? .notIn : .in, [left, try parenthesised(asList: true)])
        }
        if accept(.between) {
            let low = try bits(0)
            try expect(.and)
            return (not ? .notBetween : .between, [left, low, try predicateOperand()])
        }
        if accept(.like) {
            let pattern = try bits(0)
            if accept(.escape) { _ = try bits(0) }
            // A pattern that matches everything is left out.
            if !not, matchesAll(pattern) { return (.like, [left]) }
            return (not ? .notLike : .like, [left, pattern])
        }
        if accept(any: [.regexp, .rlike]) != nil { return (.other, [left, try bits(0)]) }
        return nil
    }

    private func matchesAll(_ pattern: Expression) -> Bool {
        guard case .literal = pattern.kind, let quote = bytes[pattern.range].first, quote == 0x27 || quote == 0x22 else { return false }
        let text = bytes[pattern.range].dropFirst().dropLast()
        return !text.isEmpty && text.allSatisfy { $0 == UInt8(ascii: "%") }
    }

    /// What stands behind the AND of a BETWEEN may hold a predicate itself.
    private mutating func predicateOperand() throws(Unparsed) -> Expression {
        let start = token.start
        let left = try bits(0)
        guard Self.comparisons[token.symbol] == nil, !at(.is), let (kind, operands) = try predicate(on: left) else { return left }
        return Expression(.operation(kind, operands), start..<lastEnd)
    }

    // MARK: - Arithmetic and bits

    private var arithmeticLevel: Int? {
        switch token.symbol {
        case .pipe: 0
        case .ampersand: 1
        case .shiftLeft, .shiftRight: 2
        case .plus, .minus: 3
        case .star, .slash, .percent: 4
        case .caret: 5
        case .doublePipe: server.mode.contains(.pipesAsConcat) ? 6 : nil
        default: token.keyword == .div || token.keyword == .mod ? 4 : nil
        }
    }

    mutating func bits(_ lowest: Int) throws(Unparsed) -> Expression {
        let start = token.start
        var chain = [try unary()]
        var current: Int?
        while let level = arithmeticLevel, level >= lowest {
            if let current, current != level { chain = [Expression(.operation(.other, chain), start..<lastEnd)] }
            current = level
            advance()
            let operand = try bits(level + 1)
            chain.append(operand)
        }
        return current == nil ? chain[0] : Expression(.operation(.other, chain), start..<lastEnd)
    }

    private var atPrefix: Bool {
        switch token.symbol {
        case .minus, .plus, .tilde, .bang: return true
        default: break
        }
        if at(.binary) { return peek(1).symbol != .dot }
        return at(.not) && server.mode.contains(.highNotPrecedence)
    }

    private mutating func unary() throws(Unparsed) -> Expression {
        let start = token.start
        var isNegated = false
        var hasPrefix = false
        while atPrefix {
            if at(.bang) || at(.not) { isNegated.toggle() }
            hasPrefix = true
            advance()
        }
        var value = try primary()
        var hasSuffix = false
        while true {
            if accept(.collate) {
                if token.kind == .string { advance() } else if !accept(.binary) { _ = try name() }
            } else if at(.arrow) || at(.doubleArrow) {
                advance()
                try string()
            } else {
                break
            }
            hasSuffix = true
        }
        if hasPrefix || hasSuffix { value = Expression(.operation(isNegated ? .not : .other, [value]), start..<lastEnd) }
        return value
    }
}
