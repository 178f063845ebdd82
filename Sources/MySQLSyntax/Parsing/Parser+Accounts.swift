extension Parser {
    /// GRANT and REVOKE, with what they are for.
    mutating func accountStatement() throws(Unparsed) {
        let verb = token.keyword?.spelling ?? ""
        advance()
        facts.kinds.insert(verb)
        facts.flags.insert(.controlsTransaction)
        openScope()
        try privileges()
        if accept(.on) { try grantObject() }
        try accountTail()
    }

    /// CREATE, ALTER, DROP and RENAME of USER and ROLE.
    mutating func accountStatement(verb: String) throws(Unparsed) {
        let sort = token.keyword?.spelling ?? ""
        advance()
        facts.kinds.insert("\(verb).\(sort)")
        facts.flags.insert(.controlsTransaction)
        try accountTail()
    }

    /// Words with lists of columns, up to ON or TO.
    private mutating func privileges() throws(Unparsed) {
        while !at(.on), !at(.to), !at(.from) {
            if accept(.leftParen) {
                repeat {
                    let offset = token.start
                    let column = ColumnName(qualifier: [], name: try name())
                    facts.columns.append(ColumnUse(name: column, scope: currentScope, offset: offset))
                } while accept(.comma)
                try expect(.rightParen)
                continue
            }
            guard [.word, .name, .quotedName, .string, .userVariable].contains(token.kind) || at(.comma) else {
                throw fail("expected a privilege")
            }
            advance()
        }
    }

    private mutating func grantObject() throws(Unparsed) {
        if accept(.star) {
            if accept(.dot) { try expect(.star) }
            return
        }
        if let sort = accept(any: [.procedure, .function]) {
            _ = sort
            facts.routines.append(try tableName())
            return
        }
        if at(.package) {
            advance()
            _ = accept(.body)
            facts.routines.append(try tableName())
            return
        }
        if isName(token) || token.kind == .string, !at(.table) {
            // An account: GRANT PROXY ON 'a' TO 'b'.
            if token.kind == .string || peek(1).kind == .userVariable { return try account() }
            if peek(1).symbol == .dot, peek(2).symbol == .star {
                facts.databases.append(try name())
                advance()
                advance()
                return
            }
        }
        _ = accept(.table)
        try table(.maintain)
    }

    private static let beforeSecret: Set<Keyword> = [.by, .as, .using, .password, .replace, .and]

    /// Accounts, passwords and limits, to the end; what may be a password is hidden.
    private mutating func accountTail() throws(Unparsed) {
        var isSecret = false
        while !atEnd {
            guard !at(.select), !at(.table) else { throw fail("a query where none is known") }
            if token.kind == .string || token.kind == .hex || token.kind == .nationalString {
                if isSecret { facts.secrets.append(token.range) }
                advance()
                continue
            }
            if let keyword = token.keyword { isSecret = Self.beforeSecret.contains(keyword) } else if !at(.leftParen) { isSecret = false }
            switch token.kind {
            case .word, .name, .quotedName, .userVariable, .integer, .decimal: break
            default:
                guard at(.comma) || at(.leftParen) || at(.rightParen) || at(.dot) || at(.equal) || at(Symbol.minus) else {
                    throw fail("no part of an account statement")
                }
            }
            advance()
        }
    }

    // MARK: - SET

    mutating func set() throws(Unparsed) {
        try expect(.set)
        facts.kinds.insert("set")
        openScope()
        if at(.statement), peek(1).symbol != .equal { return try setStatement() }
        if at(.role), peek(1).symbol != .equal { return try loose("set.role") }
        if at(.default), peek(1).keyword == .role { return try loose("set.role") }
        if at(.resource), peek(1).keyword == .group { return try loose("set.resource_group") }
        repeat { try setOne() } while accept(.comma)
    }

    /// SET STATEMENT a = 1, b = 2 FOR SELECT ..
    private mutating func setStatement() throws(Unparsed) {
        guard server.isMariaDB else { throw fail("SET STATEMENT is MariaDB's") }
        try expect(.statement)
        repeat {
            let name = lowered(token)
            _ = try self.name()
            guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
            facts.settings.append(Setting(name: name, value: try settingValue(), scope: .statement))
        } while accept(.comma)
        try expect(.for)
        // The statement was cut into tokens before the settings hold; a text within it was not.
        let changesReading = facts.settings.contains {
            $0.name == "sql_mode" || $0.name.hasPrefix("character_set") || $0.name.hasPrefix("collation")
        }
        if changesReading, at(.prepare) || at(.execute) { throw fail("a setting that changes how the statement is read") }
        try statement()
    }

    private mutating func setOne() throws(Unparsed) {
        if token.kind == .userVariable {
            facts.variablesWritten.insert(spelled(token))
            advance()
            guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
            _ = try expression()
            return
        }
        if token.kind == .doubleAt {
            var name = try systemVariableName()
            let scope = takeScope(&name)
            guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
            facts.settings.append(Setting(name: name, value: try settingValue(), scope: scope))
            return
        }
        if at(.password), peek(1).symbol != .dot { return try setPassword() }
        if at(.names), peek(1).symbol != .equal { return try setNames() }
        if at(.character, .set) || (at(.charset) && peek(1).symbol != .equal) {
            if accept(.character) { advance() } else { advance() }
            let value = at(.default) ? nil : lowered(token)
            try charset()
            facts.settings.append(Setting(name: "character_set", value: value, scope: .session))
            return
        }
        try setVariable()
    }

    private func takeScope(_ name: inout String) -> Setting.Scope {
        for (prefix, scope) in [
            ("global.", Setting.Scope.global), ("session.", .session), ("local.", .session), ("persist.", .persist),
            ("persist_only.", .persist),
        ] where name.hasPrefix(prefix) {
            name.removeFirst(prefix.count)
            return scope
        }
        return .session
    }

    private mutating func setVariable() throws(Unparsed) {
        var scope = Setting.Scope.session
        if let word = token.keyword, [.global, .session, .local, .persist, .persistOnly].contains(word), peek(1).symbol != .equal,
            peek(1).symbol != .dot
        {
            advance()
            scope = word == .global ? .global : word == .persist || word == .persistOnly ? .persist : .session
        }
        if accept(.transaction) { return try setTransaction(scope) }
        var parts = [lowered(token)]
        _ = try name()
        while parts.count < 3, accept(.dot) { parts.append(try nameBehindDot().lowercased()) }
        guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
        facts.settings.append(Setting(name: parts.joined(separator: "."), value: try settingValue(), scope: scope))
    }

    /// Words such as ON, ALL and BINARY are values here.
    private mutating func settingValue() throws(Unparsed) -> String? {
        let first = token
        let next = peek(1)
        let isLast = next.symbol == .comma || next.symbol == .semicolon || next.kind == .end || next.keyword == .for
        if isLast, first.kind == .word || first.isLiteral {
            let isDefault = at(.default)
            advance()
            return isDefault ? nil : spelled(first)
        }
        _ = try expression()
        return nil
    }

    private mutating func setTransaction(_ scope: Setting.Scope) throws(Unparsed) {
        facts.kinds.insert("set.transaction")
        repeat {
            if accept(.isolation) {
                try expect(.level)
                guard accept(.serializable) || accept(.repeatable, .read) || accept(.read, .committed) || accept(.read, .uncommitted) else {
                    throw fail("expected a level of isolation")
                }
            } else {
                try expect(.read)
                guard accept(any: [.only, .write]) != nil else { throw fail("expected ONLY or WRITE") }
            }
        } while accept(.comma)
        facts.settings.append(Setting(name: "transaction", value: nil, scope: scope))
    }

    private mutating func setNames() throws(Unparsed) {
        try expect(.names)
        let value = at(.default) ? nil : lowered(token)
        try charset()
        facts.settings.append(Setting(name: "names", value: value, scope: .session))
        if accept(.collate) { try charset() }
    }

    private mutating func setPassword() throws(Unparsed) {
        try expect(.password)
        facts.kinds.insert("set.password")
        facts.flags.insert(.controlsTransaction)
        if accept(.for) { try account() }
        guard accept(.equal) || accept(.to) || accept(.assign) else { throw fail("expected =") }
        let start = index
        while !atEnd {
            guard token.kind == .string || token.kind == .word || at(.leftParen) || at(.rightParen) || token.kind == .hex else {
                throw fail("no part of SET PASSWORD")
            }
            advance()
        }
        hideStrings(from: start)
    }
}
