extension Parser {
    /// Passes over the code of a routine, to the `;` that ends the statement: the first outside of all blocks.
    ///
    /// - Parameter opened: A BEGIN was read already.
    mutating func routineBody(opened: Bool) throws(Unparsed) {
        var blocks: [Block] = opened ? [.statement] : []
        // Whoever calls has read what stands before the body.
        var begins = true
        while true {
            if token.kind == .end {
                guard blocks.isEmpty else { throw fail("a routine's body without an end") }
                return
            }
            if at(.semicolon) {
                guard !blocks.isEmpty else { return }
                try goOn()
                begins = true
                continue
            }
            begins = try step(&blocks, begins: begins)
            guard blocks.count <= limits.depth else { throw fail("blocks nested deeper than \(limits.depth) levels") }
        }
    }

    private enum Block { case statement, caseValue }

    /// The `;` belongs to the body.
    private mutating func goOn() throws(Unparsed) {
        guard index == tokens.count - 1 else { return advance() }
        try readToSemicolon()
        index += 1
    }

    /// - Returns: Whether the next token begins a statement.
    private mutating func step(_ blocks: inout [Block], begins: Bool) throws(Unparsed) -> Bool {
        let word = token.keyword
        let isLabel = begins && isName(token) && peek(1).symbol == .colon
        if isLabel {
            advance()
            advance()
            return true
        }
        switch word {
        case .begin where begins, .loop where begins, .repeat where begins, .while where begins, .if where begins:
            blocks.append(.statement)
            advance()
            return word == .begin || word == .loop || word == .repeat
        case .case:
            blocks.append(begins ? .statement : .caseValue)
            advance()
            return false
        // Elsewhere it is a name, or part of a statement such as BACKUP STAGE END.
        case .end where blocks.last == .caseValue || (!blocks.isEmpty && (begins || peek(1).keyword == .repeat)):
            blocks.removeLast()
            advance()
            if blocks.last != .caseValue { _ = accept(any: [.if, .case, .loop, .repeat, .while, .for]) }
            return false
        case .then, .else:
            advance()
            return blocks.last != .caseValue
        case .do:
            advance()
            return !begins
        case .for where begins && server.isMariaDB:
            blocks.append(.statement)
            advance()
            return false
        default:
            // DECLARE .. HANDLER FOR .. BEGIN: a block that no statement's end comes before.
            if word == .begin, !blocks.isEmpty {
                blocks.append(.statement)
                advance()
                return true
            }
            advance()
            return false
        }
    }
}
