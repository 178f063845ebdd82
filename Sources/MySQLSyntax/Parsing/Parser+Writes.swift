extension Parser {
    /// Begins the block of a statement that is no query.
    mutating func openScope() {
        scopeStack.append(scope)
        scope += 1
    }

    private static let priorities: Set<Keyword> = [.lowPriority, .highPriority, .delayed, .quick, .ignore, .concurrent]

    // MARK: - INSERT, REPLACE

    mutating func insert() throws(Unparsed) {
        let replaces = at(.replace)
        advance()
        facts.kinds.insert(replaces ? "replace" : "insert")
        openScope()
        while accept(any: Self.priorities) != nil {}
        _ = accept(.into)
        try table(.write)
        if accept(.partition) { _ = try parenthesisedNames() }
        if accept(.set) {
            try assignments()
        } else {
            if at(.leftParen), !parenthesisBeginsQuery { try insertColumns() }
            try insertSource()
        }
        if !server.isMariaDB, accept(.as) {
            _ = try name()
            if at(.leftParen) { _ = try parenthesisedNames() }
        }
        if accept(.on) {
            try expect(.duplicate)
            try expect(.key)
            try expect(.update)
            facts.kinds.insert("update")
            try assignments()
        }
        try returning()
    }

    private var parenthesisBeginsQuery: Bool {
        var ahead = 0
        while peek(ahead).symbol == .leftParen { ahead += 1 }
        return [.select, .with].contains(peek(ahead).keyword) || peek(ahead).keyword == .values || peek(ahead).keyword == .table
    }

    private mutating func insertColumns() throws(Unparsed) {
        try expect(.leftParen)
        if accept(.rightParen) { return }
        repeat { _ = try columnOrCall() } while accept(.comma)
        try expect(.rightParen)
    }

    private mutating func insertSource() throws(Unparsed) {
        if at(.value) || (at(.values) && (server.isMariaDB || peek(1).keyword != .row)) {
            advance()
            repeat {
                try expect(.leftParen)
                if !at(.rightParen) { _ = try expressions() }
                try expect(.rightParen)
            } while accept(.comma)
            // A further part makes it a query in MariaDB.
            guard !atSetOperator else { throw fail("a set operation behind VALUES") }
            return
        }
        guard atQuery || at(.leftParen) else { throw fail("expected VALUES, SET or a query") }
        facts.flags.insert(.movesData)
        facts.kinds.insert("select")
        facts.query = try query()
    }

    private mutating func assignments() throws(Unparsed) {
        repeat {
            _ = try columnOrCall()
            guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
            _ = try expression()
        } while accept(.comma)
    }

    private mutating func returning() throws(Unparsed) {
        guard server.isMariaDB, accept(.returning) else { return }
        facts.kinds.insert("select")
        repeat {
            if accept(.star) {
                facts.flags.insert(.star)
            } else {
                _ = try expression()
                if accept(.as) {
                    if token.kind == .string { advance() } else { _ = try name() }
                } else if atName || token.kind == .string {
                    advance()
                }
            }
        } while accept(.comma)
    }

    // MARK: - UPDATE

    mutating func update() throws(Unparsed) {
        try expect(.update)
        facts.kinds.insert("update")
        openScope()
        while accept(any: Self.priorities) != nil {}
        let first = facts.tables.count
        var block = Select(scope: currentScope)
        try from(into: &block)
        try portion()
        try expect(.set)
        var targets: [[String]] = []
        repeat {
            guard case .column(let column) = try columnOrCall().kind else { throw fail("expected a column") }
            targets.append(column.qualifier)
            guard accept(.equal) || accept(.assign) else { throw fail("expected =") }
            _ = try expression()
        } while accept(.comma)
        try boundedBy(&block)
        for item in block.from {
            guard case .table(let index) = item.source, index >= first else { continue }
            let isTarget = targets.contains { $0.isEmpty || matches($0, facts.tables[index]) }
            if isTarget { facts.tables[index].access = .write }
        }
        guard facts.tables.contains(where: { $0.access == .write }) else { throw fail("an UPDATE of no table") }
        facts.query = Query(body: .select(block), range: facts.range.lowerBound..<lastEnd)
    }

    /// FOR PORTION OF p FROM a TO b
    private mutating func portion() throws(Unparsed) {
        guard at(.for), peek(1).keyword == .portion else { return }
        advance()
        advance()
        try expect(.of)
        _ = try name()
        try expect(.from)
        _ = try bits(0)
        try expect(.to)
        _ = try bits(0)
    }

    private func matches(_ qualifier: [String], _ table: TableUse) -> Bool {
        guard let last = qualifier.last else { return true }
        return last.lowercased() == (table.alias ?? table.name.name).lowercased()
    }

    private mutating func boundedBy(_ block: inout Select) throws(Unparsed) {
        if accept(.where) { block.condition = try expression() }
        facts.condition = block.condition.map { Truth.isConstant($0) ? .constant : .present } ?? .missing
        if accept(.order) {
            try expect(.by)
            block.groups = try orderList()
        }
        if at(.limit) {
            try limit()
            facts.hasLimit = true
        }
    }

    // MARK: - DELETE

    mutating func delete() throws(Unparsed) {
        try expect(.delete)
        facts.kinds.insert("delete")
        openScope()
        while accept(any: Self.priorities) != nil {}
        if at(.history) {
            advance()
            try expect(.from)
            facts.kinds = ["delete.history"]
            try table(.write)
            if accept(.before) {
                try expect(.systemTime)
                _ = try bits(0)
            }
            facts.condition = .present
            return
        }
        var block = Select(scope: currentScope)
        if accept(.from) {
            if try deletesFromOne(&block) { return }
            // DELETE FROM a, b USING ..
            let targets = try deleteTargets()
            try expect(.using)
            return try deleteFromSeveral(targets, &block)
        }
        let targets = try deleteTargets()
        try expect(.from)
        try deleteFromSeveral(targets, &block)
    }

    private mutating func deletesFromOne(_ block: inout Select) throws(Unparsed) -> Bool {
        // The table's name, then neither `.*`, a comma nor USING.
        let length = peek(0).symbol == .dot ? 2 : peek(1).symbol == .dot && peek(2).symbol != .star ? 3 : 1
        let next = peek(length)
        guard next.symbol != .comma, next.symbol != .dot, next.keyword != .using else { return false }
        let target = try table(.write)
        block.from = [FromItem(source: .table(target), alias: nil)]
        if accept(.partition) { _ = try parenthesisedNames() }
        try portion()
        if at(.force) || at(.use) { throw fail("an index for DELETE") }
        if let alias = try tableAlias() {
            facts.tables[target].alias = alias
            block.from[0].alias = alias
        }
        try boundedBy(&block)
        facts.query = Query(body: .select(block), range: facts.range.lowerBound..<lastEnd)
        try returning()
        return true
    }

    private mutating func deleteTargets() throws(Unparsed) -> [(name: TableName, offset: Int)] {
        var result: [(name: TableName, offset: Int)] = []
        repeat {
            let offset = token.start
            var parts = [try name()]
            while accept(.dot) {
                if accept(.star) { break }
                guard parts.count < 2 else { throw fail("a name of too many parts") }
                parts.append(try nameBehindDot())
            }
            result.append((TableName(database: parts.count > 1 ? parts[0] : nil, name: parts[parts.count - 1]), offset))
        } while accept(.comma)
        return result
    }

    private mutating func deleteFromSeveral(_ targets: [(name: TableName, offset: Int)], _ block: inout Select) throws(Unparsed) {
        let first = facts.tables.count
        try from(into: &block)
        let end = facts.tables.count
        try boundedBy(&block)
        for target in targets {
            let named = (first..<end).filter { index in
                let table = facts.tables[index]
                guard table.scope == block.scope, (table.alias ?? table.name.name).lowercased() == target.name.name.lowercased() else {
                    return false
                }
                guard let database = target.name.database, table.alias == nil else { return true }
                return table.name.database == nil || table.name.database?.lowercased() == database.lowercased()
            }
            for index in named { facts.tables[index].access = .write }
            // The server knows no such table; a name that matches none is told as it is.
            if named.isEmpty {
                facts.tables.append(TableUse(name: target.name, alias: nil, access: .write, scope: block.scope, offset: target.offset))
            }
        }
        facts.query = Query(body: .select(block), range: facts.range.lowerBound..<lastEnd)
    }

    // MARK: - LOAD

    mutating func load() throws(Unparsed) {
        try expect(.load)
        if accept(.index) {
            try expect(.into)
            try expect(.cache)
            facts.kinds.insert("load.index")
            return try keyCacheTables()
        }
        let isXML = accept(.xml)
        if !isXML { try expect(.data) }
        facts.kinds.insert(isXML ? "load.xml" : "load.data")
        openScope()
        while accept(any: Self.priorities) != nil {}
        facts.flags.insert(accept(.local) ? .localFile : .readsFile)
        try expect(.infile)
        facts.files.append(try string())
        _ = accept(any: [.replace, .ignore])
        try expect(.into)
        try expect(.table)
        try table(.write)
        if accept(.partition) { _ = try parenthesisedNames() }
        if accept(.character, .set) || accept(.charset) { try charset() }
        if accept(.rows) {
            try expect(.identified)
            try expect(.by)
            try string()
        }
        try fileFormat()
        if accept(.ignore) {
            try integer()
            guard accept(any: [.lines, .rows]) != nil else { throw fail("expected LINES") }
        }
        if accept(.leftParen), !accept(.rightParen) {
            repeat {
                if token.kind == .userVariable {
                    facts.variablesWritten.insert(spelled(token))
                    advance()
                } else {
                    _ = try columnOrCall()
                }
            } while accept(.comma)
            try expect(.rightParen)
        }
        if accept(.set) { try assignments() }
    }

    /// Tables with PARTITION and INDEX lists, as CACHE INDEX and LOAD INDEX have them.
    mutating func keyCacheTables() throws(Unparsed) {
        repeat {
            try table(.maintain)
            while accept(any: [.partition, .index, .key]) != nil {
                try expect(.leftParen)
                if !accept(.all), !at(.rightParen) {
                    repeat { if !accept(.primary) { _ = try name() } } while accept(.comma)
                }
                try expect(.rightParen)
            }
            if accept(.ignore) { try expect(.leaves) }
        } while accept(.comma)
    }
}
