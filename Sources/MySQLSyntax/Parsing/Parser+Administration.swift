extension Parser {
    // MARK: - Tables' upkeep

    mutating func maintenance() throws(Unparsed) {
        let verb = token.keyword ?? .check
        if verb == .analyze, server.isMariaDB ? !isTableStatement(1) : false { return try explain() }
        advance()
        _ = accept(any: [.noWriteToBinlog, .local])
        if accept(any: [.view]) != nil {
            facts.kinds.insert("\(verb.spelling).view")
        } else {
            guard accept(any: [.table, .tables]) != nil else { throw fail("expected TABLE") }
            facts.kinds.insert("\(verb.spelling).table")
        }
        facts.flags.insert(.controlsTransaction)
        repeat {
            try table(.maintain)
            if accept(.persistent) { try persistence() }
        } while accept(.comma)
        while !atEnd {
            guard token.kind == .word, ![.select, .insert, .update, .delete, .table].contains(token.keyword) else {
                guard token.isLiteral || at(.comma) || at(.leftParen) || at(.rightParen) || isName(token) else {
                    throw fail("more than the statement")
                }
                advance()
                continue
            }
            advance()
        }
    }

    /// ANALYZE TABLE, and not ANALYZE of a statement.
    private func isTableStatement(_ ahead: Int) -> Bool {
        [.table, .tables, .local, .noWriteToBinlog].contains(peek(ahead).keyword)
    }

    private mutating func persistence() throws(Unparsed) {
        try expect(.for)
        if accept(.all) { return }
        try expect(.columns)
        if !accept(.all) { try passOverParentheses() }
        try expect(.indexes)
        if !accept(.all) { try passOverParentheses() }
    }

    private mutating func passOverParentheses() throws(Unparsed) {
        try expect(.leftParen)
        while !at(.rightParen), !atEnd, !at(.leftParen) { advance() }
        try expect(.rightParen)
    }

    // MARK: - EXPLAIN

    mutating func explain() throws(Unparsed) {
        let runs = at(.analyze) || peek(1).keyword == .analyze
        advance()
        if accept(.analyze) || runs { facts.kinds.insert("explain.analyze") }
        facts.kinds.insert("explain")
        _ = accept(any: [.extended, .partitions])
        if at(.format), peek(1).symbol == .equal {
            advance()
            advance()
            if token.kind == .string { advance() } else { _ = try name() }
        }
        if accept(.into) {
            guard token.kind == .userVariable else { throw fail("expected a variable") }
            facts.variablesWritten.insert(spelled(token))
            advance()
        }
        if accept(.for) {
            if accept(.connection) { return try _ = primary() }
            guard accept(any: [.schema, .database]) != nil else { return try _ = primary() }
            facts.databases.append(try name())
        }
        if at(.leftParen) || at(any: [.select, .insert, .replace, .update, .delete, .with, .values]) || (at(.table) && !server.isMariaDB) {
            return try statement()
        }
        guard !runs else { throw fail("expected a statement") }
        facts.kinds = ["show.columns"]
        try table(.maintain)
        if !atEnd { if token.kind == .string { advance() } else { _ = try name() } }
    }

    // MARK: - SHOW

    mutating func show() throws(Unparsed) {
        try expect(.show)
        _ = accept(any: [.full, .extended])
        openScope()
        if accept(.create) { return try showCreate() }
        _ = accept(any: [.global, .session, .local])
        let subject = lowered(token)
        guard token.kind == .word || token.kind == .name || at(.count) else { throw fail("expected what to show") }
        facts.kinds.insert("show." + subject)
        advance()
        if ["columns", "fields", "index", "indexes", "keys"].contains(subject) {
            guard accept(any: [.from, .in]) != nil else { throw fail("expected FROM") }
            let at = try table(.maintain)
            if accept(any: [.from, .in]) != nil { facts.tables[at].name.database = try name() }
        } else if ["explain", "analyze"].contains(subject) {
            if at(.format), peek(1).symbol == .equal {
                advance()
                advance()
                if token.kind == .string { advance() } else { _ = try name() }
            }
            try expect(.for)
            _ = try expression()
        } else {
            while !atEnd, !at(.like), !at(.where) {
                if at(.select) || at(.with) { throw fail("a query where none is known") }
                if accept(any: [.from, .in]) != nil {
                    if isName(token) { facts.databases.append(spelled(token)) }
                    continue
                }
                advance()
            }
        }
        if accept(.like) { try string() }
        if accept(.where) { _ = try expression() }
        if at(.limit) { try limit() }
    }

    private mutating func showCreate() throws(Unparsed) {
        guard let sort = token.keyword else { throw fail("expected what to show") }
        advance()
        facts.kinds.insert("show.create")
        switch sort {
        case .table, .view, .sequence: try table(.maintain)
        case .database, .schema:
            try ifNotExists()
            facts.databases.append(try name())
        case .procedure, .function, .trigger, .event, .package: facts.routines.append(try tableName())
        case .user: if !atEnd { try account() }
        default: throw fail("no object that is known")
        }
    }

    // MARK: - The server

    mutating func administration(_ keyword: Keyword) throws(Unparsed) {
        advance()
        switch keyword {
        case .lock: try lockTables()
        case .unlock:
            facts.flags.insert(.controlsTransaction)
            if accept(.instance) { return facts.kinds = ["lock.instance"] }
            guard accept(any: [.tables, .table]) != nil else { throw fail("expected TABLES") }
            facts.kinds.insert("unlock")
        case .flush: try flush()
        case .kill:
            facts.kinds.insert("kill")
            openScope()
            _ = accept(any: [.hard, .soft])
            _ = accept(any: [.connection, .query])
            _ = accept(Keyword.id)
            if accept(.user) { return try account() }
            _ = try expression()
        case .cache:
            try expect(.index)
            facts.kinds.insert("cache.index")
            try keyCacheTables()
            try expect(.in)
            if !accept(.default) { _ = try name() }
        case .install, .uninstall:
            facts.kinds.insert(keyword.spelling)
            facts.flags.insert(.opaque)
            try loose(keyword.spelling)
        case .change:
            let start = index
            try loose("replication.change")
            hideStrings(from: start)
        case .stop: try loose("replication.stop")
        case .clone:
            let start = index
            try loose("clone")
            hideStrings(from: start)
        case .binlog:
            facts.kinds.insert("binlog")
            facts.flags.insert(.opaque)
            repeat { if token.kind == .userVariable { advance() } else { try string() } } while accept(.comma)
        case .import:
            try expect(.table)
            try loose("import")
        case .purge:
            facts.kinds.insert("purge")
            openScope()
            try passOver(to: at(.binary) || at(.master) ? peek(2).keyword == .before ? .before : .to : .logs)
            if accept(.before) {
                _ = try expression()
            } else {
                try expect(.to)
                try string()
            }
        case .reset, .shutdown, .restart, .backup: try loose(keyword.spelling)
        default: throw fail("no statement that is known")
        }
    }

    private mutating func lockTables() throws(Unparsed) {
        facts.kinds.insert("lock")
        facts.flags.insert(.controlsTransaction)
        if accept(.instance) { return try loose("lock.instance") }
        guard accept(any: [.tables, .table]) != nil else { throw fail("expected TABLES") }
        repeat {
            let at = try table(.maintain)
            facts.tables[at].alias = try lockAlias()
            if accept(.read) {
                _ = accept(.local)
            } else {
                _ = accept(.lowPriority)
                try expect(.write)
                _ = accept(.concurrent)
            }
        } while accept(.comma)
        if accept(.wait) { try integer() } else { _ = accept(.nowait) }
    }

    private mutating func lockAlias() throws(Unparsed) -> String? { try tableAlias() }

    private mutating func flush() throws(Unparsed) {
        facts.kinds.insert("flush")
        facts.flags.insert(.controlsTransaction)
        _ = accept(any: [.local, .noWriteToBinlog])
        guard accept(any: [.tables, .table]) != nil else { return try loose("flush") }
        facts.kinds.insert("flush.tables")
        if isName(token), !at(.with) { try tables(.maintain) }
        if accept(.with) {
            try expect(.read)
            try expect(.lock)
            if accept(.and) {
                try expect(.disable)
                try expect(.checkpoint)
            }
        } else if accept(.for) {
            try expect(.export)
        }
        if !atEnd { try loose("flush") }
    }
}
