import Foundation
import MySQLSyntax
import Testing

/// How many statements of a large set are parsed, and whether the tables are those that a server names.
///
/// `scripts/mysql-corpus` makes the set; GATEHOUSE_MYSQL_CORPUS says where it is. Without it there is nothing to measure.
@Suite struct CorpusTests {
    struct Record: Decodable {
        var text: String
        var accepted: Bool
        var missing: String?
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["GATEHOUSE_MYSQL_CORPUS"] != nil))
    func nineInTenAreParsedAndNoTableIsMissed() throws {
        let path = try #require(ProcessInfo.processInfo.environment["GATEHOUSE_MYSQL_CORPUS"])
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        var counts: [String: Int] = [:]
        for line in lines {
            let record = try JSONDecoder().decode(Record.self, from: Data(line.utf8))
            let parsed = ParsedText.parse(Array(record.text.utf8), server: mariadb)
            counts["\(record.accepted ? "accepted" : "rejected"), \(parsed.failure == nil ? "parsed" : "unparsed")", default: 0] += 1
            guard parsed.failure == nil, let missing = record.missing else { continue }
            let found = Self.names(missing, in: parsed)
            counts["missing tables named", default: 0] += found ? 1 : 0
            #expect(found, "\(missing) is not told of: \(record.text)")
        }
        let report = counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
        FileHandle.standardError.write(Data((report + "\n").utf8))
        let parsed = counts["accepted, parsed", default: 0]
        #expect(Double(parsed) >= 0.9 * Double(parsed + counts["accepted, unparsed", default: 0]))
    }

    /// The server looks into views and routines; what runs those is opaque.
    private static func names(_ missing: String, in parsed: ParsedText) -> Bool {
        let parts = missing.lowercased().split(separator: ".", maxSplits: 1)
        return parsed.statements.contains { statement in
            statement.flags.contains(.opaque)
                || (statement.tables + statement.inner.flatMap(\.tables)).contains {
                    $0.name.name.lowercased() == parts.last.map(String.init) ?? ""
                        && ($0.name.database == nil || $0.name.database?.lowercased() == parts.first.map(String.init))
                }
        }
    }
}
