extension Parser {
    mutating func alter() throws(Unparsed) {
        try expect(.alter)
        facts.flags.insert(.controlsTransaction)
        openScope()
        if at(.user) || at(.role) { return try accountStatement(verb: "alter") }
        if at(.server) { return try serverStatement("alter") }
        _ = accept(any: [.online, .offline])
        _ = accept(.ignore)
        if accept(.table) { return try alterTable() }
        if accept(any: [.database, .schema]) != nil {
            if isName(token), ![.character, .charset, .collate, .default, .read, .encryption, .comment, .upgrade].contains(token.keyword) {
                facts.databases.append(try name())
            }
            return try loose("alter.database")
        }
        if accept(.sequence) {
            try ifExists()
            try table(.define)
            return try loose("alter.sequence")
        }
        try alterOther()
    }

    private mutating func alterOther() throws(Unparsed) {
        if let routine = accept(any: [.procedure, .function]) {
            facts.routines.append(try tableName())
            return try loose("alter.\(routine.spelling)")
        }
        if accept(.instance) { return try loose("alter.instance") }
        if accept(any: [.tablespace, .undo, .logfile]) != nil { return try loose("alter.tablespace") }
        if accept(.resource, .group) { return try loose("alter.resource_group") }
        // ALTER EVENT and ALTER VIEW come behind ALGORITHM, DEFINER and SQL SECURITY.
        while !at(.event), !at(.view) {
            guard at(.algorithm) || at(.definer) || at(.sql) else { throw fail("no object that is known") }
            if accept(.definer) {
                try expect(.equal)
                try account()
            } else if accept(.algorithm) {
                try expect(.equal)
                advance()
            } else {
                advance()
                try expect(.security)
                advance()
            }
        }
        if accept(.view) {
            facts.kinds.insert("alter.view")
            try ifExists()
            try table(.define)
            if at(.leftParen), !leftParenBeginsQuery { _ = try parenthesisedNames() }
            try expect(.as)
            facts.query = try query()
            if accept(.with) {
                _ = accept(any: [.cascaded, .local])
                try expect(.check)
                try expect(.option)
            }
            return
        }
        try expect(.event)
        facts.kinds.insert("alter.event")
        facts.flags.insert(.opaque)
        facts.routines.append(try tableName())
        while !atEnd, !at(.do) { advance() }
        if accept(.do) { try routineBody(opened: false) }
    }

    private mutating func alterTable() throws(Unparsed) {
        facts.kinds.insert("alter.table")
        try ifExists()
        try table(.define)
        if accept(.wait) { try integer() } else { _ = accept(.nowait) }
        guard !atEnd else { return }
        while true {
            try alterAction()
            if at(.partition) { return try partitioning() }
            if at(.remove) { continue }
            // Options may follow each other without commas.
            if !accept(.comma) {
                guard !atEnd else { return }
                let before = index
                try tableOptions()
                if at(.partition) { return try partitioning() }
                guard index > before || atEnd || at(.comma) else { throw fail("an action that is not known") }
                if !accept(.comma) { if atEnd { return } }
            }
        }
    }

    private mutating func did(_ action: String) { facts.kinds.insert("alter.table." + action) }

    private mutating func alterAction() throws(Unparsed) {
        if accept(.add) { return try add() }
        if accept(.drop) { return try dropPart() }
        if accept(.modify) {
            did("modify_column")
            _ = accept(.column)
            try ifExists()
            try columnDefinition()
            return try place()
        }
        if accept(.change) {
            did("change_column")
            _ = accept(.column)
            try ifExists()
            try mentionColumn()
            try columnDefinition()
            return try place()
        }
        if accept(.alter) { return try alterPart() }
        if accept(.rename) { return try renamePart() }
        if accept(.convert) { return try convertPart() }
        if accept(.order) {
            did("order")
            try expect(.by)
            return try _ = orderList()
        }
        try otherAction()
    }

    private mutating func mentionColumn() throws(Unparsed) {
        let offset = token.start
        facts.columns.append(ColumnUse(name: ColumnName(qualifier: [], name: try name()), scope: currentScope, offset: offset))
    }

    private mutating func place() throws(Unparsed) {
        if accept(.after) { _ = try name() } else { _ = accept(.first) }
    }

    private mutating func add() throws(Unparsed) {
        if accept(.partition) { return try partitions("add_partition") }
        if accept(.system) {
            try expect(.versioning)
            return did("add_system_versioning")
        }
        if atKey {
            did(at(.constraint) || at(.foreign) || at(.check) ? "add_constraint" : at(.period) ? "add_period" : "add_index")
            return try keyDefinition()
        }
        did("add_column")
        _ = accept(.column)
        try ifNotExists()
        if at(.leftParen) { return try tableElements() }
        try columnDefinition()
        try place()
    }

    /// Names, counts and definitions of partitions, to the end: they hold no names of other tables.
    private mutating func partitions(_ action: String) throws(Unparsed) {
        try loose("alter.table." + action)
    }

    private mutating func dropPart() throws(Unparsed) {
        if accept(.partition) { return try partitions("drop_partition") }
        if accept(.system) {
            try expect(.versioning)
            return did("drop_system_versioning")
        }
        if accept(.primary) {
            try expect(.key)
            return did("drop_index")
        }
        if accept(.period) {
            did("drop_period")
            try ifExists()
            try expect(.for)
            _ = try name()
            return
        }
        if accept(any: [.index, .key]) != nil {
            did("drop_index")
            try ifExists()
            _ = try name()
            return
        }
        if at(.foreign) || at(.constraint) || at(.check) {
            if accept(.foreign) { try expect(.key) } else { advance() }
            did("drop_constraint")
            try ifExists()
            _ = try name()
            return
        }
        did("drop_column")
        _ = accept(.column)
        try ifExists()
        try mentionColumn()
        _ = accept(any: [.restrict, .cascade])
    }

    private mutating func alterPart() throws(Unparsed) {
        if accept(any: [.index, .key]) != nil {
            did("alter_index")
            try ifExists()
            _ = try name()
            if accept(.not) {
                try expect(.ignored)
            } else {
                guard accept(any: [.visible, .invisible, .ignored]) != nil else { throw fail("expected VISIBLE or INVISIBLE") }
            }
            return
        }
        if accept(any: [.check, .constraint]) != nil {
            did("alter_constraint")
            _ = try name()
            _ = accept(.not)
            return try expect(.enforced)
        }
        did("alter_column")
        _ = accept(.column)
        try ifExists()
        try mentionColumn()
        if accept(.drop) { return try expect(.default) }
        try expect(.set)
        if accept(any: [.visible, .invisible]) != nil { return }
        try expect(.default)
        _ = try bits(0)
    }

    private mutating func renamePart() throws(Unparsed) {
        if accept(.column) {
            did("rename_column")
            try ifExists()
            try mentionColumn()
            try expect(.to)
            return try mentionColumn()
        }
        if accept(any: [.index, .key]) != nil {
            did("rename_index")
            try ifExists()
            _ = try name()
            try expect(.to)
            _ = try name()
            return
        }
        did("rename")
        if !accept(.to), !accept(.as) { _ = accept(.equal) }
        try table(.define)
    }

    private mutating func convertPart() throws(Unparsed) {
        if accept(.to) {
            did("convert")
            guard accept(.character, .set) || accept(.charset) else { throw fail("expected CHARACTER SET") }
            try charset()
            if accept(.collate) {
                _ = accept(.equal)
                try charset()
            }
            return
        }
        if accept(.partition) {
            did("convert_partition")
            _ = try name()
            try expect(.to)
            try expect(.table)
            try table(.define)
            return
        }
        try expect(.table)
        did("convert_partition")
        try table(.define)
        try expect(.to)
        try loose("alter.table.convert_partition")
    }

    private mutating func otherAction() throws(Unparsed) {
        if accept(.exchange) {
            did("exchange_partition")
            try expect(.partition)
            _ = try name()
            try expect(.with)
            try expect(.table)
            try table(.define)
            if accept(any: [.with, .without]) != nil { try expect(.validation) }
            return
        }
        if let verb = accept(any: [.reorganize, .truncate, .coalesce, .analyze, .check, .optimize, .repair, .rebuild]) {
            try expect(.partition)
            return try partitions(verb.spelling + "_partition")
        }
        if accept(any: [.discard, .import]) != nil {
            if accept(.partition) { return try partitions("tablespace") }
            try expect(.tablespace)
            return did("tablespace")
        }
        if accept(.remove) {
            try expect(.partitioning)
            return did("remove_partitioning")
        }
        if accept(any: [.enable, .disable]) != nil {
            try expect(.keys)
            return did("keys")
        }
        if accept(.force) { return did("force") }
        if accept(any: [.algorithm, .lock]) != nil {
            _ = accept(.equal)
            return advance()
        }
        if accept(any: [.secondaryLoad, .secondaryUnload]) != nil { return did("secondary_engine") }
        if at(.with), peek(1).keyword == .system { return try tableOptions() }
        if accept(any: [.with, .without]) != nil { return try expect(.validation) }
        if at(.partition) { return }
        did("options")
        let before = index
        try tableOptions()
        guard index > before else { throw fail("an action that is not known") }
    }

    // MARK: - DROP, RENAME, TRUNCATE

    mutating func drop() throws(Unparsed) {
        try expect(.drop)
        facts.flags.insert(.controlsTransaction)
        openScope()
        if at(.user) || at(.role) { return try accountStatement(verb: "drop") }
        if accept(.temporary) { facts.flags.insert(.temporary) }
        if accept(any: [.table, .tables]) != nil { return try dropTables("table") }
        if accept(.view) { return try dropTables("view") }
        if accept(.sequence) { return try dropTables("sequence") }
        if accept(any: [.database, .schema]) != nil {
            facts.kinds.insert("drop.database")
            try ifExists()
            facts.databases.append(try name())
            return
        }
        if accept(.index) {
            facts.kinds.insert("drop.index")
            try ifExists()
            if !accept(.primary) { _ = try name() }
            try expect(.on)
            try table(.define)
            return try waitAndLock()
        }
        if let sort = accept(any: [.procedure, .function, .trigger, .event]) {
            facts.kinds.insert("drop.\(sort.spelling)")
            try ifExists()
            facts.routines.append(try tableName())
            return
        }
        if accept(.prepare) {
            facts.kinds.insert("deallocate")
            facts.flags.remove(.controlsTransaction)
            facts.runs = try name()
            return
        }
        if let sort = accept(any: [.server, .tablespace, .undo, .logfile, .resource, .spatial]) {
            return try loose("drop.\(sort.spelling)")
        }
        throw fail("no object that is known")
    }

    private mutating func dropTables(_ sort: String) throws(Unparsed) {
        facts.kinds.insert("drop." + sort)
        try ifExists()
        try tables(.define)
        if accept(.wait) { try integer() } else { _ = accept(.nowait) }
        _ = accept(any: [.restrict, .cascade])
    }

    mutating func rename() throws(Unparsed) {
        try expect(.rename)
        facts.flags.insert(.controlsTransaction)
        if at(.user) { return try accountStatement(verb: "rename") }
        guard accept(any: [.table, .tables]) != nil else { throw fail("expected TABLE or USER") }
        facts.kinds.insert("alter.table.rename")
        try ifExists()
        repeat {
            try table(.define)
            if accept(.wait) { try integer() } else { _ = accept(.nowait) }
            try expect(.to)
            try table(.define)
        } while accept(.comma)
    }

    mutating func truncate() throws(Unparsed) {
        try expect(.truncate)
        facts.flags.insert(.controlsTransaction)
        facts.kinds.insert("truncate")
        _ = accept(.table)
        try table(.define)
        if accept(.wait) { try integer() } else { _ = accept(.nowait) }
        _ = accept(any: [.restrict, .cascade])
    }
}
