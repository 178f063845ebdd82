import Masking
import NIOCore
import Testing

@testable import Postgres

/// Masks of the client alone, and of the recording alone.
@Suite struct RelayViewTests {
    private let secret = "select id, ssn from customers"
    private let copy = "copy customers (id, ssn) to stdout"
    private let clear: [Message] = [
        .columns("id", "ssn"), .row("1", "123"), .row("2", nil), .row(nil, "x"), .complete("SELECT 3"), .ready(),
    ]
    private let masked: [Message] = [
        .columns("id", "ssn"), .row("1", "****"), .row("2", nil), .row(nil, "****"), .complete("SELECT 3"), .ready(),
    ]

    private func bench(_ views: Views) -> RelayBench {
        let bench = RelayBench()
        bench.judge.views = views
        return bench
    }

    private func recorded(_ bench: RelayBench) -> [Message] { Message.split(bench.sink.recordedOfServer) }

    @Test(arguments: [1, 7, 40, 10_000]) func rowsOfEachView(cut: Int) throws {
        let bytes = clear.flatMap(\.bytes)
        for (views, sent, kept, reason) in [
            (Views.client, masked, clear, Replacement.maskOfClient), (.recording, clear, masked, .maskOfRecording),
        ] {
            let bench = bench(views)
            try bench.client(.query(secret))
            for start in stride(from: 0, to: bytes.count, by: cut) {
                try bench.server(bytes: Array(bytes[start..<min(start + cut, bytes.count)]))
            }
            #expect(bench.toClient == sent)
            #expect(recorded(bench) == kept)
            #expect(bench.sink.replaced == [reason] && bench.machine.counters.rows == 3)
            #expect(bench.sink.serverBytes == bytes.count)
        }
    }

    @Test func aResultWithoutTheColumnIsOneForBoth() throws {
        let bench = bench(.recording)
        try bench.client(.query("select id, ssn from a; select id from b"))
        try bench.server(
            .columns("id", "ssn"), .row("1", "2"), .complete("SELECT 1"), .columns("id"), .row("3"), .complete("SELECT 1"), .ready())
        #expect(bench.toClient.contains(.row("1", "2")) && bench.toClient.contains(.row("3")))
        #expect(recorded(bench).contains(.row("1", "****")) && recorded(bench).contains(.row("3")))
    }

    @Test func copyDataOfEachView() throws {
        let answer: [Message] = [.copyOut, .copyData("1\t123\n"), .copyData("2\t456\n"), .copyDone, .complete("COPY 2"), .ready()]
        let hidden: [Message] = [.copyOut, .copyData("1\t****\n"), .copyData("2\t****\n"), .copyDone, .complete("COPY 2"), .ready()]
        for (views, sent, kept) in [(Views.client, hidden, answer), (.recording, answer, hidden)] {
            let bench = bench(views)
            try bench.client(.query(copy))
            for message in answer { try bench.server(message) }
            #expect(bench.toClient == sent)
            #expect(recorded(bench) == kept)
            #expect(bench.sink.serverBytes == answer.flatMap(\.bytes).count)
        }
    }

    /// A row that arrives in pieces is recorded once it is whole.
    @Test func copyDataInPieces() throws {
        let bench = bench(.recording)
        try bench.client(.query(copy))
        try bench.server(.copyOut, .copyData("1\t12"), .copyData("3\n2\t4"), .copyData("56\n"), .copyDone, .complete("COPY 2"), .ready())
        #expect(bench.toClient.contains(.copyData("3\n2\t4")))
        let data = recorded(bench).filter { $0.bytes[0] == UInt8(ascii: "d") }.flatMap { $0.bytes.dropFirst(5) }
        #expect(String(decoding: data, as: UTF8.self) == "1\t****\n2\t****\n")
    }

    @Test func wordsOfTheServerAreWithheldFromThatView() throws {
        let words = Message.error("23505", "Key (ssn)=(123) already exists.")
        for views in [Views.client, .recording, .both] {
            let bench = bench(views)
            try bench.client(.query(secret))
            try bench.server(.notice("123"), words, .ready())
            #expect(bench.toClient.contains(words) == !views.contains(.client))
            #expect(bench.toClient.contains(.notice("123")) == !views.contains(.client))
            #expect(recorded(bench).contains(words) == !views.contains(.recording))
            #expect(recorded(bench).contains(.notice("123")) == !views.contains(.recording))
            #expect(bench.toClient.count == 3 && recorded(bench).count == 3)
        }
    }

    /// What detectors find is for nobody, whose view ever a mask is of.
    @Test func detectorsLookForBoth() throws {
        for views in [Views.client, .recording] {
            let bench = bench(views)
            bench.judge.redactor = try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) })
            try bench.client(.query("select ssn, note from customers"))
            try bench.server(
                .columns("ssn", "note"), .row("a@example.com", "b@example.com"), .row("1", "y"), .complete("SELECT 2"), .ready())
            let seen = views == .client ? recorded(bench) : bench.toClient
            let hidden = views == .client ? bench.toClient : recorded(bench)
            #expect(seen.contains(.row("[email]", "[email]")) && seen.contains(.row("1", "y")))
            #expect(hidden.contains(.row("****", "[email]")) && hidden.contains(.row("****", "y")))
        }
    }

    @Test func originalsStandBesideWhatIsRecorded() throws {
        let bench = bench(.recording)
        bench.judge.original = .asItCame
        try bench.client(.query(secret))
        try bench.server(bytes: clear.flatMap(\.bytes))
        let rows: [Message] = Array(clear[1...3])
        #expect(bench.sink.originals.map(\.bytes) == [rows.flatMap(\.bytes)])
        #expect(bench.sink.originals.map(\.recorded) == [masked[1...3].flatMap(\.bytes).count])
        bench.forget()
        try bench.client(.query(copy))
        try bench.server(.copyOut, .copyData("1\t123\n"), .copyDone, .complete("COPY 1"), .ready())
        #expect(bench.sink.originals.map(\.bytes) == [Message.copyData("1\t123\n").bytes])
    }

    @Test func aMalformedRowEndsTheSession() throws {
        for views in [Views.client, .recording] {
            let bench = bench(views)
            try bench.client(.query(secret))
            #expect(throws: ProtocolViolation.self) { try bench.server(.columns("id", "ssn"), .row("1", "2"), .row("1", "2", "3")) }
            #expect(bench.toClient.count == 2)
        }
    }

    @Test func valuesAreCountedOnceForBothViews() throws {
        for views in [Views.client, .recording, .both] {
            let bench = bench(views)
            bench.judge.countsMaskedValues = true
            try bench.client(.query(secret))
            try bench.server(bytes: clear.flatMap(\.bytes))
            #expect(Set(bench.machine.fingerprints).count == 2)
        }
    }
}
