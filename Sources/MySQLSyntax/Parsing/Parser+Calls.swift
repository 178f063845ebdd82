extension Parser {
    /// From the parenthesis on, with what may follow it (FILTER has none; OVER).
    mutating func call(_ use: FunctionUse) throws(Unparsed) -> Expression {
        facts.functions.append(use)
        if use.name == "load_file" { facts.flags.insert(.readsFile) }
        try enter()
        try expect(.leftParen)
        let arguments = use.schema == nil ? try arguments(of: use.name) : try plainArguments()
        try expect(.rightParen)
        if use.name == "match", use.schema == nil {
            let against = try matchAgainst()
            depth -= 1
            return Expression(.function(use, arguments + [against]), use.offset..<lastEnd)
        }
        let window = try windowSuffix()
        depth -= 1
        return Expression(.function(use, arguments + window), use.offset..<lastEnd)
    }

    private mutating func plainArguments() throws(Unparsed) -> [Expression] {
        var result: [Expression] = []
        guard !at(.rightParen) else { return result }
        repeat {
            result.append(try expression())
            // Arguments of loadable functions have names.
            if accept(.as) {
                if token.kind == .string { advance() } else { _ = try name() }
            } else if atName {
                _ = try name()
            }
        } while accept(.comma)
        return result
    }

    private mutating func arguments(of name: String) throws(Unparsed) -> [Expression] {
        switch name {
        case "count", "sum", "avg", "min", "max", "group_concat", "json_arrayagg", "json_objectagg", "bit_and", "bit_or", "bit_xor",
            "std", "stddev", "variance":
            return try aggregateArguments()
        case "cast":
            let value = try expression()
            if !server.isMariaDB, accept(.at) { try timeZone() }
            try expect(.as)
            try type()
            _ = accept(.array)
            return [value]
        case "convert":
            let value = try expression()
            if accept(.using) {
                try charset()
            } else {
                try expect(.comma)
                try type()
            }
            return [value]
        case "extract":
            guard accept(any: Self.units) != nil else { throw fail("expected a unit of time") }
            try expect(.from)
            return [try expression()]
        case "get_format":
            guard accept(any: [.date, .time, .datetime, .timestamp]) != nil else { throw fail("expected a type of time") }
            try expect(.comma)
            return [try expression()]
        case "timestampadd", "timestampdiff":
            guard accept(any: Self.units) != nil else { throw fail("expected a unit of time") }
            try expect(.comma)
            return try expressions()
        case "trim": return try trimArguments()
        case "substring", "substr", "mid": return try substringArguments()
        case "position":
            let value = try bits(0)
            try expect(.in)
            return [value, try expression()]
        case "char":
            let values = try expressions()
            if accept(.using) { try charset() }
            return values
        case "weight_string": return try weightArguments()
        case "json_value": return try jsonValueArguments()
        case "nextval", "lastval", "setval": return try sequenceArguments(writes: name != "lastval")
        case "column_create", "column_add", "column_get", "column_json": return try dynamicColumnArguments()
        case "values", "default":
            guard atName || at(.dot) else { throw fail("expected a column") }
            return [try columnOrCall()]
        default: return try plainArguments()
        }
    }

    private mutating func timeZone() throws(Unparsed) {
        guard lowered(token) == "time" else { throw fail("expected TIME ZONE") }
        advance()
        try expect(.zone)
        _ = accept(.interval)
        try string()
    }

    private mutating func aggregateArguments() throws(Unparsed) -> [Expression] {
        let start = token.start
        if accept(.star) { return [Expression(.star(qualifier: []), start..<lastEnd)] }
        _ = accept(any: [.distinct, .distinctrow, .all])
        var result = at(.rightParen) ? [] : try expressions()
        if accept(.order) {
            try expect(.by)
            result += try orderList()
        }
        if accept(.separator) { try string() }
        if at(.limit) { try limit() }
        return result
    }

    private mutating func trimArguments() throws(Unparsed) -> [Expression] {
        let hasSide = accept(any: [.leading, .trailing, .both]) != nil
        var result: [Expression] = []
        if !(hasSide && at(.from)) { result.append(try expression()) }
        if accept(.from) { result.append(try expression()) }
        return result
    }

    private mutating func substringArguments() throws(Unparsed) -> [Expression] {
        var result = [try expression()]
        if accept(.from) {
            result.append(try expression())
            if accept(.for) { result.append(try expression()) }
            return result
        }
        while accept(.comma) { result.append(try expression()) }
        return result
    }

    private mutating func weightArguments() throws(Unparsed) -> [Expression] {
        var result = [try expression()]
        if accept(.as) { try type() }
        if accept(.level) {
            repeat {
                try integer()
                if accept(Symbol.minus) { try integer() }
                while accept(any: [.asc, .desc, .reverse]) != nil {}
            } while accept(.comma)
        }
        while accept(.comma) { result.append(try expression()) }
        return result
    }

    private mutating func jsonValueArguments() throws(Unparsed) -> [Expression] {
        var result = [try expression()]
        while accept(.comma) { result.append(try expression()) }
        if accept(.returning) { try type() }
        try onEmptyOrError()
        return result
    }

    /// `NULL ON EMPTY`, `DEFAULT 1 ON ERROR`, in any number.
    mutating func onEmptyOrError() throws(Unparsed) {
        while at(.null) || at(.error) || at(.default) {
            if accept(.default) { _ = try primary() } else { advance() }
            try expect(.on)
            guard accept(any: [.empty, .error]) != nil else { throw fail("expected EMPTY or ERROR") }
        }
    }

    /// The first is a table's name: a sequence is one.
    private mutating func sequenceArguments(writes: Bool) throws(Unparsed) -> [Expression] {
        guard server.isMariaDB else { return try plainArguments() }
        try table(writes ? .write : .read)
        return accept(.comma) ? try expressions() : []
    }

    private mutating func dynamicColumnArguments() throws(Unparsed) -> [Expression] {
        var result: [Expression] = []
        repeat {
            result.append(try expression())
            if accept(.as) { try type() }
        } while accept(.comma)
        return result
    }

    mutating func matchAgainst() throws(Unparsed) -> Expression {
        try expect(.against)
        try expect(.leftParen)
        let value = try bits(0)
        if accept(.in) {
            if accept(.boolean) {
                try expect(.mode)
            } else {
                try expect(.natural)
                try expect(.language)
                try expect(.mode)
            }
        }
        if accept(.with) {
            try expect(.query)
            try expect(.expansion)
        }
        try expect(.rightParen)
        return value
    }

    // MARK: - Windows

    private mutating func windowSuffix() throws(Unparsed) -> [Expression] {
        var result: [Expression] = []
        if at(.within), accept(.within) {
            try expect(.group)
            try expect(.leftParen)
            try expect(.order)
            try expect(.by)
            result += try orderList()
            try expect(.rightParen)
        }
        if at(.from), peek(1).keyword == .first || peek(1).keyword == .last, peek(2).keyword != nil,
            peek(2).keyword == .over || peek(2).keyword == .respect || peek(2).keyword == .ignore
        {
            advance()
            advance()
        }
        if at(.respect, .nulls) || at(.ignore, .nulls) {
            advance()
            advance()
        }
        guard accept(.over) else { return result }
        if !at(.leftParen) {
            _ = try name()
            return result
        }
        return result + (try windowSpecification())
    }

    mutating func windowSpecification() throws(Unparsed) -> [Expression] {
        var result: [Expression] = []
        try expect(.leftParen)
        if atName, !at(.rows), !at(.groups) { _ = try name() }
        if accept(.partition) {
            try expect(.by)
            result += try expressions()
        }
        if accept(.order) {
            try expect(.by)
            result += try orderList()
        }
        if accept(any: [.rows, .range, .groups]) != nil {
            if accept(.between) {
                try frameBound()
                try expect(.and)
            }
            try frameBound()
            if accept(.exclude) {
                while !at(.rightParen), !atEnd { advance() }
            }
        }
        try expect(.rightParen)
        return result
    }

    private mutating func frameBound() throws(Unparsed) {
        if accept(.current) {
            try expect(.row)
            return
        }
        if !accept(.unbounded) { _ = try bits(0) }
        guard accept(any: [.preceding, .following]) != nil else { throw fail("expected PRECEDING or FOLLOWING") }
    }

    // MARK: - Parts of expressions

    mutating func orderList() throws(Unparsed) -> [Expression] {
        var result: [Expression] = []
        repeat {
            result.append(try expression())
            _ = accept(any: [.asc, .desc])
        } while accept(.comma)
        return result
    }

    mutating func charset() throws(Unparsed) {
        if token.kind == .string || at(.binary) || at(.default) || at(.ascii) { return advance() }
        _ = try name()
    }
}
