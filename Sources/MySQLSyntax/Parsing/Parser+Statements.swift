extension Parser {
    mutating func statement() throws(Unparsed) {
        try enter()
        defer { depth -= 1 }
        if at(.leftParen) || at(.select) || (at(.values) && atQuery) || (at(.table) && atQuery) { return try queryStatement() }
        guard token.kind == .word, let keyword = token.keyword else { throw fail("no statement that is known") }
        switch keyword {
        case .with: try withStatement()
        case .insert, .replace: try insert()
        case .update: try update()
        case .delete: try delete()
        case .load: try load()
        case .set: try set()
        case .create: try create()
        case .alter: try alter()
        case .drop: try drop()
        case .rename: try rename()
        case .truncate: try truncate()
        case .show: try show()
        case .explain, .describe, .desc: try explain()
        case .analyze, .check, .checksum, .optimize, .repair: try maintenance()
        case .call, .do, .handler, .use, .help, .signal, .resignal, .get: try smallStatement(keyword)
        case .prepare, .execute, .deallocate: try prepared(keyword)
        case .begin, .start, .commit, .rollback, .savepoint, .release, .xa: try transaction(keyword)
        case .lock, .unlock, .flush, .kill, .reset, .purge, .change, .cache, .install, .uninstall, .shutdown, .restart, .binlog, .stop,
            .clone, .import, .backup:
            try administration(keyword)
        case .grant, .revoke: try accountStatement()
        default: throw fail("no statement that is known")
        }
    }

    private mutating func queryStatement() throws(Unparsed) {
        facts.kinds.insert("select")
        facts.query = try query()
    }

    /// WITH before a SELECT, UPDATE or DELETE.
    private mutating func withStatement() throws(Unparsed) {
        var ahead = self
        try ahead.expect(.with)
        _ = try ahead.commonTableList()
        guard ahead.at(.update) || ahead.at(.delete) else { return try queryStatement() }
        try expect(.with)
        let (_, common) = try commonTableList()
        if at(.update) { try update() } else { try delete() }
        facts.query?.commonTables = common
        commonTables.removeLast()
        facts.kinds.insert("select")
    }

    private mutating func smallStatement(_ keyword: Keyword) throws(Unparsed) {
        advance()
        switch keyword {
        case .call:
            facts.kinds.insert("call")
            facts.flags.insert(.opaque)
            var name = try tableName()
            // A package's routine has three parts in MariaDB.
            if accept(.dot) { name = TableName(database: name.name, name: try nameBehindDot()) }
            facts.routines.append(name)
            if accept(.leftParen), !accept(.rightParen) {
                _ = try expressions()
                try expect(.rightParen)
            }
        case .do:
            facts.kinds.insert("do")
            openScope()
            repeat {
                _ = try expression()
                if accept(.as) || atName || token.kind == .string { advance() }
            } while accept(.comma)
        case .handler: try handler()
        case .use:
            facts.kinds.insert("use")
            facts.databases.append(try name())
        case .help:
            facts.kinds.insert("help")
            if token.kind == .string { advance() } else if token.kind == .word { advance() } else { _ = try name() }
        case .get: try diagnostics()
        default: try signal(keyword)
        }
    }

    private mutating func handler() throws(Unparsed) {
        openScope()
        if [.open, .close, .read].contains(peek(1).keyword) || peek(1).symbol == .dot {
            // The name is an alias's where the table was opened under one.
            try table(.read)
        } else {
            throw fail("expected OPEN, READ or CLOSE")
        }
        if accept(.open) {
            facts.kinds.insert("handler.open")
            if let alias = try tableAlias() { facts.tables[facts.tables.count - 1].alias = alias }
            return
        }
        if accept(.close) {
            facts.kinds.insert("handler.close")
            return
        }
        try expect(.read)
        facts.kinds.insert("handler.read")
        // Which table is read was said before, by another statement, unless the name is its own.
        if accept(any: [.first, .next]) == nil {
            if accept(.primary) == false { _ = try name() }
            switch token.symbol {
            case .equal, .less, .greater, .lessEqual, .greaterEqual:
                advance()
                try expect(.leftParen)
                _ = try expressions()
                try expect(.rightParen)
            default:
                guard accept(any: [.first, .next, .prev, .last]) != nil else { throw fail("expected FIRST, NEXT, PREV or LAST") }
            }
        }
        if accept(.where) { _ = try expression() }
        if at(.limit) {
            try limit()
            facts.hasLimit = true
        }
    }

    private mutating func signal(_ keyword: Keyword) throws(Unparsed) {
        facts.kinds.insert(keyword.spelling)
        if accept(.sqlstate) {
            _ = accept(.value)
            try string()
        } else if !at(.set), !atEnd {
            _ = try name()
        }
        guard accept(.set) else { return }
        repeat {
            _ = try name()
            try expect(.equal)
            _ = try expression()
        } while accept(.comma)
    }

    private mutating func diagnostics() throws(Unparsed) {
        facts.kinds.insert("get_diagnostics")
        _ = accept(any: [.current, .stacked])
        try expect(.diagnostics)
        if accept(.condition) { _ = try primary() }
        repeat {
            guard token.kind == .userVariable || atName else { throw fail("expected a variable") }
            if token.kind == .userVariable { facts.variablesWritten.insert(spelled(token)) }
            advance()
            try expect(.equal)
            _ = try name()
        } while accept(.comma)
    }

    // MARK: - PREPARE, EXECUTE

    private mutating func prepared(_ keyword: Keyword) throws(Unparsed) {
        advance()
        switch keyword {
        case .prepare:
            facts.kinds.insert("prepare")
            facts.defines = try name()
            try expect(.from)
            try dynamicText()
        case .execute:
            facts.kinds.insert("execute")
            if accept(.immediate) {
                guard server.isMariaDB else { throw fail("EXECUTE IMMEDIATE is MariaDB's") }
                try dynamicText()
            } else {
                facts.runs = try name()
            }
            if accept(.using) { _ = try expressions() }
        default:
            try expect(.prepare)
            facts.kinds.insert("deallocate")
            facts.runs = try name()
        }
    }

    /// A statement as a literal is parsed; any other is opaque.
    private mutating func dynamicText() throws(Unparsed) {
        let next = peek(1)
        guard token.kind == .string, next.kind == .end || next.symbol == .semicolon || next.keyword == .using else {
            facts.flags.insert(.opaque)
            _ = try expression()
            return
        }
        var inner = Parser(Decoded.string(bytes[token.range], mode: server.mode).bytes, server: server, limits: limits)
        let text = inner.text()
        guard text.failure == nil, text.statements.count == 1 else { throw fail("a prepared statement that is not understood") }
        guard text.statements[0].inner.isEmpty else { throw fail("a statement that prepares within one that is prepared") }
        facts.inner = text.statements
        advance()
    }

    // MARK: - Transactions

    private mutating func transaction(_ keyword: Keyword) throws(Unparsed) {
        advance()
        facts.flags.insert(.controlsTransaction)
        switch keyword {
        case .begin:
            if at(.not) { return try compound() }
            facts.kinds.insert("transaction.begin")
            _ = accept(.work)
        case .start: try start()
        case .commit, .rollback:
            facts.kinds.insert("transaction.\(keyword.spelling)")
            _ = accept(.work)
            if keyword == .rollback, accept(.to) {
                _ = accept(.savepoint)
                _ = try name()
                return
            }
            if accept(.and) {
                _ = accept(.no)
                try expect(.chain)
            }
            if at(.no), peek(1).keyword == .release { advance() }
            _ = accept(.release)
        case .savepoint:
            facts.kinds.insert("transaction.savepoint")
            _ = try name()
        case .release:
            facts.kinds.insert("transaction.release")
            try expect(.savepoint)
            _ = try name()
        default: try xa()
        }
    }

    private mutating func start() throws(Unparsed) {
        if at(any: [.slave, .replica, .groupReplication]) || (at(.all) && [.slave, .slaves, .replicas].contains(peek(1).keyword)) {
            facts.flags.remove(.controlsTransaction)
            return try loose("replication.start")
        }
        try expect(.transaction)
        facts.kinds.insert("transaction.begin")
        guard !atEnd else { return }
        repeat {
            if accept(.with) {
                try expect(.consistent)
                try expect(.snapshot)
            } else {
                try expect(.read)
                guard accept(any: [.only, .write]) != nil else { throw fail("expected ONLY or WRITE") }
            }
        } while accept(.comma)
    }

    private mutating func xa() throws(Unparsed) {
        guard let verb = accept(any: [.begin, .start, .end, .prepare, .commit, .rollback, .recover]) else {
            throw fail("no statement of XA")
        }
        facts.kinds.insert("transaction.xa.\(verb.spelling)")
        if verb == .recover {
            if accept(.format) {
                try expect(.equal)
                try string()
            } else if accept(.convert) {
                try expect(.xid)
            }
            return
        }
        for part in 0..<3 {
            if part > 0, !accept(.comma) { break }
            if part == 2 {
                try integer()
            } else {
                guard token.isLiteral else { throw fail("expected a string") }
                advance()
            }
        }
        if accept(.join) || accept(.resume) || accept(.one, .phase) { return }
        if accept(.suspend), accept(.for) { try expect(.migrate) }
    }

    /// To the end of the statement, for statements of which the kind is all that is told.
    mutating func loose(_ kind: String) throws(Unparsed) {
        facts.kinds.insert(kind)
        var nesting = 0
        while !atEnd {
            if at(.select) || at(.with) && peek(2).keyword == .as { throw fail("a query where none is known") }
            if at(.leftParen) { nesting += 1 }
            if at(.rightParen) { nesting -= 1 }
            guard nesting >= 0 else { throw fail("a parenthesis too many") }
            advance()
        }
        guard nesting == 0 else { throw fail("a parenthesis too few") }
    }
}
