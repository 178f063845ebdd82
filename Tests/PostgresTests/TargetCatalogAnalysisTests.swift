import Analysis
import Foundation
import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// The planner with the facts of the real analyser: what `MaskPlanner` relies on holds.
@Suite struct TargetCatalogAnalysisTests {
    private let context = StatementContext(searchPath: ["public"])

    private func facts(_ sql: String) throws -> Action {
        let analyzer = StatementAnalyzer(statementBytes: 1 << 20, inlineBytes: 1 << 16, cacheEntries: 16)
        let analysis = try #require(Array(sql.utf8).withUnsafeBytes { analyzer.analysis(of: $0) })
        return try #require(analysis.actions.first, "\(sql)")
    }

    @Test(arguments: MaskedCorpus.harmless + MaskedCorpus.harmlessByLineage)
    func harmlessStatementsPass(sql: String) throws {
        let action = try facts(sql)
        try MaskedDatabase.shared.get().alone { session, planner in
            let plan = planner.plan(for: try session.describe(sql), of: action, in: context)
            let passes = plan.decisions.allSatisfy { $0.isPass }
            #expect(passes, "\(action)")
            #expect(planner.refusal(of: action, in: context) == nil)
        }
    }

    @Test(arguments: MaskedCorpus.leaks.map(\.sql) + MaskedCorpus.deeperLeaks)
    func nothingLeaks(sql: String) throws {
        let action = try facts(sql)
        try MaskedDatabase.shared.get().alone { session, planner in
            guard planner.refusal(of: action, in: context) == nil else { return }
            let (columns, rows) = try session.query(sql)
            let plan = planner.plan(for: columns, of: action, in: context)
            let mask = try #require(plan.rows, "\(action)")
            #expect(planner.mayRevealMasked(action, in: context))
            for row in rows {
                var buffer = ByteBuffer()
                buffer.writeInteger(Int16(row.count))
                for value in row {
                    buffer.writeInteger(Int32(value?.count ?? -1))
                    if let value { buffer.writeBytes(value) }
                }
                var output = ByteBuffer()
                _ = try mask.mask(dataRow: buffer.readableBytesView, into: &output)
                let shown = String(decoding: output.readableBytesView, as: UTF8.self)
                #expect(!shown.contains(MaskedDatabase.secret) && !shown.contains(String(MaskedDatabase.secret.reversed())), "\(action)")
            }
        }
    }

    @Test(arguments: MaskedCorpus.refused)
    func whatLeadsOutIsRefused(sql: String) throws {
        let action = try facts(sql)
        #expect(try MaskedDatabase.shared.get().planner.refusal(of: action, in: context) != nil, "\(action)")
    }

    @Test(arguments: MaskedCorpus.allowed)
    func whatStaysInsideIsNot(sql: String) throws {
        let action = try facts(sql)
        let refusal = try MaskedDatabase.shared.get().planner.refusal(of: action, in: context)
        #expect(refusal == nil, "\(action)")
    }
}
