import MySQLSyntax
import Testing

/// The MariaDB that the tests speak to in their own words.
let mariadb = Server(flavour: .mariadb, version: 101_119)
let mysql = Server(flavour: .mysql, version: 80_036)

/// Characters that a test's line cannot hold stand in it as signs.
func bytes(of line: String) -> [UInt8] {
    let signs: [Unicode.Scalar: UInt8] = [
        "␀": 0x00, "␉": 0x09, "␊": 0x0A, "␋": 0x0B, "␌": 0x0C, "␍": 0x0D, "␡": 0x7F, "█": 0xA0,
    ]
    return line.unicodeScalars.flatMap { scalar in signs[scalar].map { [$0] } ?? Array(String(scalar).utf8) }
}

func parse(_ line: String, _ server: Server = mariadb) -> ParsedText { ParsedText.parse(bytes(of: line), server: server) }

/// The facts in a line: kinds, then `r:`, `w:`, `d:` and `m:` tables, functions, variables, settings and flags.
func shown(_ parsed: ParsedText) -> String {
    let statements = parsed.statements.map(shown)
    return (statements + (parsed.failure == nil ? [] : ["unparsed"])).joined(separator: "; ")
}

func shown(_ statement: Statement) -> String {
    var words = [statement.kinds.sorted().joined(separator: "+")]
    for table in statement.tables {
        let name = (table.name.database.map { $0 + "." } ?? "") + table.name.name
        words.append("\(table.access.rawValue.prefix(1)):\(name)\(table.alias.map { "=" + $0 } ?? "")")
    }
    words += statement.functions.map { ($0.schema.map { $0 + "." } ?? "") + $0.name + "()" }
    words += statement.variablesWritten.sorted().map { ">@" + $0 }
    words += statement.variablesRead.sorted().map { "@" + $0 }
    words += statement.settingsRead.sorted().map { "@@" + $0 }
    words += statement.settings.map { "\($0.scope == .session ? "" : $0.scope.rawValue + ".")\($0.name):=\($0.value ?? "?")" }
    words += statement.databases.map { "db:" + $0 }
    words += statement.routines.map { "routine:" + $0.name }
    words += statement.files.map { "file:" + $0 }
    if let condition = statement.condition { words.append("where-" + condition.rawValue) }
    if !statement.secrets.isEmpty { words.append("secrets-\(statement.secrets.count)") }
    let flags: [(Statement.Flags, String)] = [
        (.opaque, "OPAQUE"), (.writesFile, "WRITES-FILE"), (.readsFile, "READS-FILE"), (.localFile, "LOCAL-FILE"),
    ]
    words += flags.filter { statement.flags.contains($0.0) }.map(\.1)
    if let name = statement.defines { words.append("defines:" + name) }
    if let name = statement.runs { words.append("runs:" + name) }
    words += statement.inner.map { "[" + shown($0) + "]" }
    return words.joined(separator: " ")
}

/// A line `text ⟹ facts` of a table.
func check(_ line: Substring, _ server: Server = mariadb) throws {
    let parts = line.components(of: " ⟹")
    let text = try #require(parts.first)
    let facts = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    #expect(shown(parse(String(text), server)) == facts, "\(text)")
}

extension Substring {
    /// What stands before and behind the first `mark`.
    func components(of mark: String) -> [Substring] {
        guard let found = firstRange(of: mark) else { return [self] }
        return [self[..<found.lowerBound], self[found.upperBound...]]
    }
}
