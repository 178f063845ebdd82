import Analysis
import CFuzz
import Foundation

/// Feeds bytes to the analyser twice, once without a cache and once with, and stops where the two differ or either traps.
///
/// Runs on a thread with the stack that `AnalysisThreads` gives, since that is what the bounds on nesting are made for.
@main
enum FuzzSQL {
    nonisolated(unsafe) private static var analyzer = StatementAnalyzer(statementBytes: 1 << 20, inlineBytes: 8_192, cacheEntries: 512)

    static func main() {
        let thread = Thread {
            var count = CommandLine.argc
            var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
            exit(
                LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in FuzzSQL.one(UnsafeRawBufferPointer(start: bytes, count: count)) })
        }
        thread.stackSize = AnalysisThreads.stackBytes
        thread.start()
        while true { sleep(3_600) }
    }

    private static func one(_ text: UnsafeRawBufferPointer) -> Int32 {
        let fresh = StatementAnalyzer.analyze(text, statementBytes: 1 << 20)
        precondition(fresh.failure == nil || fresh.actions.map(\.flags) == [.unparsed], "a failure must be told as unparsed")
        precondition(fresh.actions.allSatisfy { !$0.kinds.isEmpty }, "a statement without a kind")
        if let cached = analyzer.analysis(of: text) {
            precondition(cached.actions == fresh.actions, "the cache tells other facts than the text")
            precondition(cached.dependsOnStringSetting == fresh.dependsOnStringSetting, "the cache tells another lexing")
        }
        return 0
    }
}
