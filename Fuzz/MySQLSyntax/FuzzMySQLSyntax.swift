import CFuzz
import Foundation
import MySQLSyntax

/// Feeds bytes to MySQL's parser under several servers and modes, and stops where it traps or tells of what is not there.
@main
enum FuzzMySQLSyntax {
    private static let servers = [
        Server(flavour: .mariadb, version: 101_119), Server(flavour: .mysql, version: 80_036),
        Server(flavour: .mysql, version: nil, mode: [.ansiQuotes, .noBackslashEscapes, .pipesAsConcat]),
    ]

    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(
            LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
                FuzzMySQLSyntax.one(UnsafeRawBufferPointer(start: bytes, count: count))
            })
    }

    private static func one(_ input: UnsafeRawBufferPointer) -> Int32 {
        let text = Array(input)
        for server in servers {
            let parsed = ParsedText.parse(text, server: server)
            for statement in parsed.statements {
                precondition(!statement.kinds.isEmpty, "a statement without a kind")
                precondition(statement.range.upperBound <= text.count, "a statement behind the text")
                precondition(
                    statement.literals.allSatisfy { statement.range.contains($0.range.lowerBound) }, "a literal outside of its statement")
            }
        }
        return 0
    }
}
