extension Parser {
    private static let typeWords: Set<Keyword> = [
        .binary, .varbinary, .char, .character, .varchar, .varcharacter, .nchar, .nvarchar, .national, .tinytext, .text, .mediumtext,
        .longtext, .tinyblob, .blob, .mediumblob, .longblob, .long, .int, .integer, .int1, .int2, .int3, .int4, .int8, .tinyint,
        .smallint, .mediumint, .middleint, .bigint, .dec, .decimal, .numeric, .number, .fixed, .float, .float4, .float8, .double,
        .real, .bit, .bool, .boolean, .date, .time, .datetime, .timestamp, .year, .enum, .set, .json, .serial, .signed, .unsigned,
        .geometry, .point, .linestring, .polygon, .multipoint, .multilinestring, .multipolygon, .geometrycollection, .geomcollection,
        .raw,
    ]
    private static let typeNames: Set<String> = ["clob", "inet4", "inet6", "uuid", "vector", "varchar2", "xmltype"]

    /// The type of a column, cast or parameter, with what may follow it: length, sign, character set.
    mutating func type() throws(Unparsed) {
        if accept(.national) {
            guard accept(any: [.char, .character, .varchar, .varcharacter]) != nil else { throw fail("expected a type") }
            _ = accept(.varying)
        } else if let word = accept(any: Self.typeWords) {
            try rest(of: word)
        } else if token.kind == .word, Self.typeNames.contains(lowered(token)) {
            advance()
        } else {
            throw fail("expected a type")
        }
        try typeLength()
        try typeAttributes()
    }

    private mutating func rest(of word: Keyword) throws(Unparsed) {
        switch word {
        case .char, .character, .nchar: _ = accept(any: [.varying, .varchar, .varcharacter])
        case .double: _ = accept(.precision)
        case .long: _ = accept(any: [.varchar, .varbinary, .varcharacter]) ?? accept(any: [.char, .character])
        case .signed, .unsigned: _ = accept(any: [.int, .integer])
        default: break
        }
    }

    private mutating func typeLength() throws(Unparsed) {
        guard accept(.leftParen) else { return }
        repeat {
            switch token.kind {
            case .integer, .string, .hex, .bits, .nationalString, .decimal, .float: advance()
            case .word where bytes[token.start] == UInt8(ascii: "_") && [.string, .hex].contains(peek(1).kind):
                advance()
                advance()
            default: throw fail("expected a length")
            }
        } while accept(.comma)
        try expect(.rightParen)
    }

    private mutating func typeAttributes() throws(Unparsed) {
        while true {
            if accept(any: [.unsigned, .signed, .zerofill, .ascii, .unicode, .byte, .binary]) != nil { continue }
            if accept(.compressed) {
                if accept(.equal) { _ = try name() }
                continue
            }
            if accept(.character, .set) || accept(.char, .set) || accept(.charset) {
                try charset()
                continue
            }
            if accept(.collate) {
                _ = accept(.equal)
                try charset()
                continue
            }
            return
        }
    }

    // MARK: - Columns and keys of tables

    /// `(a INT, KEY (a), CHECK (a > 0), ..)`
    mutating func tableElements() throws(Unparsed) {
        try expect(.leftParen)
        repeat { try tableElement() } while accept(.comma)
        try expect(.rightParen)
    }

    /// Whether a key, constraint or period begins here, and no column.
    var atKey: Bool {
        at(any: [.primary, .unique, .fulltext, .spatial, .index, .key, .foreign, .constraint, .check])
            || (at(.period) && peek(1).keyword == .for)
    }

    mutating func tableElement() throws(Unparsed) {
        if atKey { return try keyDefinition() }
        try columnDefinition()
    }

    mutating func columnDefinition() throws(Unparsed) {
        let offset = token.start
        var parts = [try name()]
        while parts.count < 3, accept(.dot) { parts.append(try nameBehindDot()) }
        facts.columns.append(
            ColumnUse(name: ColumnName(qualifier: [], name: parts[parts.count - 1]), scope: currentScope, offset: offset))
        // A generated column may go without a type, as in `v AS (a + 1)`.
        if !at(.as), !at(.generated) { try type() }
        try columnAttributes()
    }

    mutating func columnAttributes() throws(Unparsed) {
        while !atEnd, !at(.comma), !at(.rightParen), !at(.first), !at(.after) {
            if try columnValue() { continue }
            if accept(.references) {
                try reference()
            } else if accept(.comment) {
                try string()
            } else if accept(.collate) {
                try charset()
            } else if accept(any: [.columnFormat, .storage]) != nil {
                advance()
            } else if accept(any: [.engineAttribute]) != nil || accept(.secondary, .engineAttribute) {
                _ = accept(.equal)
                try string()
            } else if accept(.srid) {
                try integer()
            } else if accept(any: [
                .null, .not, .autoIncrement, .unique, .primary, .key, .stored, .persistent, .virtual, .visible, .invisible, .compressed,
                .unsigned, .zerofill, .enforced, .binary, .serial, .value, .row, .start, .end, .generated, .always, .secondary,
                .without, .with, .system, .versioning,
            ]) != nil {
                continue
            } else if token.kind == .word || token.kind == .quotedName || token.kind == .name, peek(1).symbol == .equal {
                advance()
                advance()
                advance()
            } else {
                throw fail("an attribute of a column that is not known")
            }
        }
    }

    /// DEFAULT, ON UPDATE, AS (..), CHECK (..): what holds expressions.
    private mutating func columnValue() throws(Unparsed) -> Bool {
        if accept(.default) {
            if !accept(.serial, .default, .value) { _ = try bits(0) }
            return true
        }
        if at(.on, .update) {
            advance()
            advance()
            _ = try primary()
            return true
        }
        if accept(.constraint) {
            if !at(.check) { _ = try name() }
            return true
        }
        if at(.as) || at(.check) {
            advance()
            if accept(.row) {
                guard accept(any: [.start, .end]) != nil else { throw fail("expected START or END") }
                return true
            }
            try expect(.leftParen)
            _ = try expression()
            try expect(.rightParen)
            return true
        }
        return false
    }

    mutating func keyDefinition() throws(Unparsed) {
        if accept(.period) {
            try expect(.for)
            if !accept(.systemTime) { _ = try name() }
            _ = try parenthesisedNames()
            return
        }
        if accept(.constraint) {
            try ifNotExists()
            if !at(any: [.primary, .unique, .foreign, .check]) { _ = try name() }
        }
        if accept(.check) {
            try expect(.leftParen)
            _ = try expression()
            try expect(.rightParen)
            _ = accept(.not)
            _ = accept(.enforced)
            return
        }
        if accept(.foreign) {
            try expect(.key)
            try ifNotExists()
            if !at(.leftParen) { _ = try name() }
            try keyParts()
            try expect(.references)
            return try reference()
        }
        if accept(.primary) {
            try expect(.key)
        } else {
            _ = accept(any: [.unique, .fulltext, .spatial])
            _ = accept(any: [.index, .key])
        }
        try ifNotExists()
        if !at(.leftParen), !at(.using), !at(.type) { _ = try name() }
        try indexType()
        try keyParts()
        try indexOptions()
    }

    mutating func indexType() throws(Unparsed) {
        guard accept(any: [.using, .type]) != nil else { return }
        _ = try name()
    }

    /// `(a, b(10) DESC, (a + 1))`
    mutating func keyParts() throws(Unparsed) {
        try expect(.leftParen)
        repeat {
            if at(.leftParen) {
                _ = try parenthesised(asList: false)
            } else {
                let offset = token.start
                let name = try name()
                facts.columns.append(ColumnUse(name: ColumnName(qualifier: [], name: name), scope: currentScope, offset: offset))
                if accept(.leftParen) {
                    try integer()
                    try expect(.rightParen)
                }
                if accept(.without) { try expect(.overlaps) }
            }
            _ = accept(any: [.asc, .desc])
        } while accept(.comma)
        try expect(.rightParen)
    }

    mutating func indexOptions() throws(Unparsed) {
        while true {
            if accept(.keyBlockSize) {
                _ = accept(.equal)
                try integer()
            } else if at(.using) || at(.type) {
                try indexType()
            } else if accept(.with) {
                try expect(.parser)
                _ = try name()
            } else if accept(.comment) {
                try string()
            } else if accept(any: [.visible, .invisible, .ignored]) != nil {
            } else if at(.not), peek(1).keyword == .ignored {
                advance()
                advance()
            } else if accept(.engineAttribute) {
                _ = accept(.equal)
                advance()
            } else if token.kind == .word, peek(1).symbol == .equal, !at(.algorithm), !at(.lock) {
                advance()
                advance()
                advance()
            } else {
                return
            }
        }
    }

    /// Behind REFERENCES.
    private mutating func reference() throws(Unparsed) {
        try table(.maintain)
        if at(.leftParen) { try keyParts() }
        if accept(.match) { guard accept(any: [.full, .partial, .simple]) != nil else { throw fail("expected a sort of match") } }
        while at(.on), peek(1).keyword == .delete || peek(1).keyword == .update {
            advance()
            advance()
            if accept(.set) {
                guard accept(any: [.null, .default]) != nil else { throw fail("expected NULL or DEFAULT") }
            } else if accept(.no) {
                try expect(.action)
            } else if accept(any: [.restrict, .cascade]) == nil {
                throw fail("expected an action")
            }
        }
    }
}
