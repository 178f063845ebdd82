import Analysis
import CFuzz
import Foundation
import GatehouseCore

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
        for action in fresh.actions {
            guard let source = action.source else { continue }
            _ = Lineage.of(source, in: FuzzCatalog())
        }
        // What keeps nothing shows none of the text's constants; what keeps some shows a text that is cut in the same places.
        let plan = LiteralPlan.find(in: text, hidden: [], catalog: FuzzCatalog()) { $0.attnum == 3 }
        if let shown = plan.masked(text) {
            let again = shown.bytes.withUnsafeBytes { LiteralPlan.keepingNothing.masked($0) }
            precondition(fresh.failure != nil || again != nil, "a text with its constants replaced cannot be read")
            if plan.keepsAll { precondition(shown.bytes.elementsEqual(text), "a text that keeps all is not the same") }
        } else {
            precondition(fresh.failure != nil, "a text that was read cannot be cut")
        }
        if let cached = analyzer.analysis(of: text) {
            precondition(cached.actions == fresh.actions, "the cache tells other facts than the text")
            precondition(cached.dependsOnStringSetting == fresh.dependsOnStringSetting, "the cache tells another lexing")
        }
        return 0
    }
}

/// Every name is a table of four columns.
private struct FuzzCatalog: LineageCatalog {
    func relations(named name: QualifiedName) -> [LineageRelation] {
        let columns = ["id", "name", "ssn", "a"].enumerated().map { LineageRelation.Column(attnum: Int16($0.offset + 1), name: $0.element) }
        return [LineageRelation(oid: UInt32(truncatingIfNeeded: name.name.utf8.count + 1), columns: columns)]
    }
}
