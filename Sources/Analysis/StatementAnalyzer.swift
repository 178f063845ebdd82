/// Tells what statement texts do, and remembers it: one for each event loop.
///
/// Two caches: by the exact text, and by the text without its literals (`LiteralKey`), which only analyses enter whose
/// facts no literal had a part in. A text that is in neither is analysed at once if it is short and shallow.
public final class StatementAnalyzer {
    private let statementBytes: Int
    private let inlineBytes: Int
    private var exact: GenerationCache
    private var shared: GenerationCache
    private var scratch: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - statementBytes: A longer text is not analysed: `unparsed`.
    ///   - inlineBytes: A longer text is not analysed on the caller's thread.
    ///   - cacheEntries: Entries of each of the two caches; they take at most 1 KiB times this each.
    public init(statementBytes: Int, inlineBytes: Int, cacheEntries: Int) {
        self.statementBytes = statementBytes
        self.inlineBytes = min(inlineBytes, statementBytes)
        let entries = min(max(cacheEntries, 16), 1 << 24)
        exact = GenerationCache(entries: entries, bytes: entries * 1_024)
        shared = GenerationCache(entries: entries, bytes: entries * 1_024)
        scratch = .allocate(byteCount: max(self.inlineBytes, 0), alignment: 1)
    }

    deinit { scratch.deallocate() }

    /// nil: not cached, and too long or too deep for the event loop. Then call `analyze` on another thread
    /// (`AnalysisThreads`), use its answer, and `remember` it.
    public func analysis(of text: UnsafeRawBufferPointer) -> Analysis? {
        if text.count > statementBytes { return Analysis(failure: Analyze.tooLong(text.count, statementBytes)) }
        if let known = exact.analysis(for: text) { return known }
        guard text.count <= inlineBytes else { return nil }
        let keyLength = LiteralKey.write(text, into: scratch)
        let key = keyLength.map { UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(scratch)[..<$0]) }
        if let key, let known = shared.analysis(for: key) { return known }
        switch Analyze.run(text, statementBytes: statementBytes, depthLimit: NestingGuard.inlineLimit) {
        case .tooDeepHere: return nil
        case .done(let analysis):
            if let key, analysis.isSharable {
                shared.insert(analysis, for: key)
            } else {
                exact.insert(analysis, for: text)
            }
            return analysis
        }
    }

    /// Keeps an analysis that was made elsewhere for the next time, unless it is too large to keep.
    public func remember(_ analysis: Analysis, for text: UnsafeRawBufferPointer) {
        guard text.count <= statementBytes else { return }
        exact.insert(analysis, for: text)
    }

    /// Analyses without a cache. For a thread with a stack of at least 16 MiB.
    public static func analyze(_ text: UnsafeRawBufferPointer, statementBytes: Int) -> Analysis {
        switch Analyze.run(text, statementBytes: statementBytes, depthLimit: NestingGuard.limit, keepsLiterals: true) {
        case .done(let analysis): analysis
        case .tooDeepHere: Analysis(failure: "statement is nested too deeply")
        }
    }

    /// How much is remembered, for metrics and tests.
    var cached: (exact: Int, shared: Int, bytes: Int) { (exact.count, shared.count, exact.bytes + shared.bytes) }
}

@available(*, unavailable)
extension StatementAnalyzer: Sendable {}
