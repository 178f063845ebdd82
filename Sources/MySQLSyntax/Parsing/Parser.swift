/// Reads one statement after the other by recursive descent. What it does not know for certain it throws as ``Unparsed``.
struct Parser {
    var server: Server
    let limits: ParseLimits
    var lexer: Lexer
    /// Of the statement so far read; the last is a `;` or the end.
    var tokens: [Token] = []
    var index = 0
    var depth = 0
    /// Tokens of the statements before.
    var spent = 0
    var facts = Statement(range: 0..<0)
    /// Query blocks so far, and those that we are in.
    var scope = 0
    var scopeStack: [Int] = []
    /// Names that WITH defines where we are, innermost last.
    var commonTables: [Set<String>] = []

    init(_ bytes: [UInt8], server: Server, limits: ParseLimits) {
        self.server = server
        self.limits = limits
        lexer = Lexer(bytes, server: server)
    }

    var bytes: [UInt8] { lexer.bytes }

    // MARK: - The text

    mutating func text() -> ParsedText {
        var result = ParsedText()
        do throws(Unparsed) {
            guard bytes.count <= limits.textBytes else {
                throw Unparsed(reason: "text is longer than \(limits.textBytes) bytes", offset: 0)
            }
            guard server.mode.isDisjoint(with: [.oracle, .mssql]) else {
                throw Unparsed(reason: "a sql_mode with another grammar", offset: 0)
            }
            while try readStatement() {
                guard result.statements.count < limits.statements else { throw fail("more than \(limits.statements) statements") }
                if token.kind != .end && token.symbol != .semicolon {
                    try statement()
                    guard token.kind == .end || token.symbol == .semicolon else { throw fail("more than the statement") }
                    finish()
                    result.statements.append(facts)
                    if tokensFollow { try readAsSettingsSay() }
                } else if token.symbol == .semicolon, tokensFollow {
                    throw fail("an empty statement")
                }
            }
        } catch {
            result.failure = error
        }
        return result
    }

    /// Whether anything but blanks and comments follows the `;` that we are at.
    private var tokensFollow: Bool {
        var ahead = lexer
        ahead.startStatement()
        guard token.kind != .end else { return false }
        guard let next = try? ahead.next() else { return true }
        return next.kind != .end
    }

    /// What a statement of the text changes holds for those behind it; where that cannot be known, they are not read.
    private mutating func readAsSettingsSay() throws(Unparsed) {
        let changes = facts.settings + facts.inner.flatMap(\.settings)
        let runsUnseen =
            facts.runs != nil && facts.kinds.contains("execute") || facts.kinds.contains("call") || facts.kinds.contains("compound")
        guard !runsUnseen, !(facts.flags.contains(.opaque) && facts.kinds.contains("execute")) else {
            throw fail("statements behind one that may change how they are read")
        }
        for setting in changes where setting.scope == .session {
            switch setting.name {
            case "sql_mode":
                guard facts.inner.isEmpty, let value = setting.value, let mode = SQLMode(names: value),
                    mode.isDisjoint(with: [.oracle, .mssql])
                else { throw fail("statements behind a sql_mode that is not known") }
                server.mode = mode
                lexer.server.mode = mode
            case "names", "character_set", "character_set_client":
                guard let value = setting.value?.lowercased(), Self.plainCharsets.contains(value) else {
                    throw fail("statements behind a character set that is not known")
                }
            default: continue
            }
        }
    }

    private static let plainCharsets: Set<String> = [
        "utf8", "utf8mb3", "utf8mb4", "latin1", "ascii", "binary", "latin2", "cp1250", "cp1251",
    ]

    /// Reads on to the next `;`. False at the end of the text.
    private mutating func readStatement() throws(Unparsed) -> Bool {
        if let last = tokens.last, last.kind == .end { return false }
        spent += tokens.count
        tokens.removeAll(keepingCapacity: true)
        index = 0
        depth = 0
        scope = 0
        scopeStack = []
        commonTables = []
        lexer.startStatement()
        lexer.hints = []
        try readToSemicolon()
        facts = Statement(range: tokens[0].start..<tokens[0].start)
        return true
    }

    mutating func readToSemicolon() throws(Unparsed) {
        while true {
            let next = try lexer.next()
            tokens.append(next)
            guard spent + tokens.count <= limits.tokens else {
                throw Unparsed(reason: "more than \(limits.tokens) tokens", offset: next.start)
            }
            if next.kind == .end || next.symbol == .semicolon { return }
        }
    }

    private mutating func finish() {
        let used = tokens[..<index]
        facts.range = facts.range.lowerBound..<(used.last?.end ?? facts.range.lowerBound)
        facts.literals = used.filter(\.isLiteral).map { Literal(kind: $0.kind, range: $0.range) }
        facts.hints = lexer.hints
        facts.scopes = scope
        facts.normalized = Normal.form(of: used, in: bytes)
    }

    // MARK: - Tokens

    var token: Token { tokens[index] }

    func peek(_ ahead: Int) -> Token {
        index + ahead < tokens.count ? tokens[index + ahead] : tokens[tokens.count - 1]
    }

    /// Never beyond the last, which is an end.
    mutating func advance() { if index + 1 < tokens.count { index += 1 } }

    var lastEnd: Int { index > 0 ? tokens[index - 1].end : token.start }

    func fail(_ reason: String) -> Unparsed { Unparsed(reason: reason, offset: token.start) }

    func at(_ keyword: Keyword) -> Bool { token.keyword == keyword }
    func at(_ symbol: Symbol) -> Bool { token.symbol == symbol }
    func at(any keywords: Set<Keyword>) -> Bool { token.keyword.map { keywords.contains($0) } ?? false }
    func at(_ first: Keyword, _ second: Keyword) -> Bool { token.keyword == first && peek(1).keyword == second }
    var atEnd: Bool { token.kind == .end || token.symbol == .semicolon }

    mutating func accept(_ keyword: Keyword) -> Bool {
        guard token.keyword == keyword else { return false }
        advance()
        return true
    }

    mutating func accept(_ symbol: Symbol) -> Bool {
        guard token.symbol == symbol else { return false }
        advance()
        return true
    }

    mutating func accept(_ first: Keyword, _ second: Keyword, _ third: Keyword? = nil) -> Bool {
        guard at(first, second), third == nil || peek(2).keyword == third else { return false }
        advance()
        advance()
        if third != nil { advance() }
        return true
    }

    mutating func accept(any keywords: Set<Keyword>) -> Keyword? {
        guard let keyword = token.keyword, keywords.contains(keyword) else { return nil }
        advance()
        return keyword
    }

    mutating func expect(_ keyword: Keyword) throws(Unparsed) {
        guard accept(keyword) else { throw fail("expected \(keyword.spelling.uppercased())") }
    }

    mutating func expect(_ symbol: Symbol) throws(Unparsed) {
        guard accept(symbol) else { throw fail("expected another symbol") }
    }

    /// One level deeper; whoever calls takes it back by `depth -= 1`, unless the statement is given up anyway.
    mutating func enter() throws(Unparsed) {
        depth += 1
        guard depth <= limits.depth else { throw fail("nested deeper than \(limits.depth) levels") }
    }

    // MARK: - Names

    var atName: Bool { isName(token) }

    func isName(_ token: Token) -> Bool {
        switch token.kind {
        case .name, .quotedName: true
        case .word: token.keyword.map { !$0.isReserved(by: server.flavour) } ?? true
        default: false
        }
    }

    mutating func name() throws(Unparsed) -> String {
        guard atName else { throw fail("expected a name") }
        let name = spelled(token)
        advance()
        return name
    }

    /// Behind a dot any word is a name.
    mutating func nameBehindDot() throws(Unparsed) -> String {
        guard atName else { throw fail("expected a name") }
        let name = spelled(token)
        advance()
        return name
    }

    /// As the server keeps it: without quotes.
    func spelled(_ token: Token) -> String {
        switch token.kind {
        case .quotedName: Decoded.quotedName(bytes[token.range])
        case .string, .nationalString: Decoded.string(bytes[token.range], mode: server.mode).text
        case .userVariable: Decoded.variable(bytes[token.range], mode: server.mode)
        default: String(decoding: bytes[token.range], as: UTF8.self)
        }
    }

    func lowered(_ token: Token) -> String { spelled(token).lowercased() }

    mutating func names() throws(Unparsed) -> [String] {
        var result = [try name()]
        while accept(.comma) { result.append(try name()) }
        return result
    }

    mutating func parenthesisedNames() throws(Unparsed) -> [String] {
        try expect(.leftParen)
        let result = try names()
        try expect(.rightParen)
        return result
    }

    /// `[database.]name`, also `.name`.
    mutating func tableName() throws(Unparsed) -> TableName {
        if accept(.dot) { return TableName(database: nil, name: try nameBehindDot()) }
        let first = try name()
        guard accept(.dot) else { return TableName(database: nil, name: first) }
        return TableName(database: first, name: try nameBehindDot())
    }

    /// A table that the statement works on outside of a FROM.
    @discardableResult
    mutating func table(_ access: TableUse.Access, alias: String? = nil) throws(Unparsed) -> Int {
        let offset = token.start
        let name = try tableName()
        facts.tables.append(TableUse(name: name, alias: alias, access: access, scope: currentScope, offset: offset))
        return facts.tables.count - 1
    }

    mutating func tables(_ access: TableUse.Access) throws(Unparsed) {
        repeat { try table(access) } while accept(.comma)
    }

    @discardableResult
    mutating func string() throws(Unparsed) -> String {
        guard token.kind == .string || token.kind == .nationalString || token.kind == .hex else { throw fail("expected a string") }
        let text = spelled(token)
        advance()
        return text
    }

    mutating func integer() throws(Unparsed) {
        guard token.kind == .integer || token.kind == .hex else { throw fail("expected a number") }
        advance()
    }

    mutating func ifExists() throws(Unparsed) {
        if accept(.if) {
            try expect(.exists)
        }
    }

    @discardableResult
    mutating func ifNotExists() throws(Unparsed) -> Bool {
        guard accept(.if) else { return false }
        try expect(.not)
        try expect(.exists)
        return true
    }
}
