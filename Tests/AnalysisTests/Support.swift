import Foundation
import GatehouseCore
import Testing

@testable import Analysis

func analyse(_ sql: String, statementBytes: Int = 1_048_576) -> Analysis {
    var sql = sql
    return sql.withUTF8 { StatementAnalyzer.analyze(UnsafeRawBufferPointer($0), statementBytes: statementBytes) }
}

/// The facts of a text that holds one statement.
func facts(_ sql: String, _ location: SourceLocation = #_sourceLocation) throws -> Action {
    let analysis = analyse(sql)
    #expect(analysis.failure == nil, "\(sql)", sourceLocation: location)
    #expect(analysis.actions.count == 1, "\(sql)", sourceLocation: location)
    return try #require(analysis.actions.first, sourceLocation: location)
}

/// `read:public.t write:u`, sorted: short to write in a table of cases.
func objects(_ action: Action) -> String {
    action.objects.map { "\($0.access.rawValue):\($0.name)" }.sorted().joined(separator: " ")
}

func functions(_ action: Action) -> String { action.functions.map(\.description).sorted().joined(separator: " ") }

func words(_ set: Set<String>) -> String { set.sorted().joined(separator: " ") }

func flags(_ action: Action) -> String {
    let names: [(Action.Flags, String)] = [
        (.unboundedWrite, "unbounded"), (.opaque, "opaque"), (.unparsed, "unparsed"), (.copyProgram, "program"), (.copyFile, "file"),
        (.innerStar, "innerStar"), (.wholeRow, "wholeRow"), (.changesSchema, "schema"), (.computes, "computes"),
        (.callsUnknownFunction, "unknown"), (.controlsTransaction, "transaction"), (.movesData, "moves"),
    ]
    return names.filter { action.flags.contains($0.0) }.map(\.1).joined(separator: " ")
}

/// Runs `body` on a thread with the stack that analysis asks for.
func onLargeStack<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in
        let thread = Thread { continuation.resume(returning: body()) }
        thread.stackSize = AnalysisThreads.stackBytes
        thread.start()
    }
}

/// A small generator with a fixed seed (xorshift64*), so that a failure can be had again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed | 1 }
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
