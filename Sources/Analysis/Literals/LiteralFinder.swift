public import GatehouseCore

/// Reads a text's tree for constants that may be kept.
enum LiteralFinder {
    static func plan(
        of text: UnsafeRawBufferPointer, hidden: [Bool], catalog: some LineageCatalog, isMasked: @escaping (LineageColumn) -> Bool
    ) -> LiteralPlan? {
        Analyze.withTokens(of: text) { base, scanned in
            guard NestingGuard.depth(of: scanned.tokens) <= NestingGuard.inlineLimit else { return nil }
            guard let parsed = ParsedText.of(Array(text)) else { return nil }
            defer { withExtendedLifetime(parsed) {} }
            var statements: [Statement] = []
            let raws = try parsed.tree().messages(Fields.stmts)
            for (index, raw) in raws.enumerated() {
                let start = try raw.number(Fields.Raw.location)
                let length = try raw.number(Fields.Raw.length)
                var statement = Statement(start: start, end: length == 0 ? text.count : start + length)
                if let node = try raw.message(Fields.Raw.stmt), hidden.count != raws.count || hidden[index] {
                    statement.places = try places(in: node, catalog: catalog, isMasked: isMasked)
                }
                statements.append(statement)
            }
            return plan(of: scanned, base, statements)
        }
    }

    /// A statement's place in the text, and where constants in it may be kept; nil: everywhere.
    private struct Statement {
        var start: Int
        var end: Int
        var places: Places?
    }

    private struct Places {
        /// Offsets of constants and parameters.
        var safe: Set<Int> = []
        var keepsAll = false
        /// Offsets of TRUE and FALSE that are constants.
        var booleans: Set<Int> = []
    }

    // MARK: The tree

    private static func places(
        in statement: Message, catalog: some LineageCatalog, isMasked: @escaping (LineageColumn) -> Bool
    ) throws -> Places {
        var places = Places()
        switch statement.kind {
        // Numbers of rows, and names.
        case .fetch, .transaction, .deallocate: places.keepsAll = true
        default: break
        }
        var tracer = LineageTracer(catalog: catalog)
        tracer.places = SafePlaces(isMasked: isMasked)
        // What is too complex to be followed to its end keeps nothing.
        do { if try tracer.trace(statement) != nil { places.safe = tracer.places?.found ?? [] } } catch is LineageTracer.TooComplex {}
        try look(at: statement, &places)
        return places
    }

    private static func look(at node: Message, _ places: inout Places) throws {
        if node.kind == .constant {
            if try node.has(Fields.Constant.boolean) { places.booleans.insert(try node.number(LiteralFields.constantLocation)) }
            return
        }
        if node.kind == .typeName {
            for modifier in try node.messages(LiteralFields.typeModifiers) where modifier.kind == .constant {
                if try modifier.has(Fields.Constant.integer) {
                    places.safe.insert(try modifier.number(LiteralFields.constantLocation))
                }
            }
        }
        try node.children { _, child in try look(at: child, &places) }
    }

    // MARK: The tokens

    private static func plan(of scanned: ScannedText, _ text: UnsafePointer<CChar>, _ statements: [Statement]) -> LiteralPlan {
        let hidesAny = statements.contains { $0.places != nil }
        var kept: [Bool] = []
        var parameters: [Int: Bool] = [:]
        var current = 0
        /// Where a minus stands of which a number's constant begins.
        var minus: Int?
        for token in scanned.tokens {
            let start = Int(token.start)
            while current < statements.count, start >= statements[current].end { current += 1 }
            let inside = current < statements.count && start >= statements[current].start
            let places = inside ? statements[current].places : nil
            if token.kind == TokenKind.parameter {
                let number = number(of: token, in: text)
                let isSafe = places.map { $0.keepsAll || $0.safe.contains(start) } ?? true
                parameters[number] = isSafe && parameters[number] ?? true
            }
            let sign = minus
            let isComment = token.kind == TokenKind.lineComment || token.kind == TokenKind.blockComment
            if !isComment { minus = token.kind == 0x2d ? start : nil }
            guard let literal = LiteralToken(token) else { continue }
            kept.append(
                inside
                    ? places.map { keeps(literal, sign: sign, $0) } ?? true
                        // What stands behind the last statement belongs to none.
                    : !hidesAny)
        }
        return LiteralPlan(kept: kept, keptParameters: Set(parameters.filter(\.value).keys))
    }

    private static func keeps(_ token: LiteralToken, sign: Int?, _ places: Places) -> Bool {
        let start = Int(token.start)
        switch token.sort {
        case .lineComment, .blockComment, .word: return false
        case .boolean: return places.keepsAll || !places.booleans.contains(start) || places.safe.contains(start)
        case .constant: return places.keepsAll || places.safe.contains(start) || sign.map(places.safe.contains) == true
        }
    }

    /// `$12` is 12.
    private static func number(of token: ScannedText.Token, in text: UnsafePointer<CChar>) -> Int {
        let digits = UnsafeRawBufferPointer(start: text, count: Int(token.end))[min(Int(token.start) + 1, Int(token.end))...]
        return Int(Int32(String(decoding: digits, as: UTF8.self)) ?? 0)
    }
}

extension Lineage {
    /// Whether the statement puts values into columns that it does not name: INSERT, MERGE and COPY without a list. True where the
    /// text cannot be read.
    public static func writesByPlace(_ source: StatementSource) -> Bool {
        func writes(_ node: Message) throws -> Bool {
            switch node.kind {
            case .insert:
                let isListed = try node.has(Fields.Insert.columns) || !node.has(Fields.Insert.query)
                if !isListed { return true }
            case .copy: if try node.has(Fields.Copy.relation), try !node.has(Fields.Copy.columns) { return true }
            case .merge:
                for clause in try node.messages(Fields.Merge.clauses) {
                    if try clause.has(LineageFields.Write.mergeValues), try !clause.has(Fields.Merge.targets) { return true }
                }
            default: break
            }
            var found = false
            try node.children { _, child in
                if !found { found = try writes(child) }
            }
            return found
        }
        return Analyze.withTree(of: source.text) { try? writes($0) } ?? true
    }
}

enum LiteralFields {
    static let constantLocation = Schema.field("AConst", "location")
    static let parameterLocation = Schema.field("ParamRef", "location")
    static let typeModifiers = Schema.field("TypeName", "typmods")
    static let arrayElements = Schema.field("AArrayExpr", "elements")
}
