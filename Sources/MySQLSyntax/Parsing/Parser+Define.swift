extension Parser {
    // MARK: - CREATE

    mutating func create() throws(Unparsed) {
        try expect(.create)
        facts.flags.insert(.controlsTransaction)
        openScope()
        let replaces = accept(.or, .replace)
        try viewOrRoutinePrefix()
        if at(.user) || at(.role) || at(.server) || at(.resource) || at(.logfile) || (at(.undo) && peek(1).keyword == .tablespace) {
            return try createNamed()
        }
        let temporary = accept(.temporary)
        if temporary { facts.flags.insert(.temporary) }
        if replaces { facts.kinds.insert("create.or_replace") }
        if accept(.table) { return try createTable() }
        if accept(.sequence) { return try createSequence() }
        guard !temporary else { throw fail("expected TABLE") }
        if accept(any: [.database, .schema]) != nil { return try createDatabase() }
        if accept(.view) { return try createView() }
        if at(any: [.unique, .fulltext, .spatial, .index, .online, .offline]) { return try createIndex() }
        if accept(.tablespace) { return try loose("create.tablespace") }
        if let routine = accept(any: [.procedure, .function, .trigger, .event]) { return try createRoutine(routine) }
        if at(.aggregate), peek(1).keyword == .function {
            advance()
            advance()
            return try createRoutine(.function)
        }
        if accept(.spatial, .reference) { return try loose("create.spatial_reference_system") }
        throw fail("no object that is known")
    }

    /// ALGORITHM = .. DEFINER = .. SQL SECURITY ..
    private mutating func viewOrRoutinePrefix() throws(Unparsed) {
        while true {
            if accept(.algorithm) {
                try expect(.equal)
                guard accept(any: [.undefined, .merge, .temptable]) != nil else { throw fail("expected an algorithm") }
            } else if accept(.definer) {
                try expect(.equal)
                try account()
            } else if accept(.sql) {
                try expect(.security)
                guard accept(any: [.definer, .invoker]) != nil else { throw fail("expected DEFINER or INVOKER") }
            } else {
                return
            }
        }
    }

    /// `user`, `'user'@'host'`, CURRENT_USER, CURRENT_ROLE.
    mutating func account() throws(Unparsed) {
        if accept(any: [.currentUser, .currentRole]) != nil {
            if accept(.leftParen) { try expect(.rightParen) }
            return
        }
        if token.kind == .string { advance() } else { _ = try name() }
        if token.kind == .userVariable { advance() }
    }

    private mutating func createNamed() throws(Unparsed) {
        if at(.user) || at(.role) { return try accountStatement(verb: "create") }
        if at(.server) { return try serverStatement("create") }
        if accept(.resource, .group) { return try loose("create.resource_group") }
        if accept(.logfile, .group) { return try loose("create.logfile_group") }
        try loose("create.tablespace")
    }

    /// CREATE SERVER .. OPTIONS (PASSWORD '..'): all its strings are hidden.
    mutating func serverStatement(_ verb: String) throws(Unparsed) {
        let start = index
        try loose("\(verb).server")
        hideStrings(from: start)
    }

    mutating func hideStrings(from start: Int) {
        facts.secrets += tokens[start..<index].filter { $0.isLiteral && $0.kind != .integer }.map(\.range)
    }

    private mutating func createTable() throws(Unparsed) {
        facts.kinds.insert("create.table")
        try ifNotExists()
        try table(.define)
        if accept(.like) { return try _ = table(.maintain) }
        if at(.leftParen), peek(1).keyword == .like {
            advance()
            advance()
            try table(.maintain)
            return try expect(.rightParen)
        }
        if at(.leftParen), !leftParenBeginsQuery { try tableElements() }
        try tableOptions()
        if at(.partition) { try partitioning() }
        _ = accept(any: [.ignore, .replace])
        _ = accept(.as)
        if atQuery || at(.leftParen) {
            facts.kinds.insert("select")
            facts.flags.insert(.movesData)
            facts.query = try query()
        }
    }

    var leftParenBeginsQuery: Bool {
        var ahead = 0
        while peek(ahead).symbol == .leftParen { ahead += 1 }
        return [.select, .with, .values, .table].contains(peek(ahead).keyword)
    }

    /// `ENGINE = InnoDB, COMMENT 'x' ..`
    mutating func tableOptions() throws(Unparsed) {
        while true {
            if at(.comma), isOption(1) { advance() }
            guard isOption(0) else { return }
            if accept(.union) {
                _ = accept(.equal)
                try expect(.leftParen)
                if !at(.rightParen) { try tables(.maintain) }
                try expect(.rightParen)
            } else if accept(.with) {
                try expect(.system)
                try expect(.versioning)
            } else if accept(.character, .set) || accept(.charset) {
                _ = accept(.equal)
                try charset()
            } else if accept(any: [.data, .index]) != nil {
                try expect(.directory)
                _ = accept(.equal)
                facts.files.append(try string())
            } else if accept(.start) {
                try expect(.transaction)
            } else if accept(.secondary) || accept(.default) || accept(.storage) {
                continue
            } else {
                let isSecret = at(.connection) || at(.password)
                advance()
                _ = accept(.equal)
                let value = token
                guard token.kind == .word || token.kind == .quotedName || token.isLiteral else { throw fail("expected an option's value") }
                advance()
                if isSecret { facts.secrets.append(value.range) }
            }
        }
    }

    private static let optionWords: Set<Keyword> = [
        .engine, .type, .autoIncrement, .avgRowLength, .checksum, .tableChecksum, .pageChecksum, .collate, .comment, .compression,
        .connection, .encryption, .insertMethod, .keyBlockSize, .maxRows, .minRows, .packKeys, .password, .rowFormat, .statsAutoRecalc,
        .statsPersistent, .statsSamplePages, .tablespace, .transactional, .delayKeyWrite, .engineAttribute, .secondaryEngineAttribute,
        .autoextendSize, .sequence, .charset, .secondaryEngine, .nodegroup, .storage,
    ]

    private func isOption(_ ahead: Int) -> Bool {
        let next = peek(ahead)
        if next.keyword == .with { return peek(ahead + 1).keyword == .system }
        if next.keyword == .union {
            return peek(ahead + 1).symbol == .equal || peek(ahead + 1).symbol == .leftParen && isName(peek(ahead + 2))
        }
        if next.keyword == .default { return [.character, .charset, .collate, .encryption].contains(peek(ahead + 1).keyword) }
        if next.keyword == .data || next.keyword == .index { return peek(ahead + 1).keyword == .directory }
        if next.keyword == .character { return peek(ahead + 1).keyword == .set }
        if next.keyword == .start { return peek(ahead + 1).keyword == .transaction }
        if let keyword = next.keyword, Self.optionWords.contains(keyword) { return true }
        // An option of an engine or plugin.
        return isName(next) && peek(ahead + 1).symbol == .equal && next.keyword != .algorithm && next.keyword != .lock
    }

    /// PARTITION BY to its end: expressions tell functions and columns, the rest is passed over.
    mutating func partitioning() throws(Unparsed) {
        try expect(.partition)
        try expect(.by)
        var nesting = 0
        while !atEnd {
            if nesting == 0, at(any: [.select, .as, .ignore, .replace, .with]) || (at(.comma)) { return }
            if nesting == 0, at(.leftParen), leftParenBeginsQuery { return }
            if at(.select) || at(.with) { throw fail("a query in a partition") }
            if isName(token), peek(1).symbol == .leftParen, ![.partition, .hash, .key, .columns, .than, .less].contains(token.keyword) {
                facts.functions.append(FunctionUse(schema: nil, name: lowered(token), offset: token.start))
            }
            if at(.leftParen) { nesting += 1 }
            if at(.rightParen) { nesting -= 1 }
            guard nesting >= 0 else { throw fail("a parenthesis too many") }
            advance()
        }
        guard nesting == 0 else { throw fail("a parenthesis too few") }
    }

    private mutating func createSequence() throws(Unparsed) {
        facts.kinds.insert("create.sequence")
        try ifNotExists()
        try table(.define)
        try loose("create.sequence")
    }

    private mutating func createDatabase() throws(Unparsed) {
        facts.kinds.insert("create.database")
        try ifNotExists()
        facts.databases.append(try name())
        try loose("create.database")
    }

    private mutating func createView() throws(Unparsed) {
        facts.kinds.insert("create.view")
        try ifNotExists()
        try table(.define)
        if at(.leftParen), !leftParenBeginsQuery { _ = try parenthesisedNames() }
        try expect(.as)
        facts.query = try query()
        if accept(.with) {
            _ = accept(any: [.cascaded, .local])
            try expect(.check)
            try expect(.option)
        }
    }

    private mutating func createIndex() throws(Unparsed) {
        facts.kinds.insert("create.index")
        _ = accept(any: [.online, .offline])
        _ = accept(any: [.unique, .fulltext, .spatial])
        try expect(.index)
        try ifNotExists()
        _ = try name()
        try indexType()
        try expect(.on)
        try table(.define)
        try keyParts()
        try indexOptions()
        try waitAndLock()
    }

    /// ALGORITHM = .., LOCK = .., WAIT n, NOWAIT
    mutating func waitAndLock() throws(Unparsed) {
        while true {
            if accept(any: [.algorithm, .lock]) != nil {
                _ = accept(.equal)
                advance()
            } else if accept(.wait) {
                try integer()
            } else if !accept(.nowait) {
                return
            }
        }
    }

    // MARK: - Routines: what they do is not looked into

    private mutating func createRoutine(_ sort: Keyword) throws(Unparsed) {
        facts.kinds.insert("create.\(sort.spelling)")
        facts.flags.insert(.opaque)
        try ifNotExists()
        facts.routines.append(try tableName())
        if sort == .function, at(.returns) || at(.soname) {
            // A loadable function: code of a library.
            return try loose("create.function")
        }
        if sort == .trigger {
            guard accept(any: [.before, .after]) != nil else { throw fail("expected BEFORE or AFTER") }
            guard accept(any: [.insert, .update, .delete]) != nil else { throw fail("expected INSERT, UPDATE or DELETE") }
            try expect(.on)
            try table(.define)
            try expect(.for)
            try expect(.each)
            try expect(.row)
            if accept(any: [.follows, .precedes]) != nil { _ = try name() }
        } else if sort == .event {
            try passOver(to: .do)
            try expect(.do)
        } else {
            try passOverParameters()
            if sort == .function {
                try expect(.returns)
                if accept(.type) { try passOverReference() } else if at(.row) { try passOver(to: .begin) } else { try type() }
            }
            try characteristics()
        }
        try routineBody(opened: false)
    }

    /// Words of a statement's head, which hold no code.
    mutating func passOver(to word: Keyword) throws(Unparsed) {
        while !at(word) {
            guard !atEnd, !at(.select) else { throw fail("expected \(word.spelling.uppercased())") }
            advance()
        }
    }

    /// TYPE OF t.a
    private mutating func passOverReference() throws(Unparsed) {
        try expect(.of)
        _ = try name()
        while accept(.dot) { _ = try nameBehindDot() }
    }

    private mutating func passOverParameters() throws(Unparsed) {
        try expect(.leftParen)
        var nesting = 1
        while nesting > 0 {
            guard !atEnd else { throw fail("a parenthesis too few") }
            if at(.leftParen) { nesting += 1 }
            if at(.rightParen) { nesting -= 1 }
            advance()
        }
    }

    private mutating func characteristics() throws(Unparsed) {
        while true {
            if accept(.comment) {
                try string()
            } else if accept(.language) {
                try expect(.sql)
            } else if at(.not), peek(1).keyword == .deterministic {
                advance()
                advance()
            } else if accept(.contains) || accept(.no) {
                try expect(.sql)
            } else if accept(any: [.reads, .modifies]) != nil {
                try expect(.sql)
                try expect(.data)
            } else if at(.sql), peek(1).keyword == .security {
                advance()
                advance()
                advance()
            } else if !accept(.deterministic) {
                return
            }
        }
    }

    mutating func compound() throws(Unparsed) {
        try expect(.not)
        guard lowered(token) == "atomic", server.isMariaDB else { throw fail("expected ATOMIC") }
        advance()
        facts.kinds.insert("compound")
        facts.flags.insert(.opaque)
        try routineBody(opened: true)
    }
}
