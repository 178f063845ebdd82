import Foundation
import GatehouseCore
import Testing

@testable import Recording
@testable import Review

/// Random numbers that are the same each run (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

private func object(_ line: some Sequence<UInt8>) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
}

private let session = SessionID(high: 0x0193_2C5E_7C1A_7000, low: 0x8000_0123_4567_89AB)

@Suite struct JSONLinesTests {
    /// Whatever the frames hold, each line is one of JSON, and read back it is the frame.
    @Test(arguments: 0..<40) func anyFramesReadBackTheSame(seed: UInt64) throws {
        var random = Seeded(state: seed)
        var writer = JSONLinesWriter()
        var frames: [Frame] = []
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            let count = Int.random(in: 0...300, using: &random)
            let frame = Frame(
                kind: try #require(RecordKind.allCases.randomElement(using: &random)),
                session: SessionID(high: random.next(), low: random.next()), sequence: random.next(),
                time: WallTime(nanoseconds: random.next()), payload: (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            frames.append(frame)
            bytes += try writer.write(frame, events: [Array(#"{"type":"note","text":"\n\u0000"}"#.utf8)])
        }
        bytes += try writer.finish(ExportSummary(check: .signature, frames: UInt64(frames.count)))
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 2 * frames.count + 1)
        #expect(try lines.compactMap { try JSONLinesWriter.frame(line: $0) } == frames)
    }

    @Test func linesSayWhatTheyAre() throws {
        var writer = JSONLinesWriter(includesResults: false)
        let asked = Frame(kind: .clientMessages, session: session, sequence: 7, time: WallTime(nanoseconds: .max), payload: [1, 2, 3])
        let answered = Frame(kind: .serverMessages, session: session, sequence: 8, time: WallTime(nanoseconds: 5), payload: [4, 5])
        let first = try writer.write(asked, events: [Array(#"{"type":"statement","text":"x"}"#.utf8)])
            .split(separator: UInt8(ascii: "\n")).map { try object($0) }
        #expect(first[0]["version"] as? Int == 1 && first[0]["type"] as? String == "frame")
        #expect(first[0]["kind"] as? String == "clientMessages" && first[0]["payload"] as? String == "AQID")
        #expect(first[0]["nanoseconds"] as? String == "18446744073709551615" && first[0]["session"] as? String == session.description)
        #expect(first[1]["type"] as? String == "statement" && first[1]["sequence"] as? Int == 7 && first[1]["version"] as? Int == 1)
        // What the server said is left out where it was not asked for; that it was there is not.
        let line = try writer.write(answered, events: [])
        #expect(try object(line)["payload"] == nil && object(line)["omitted_bytes"] as? Int == 2)
        #expect(try JSONLinesWriter.frame(line: line) == nil)
        let gap = Manifest.Gap(after: 3, before: 5, reason: "disk full")
        let end = try object(try writer.finish(ExportSummary(check: .chain, frames: 2, gaps: [gap], hasEnd: true)))
        #expect(end["type"] as? String == "summary" && end["check"] as? String == "chain" && end["has_end"] as? Bool == true)
        #expect((end["gaps"] as? [[String: Any]])?.first?["reason"] as? String == "disk full")
    }

    @Test(arguments: [
        "", "{", #"{"version":2,"type":"frame"}"#, #"{"version":1,"type":"frame"}"#,
        #"{"version":1,"type":"frame","session":"01932c5e-7c1a-7000-8000-0123456789ab","sequence":1,"nanoseconds":"1","kind":"x","payload":""}"#,
        #"{"version":1,"type":"frame","session":"01932c5e-7c1a-7000-8000-0123456789ab","sequence":1,"nanoseconds":"-1","kind":"end","payload":""}"#,
    ])
    func otherLinesAreErrors(line: String) {
        #expect(throws: (any Error).self) { try JSONLinesWriter.frame(line: line.utf8) }
    }
}

@Suite struct CastTests {
    /// Plays what it is told to.
    private struct Script: CastSource {
        let size = (columns: 80, rows: 24)
        var kinds: [CastEvent.Kind]

        mutating func play(_ frame: Frame, events: [[UInt8]]) -> [CastEvent] {
            kinds.map { CastEvent($0, at: frame.time) }
        }
    }

    private func frame(_ sequence: UInt64, _ nanoseconds: UInt64) -> Frame {
        Frame(kind: .clientMessages, session: session, sequence: sequence, time: WallTime(nanoseconds: nanoseconds), payload: [])
    }

    /// The form of the asciicast documentation: a header with version, width and height; arrays of time, code and data.
    @Test func headerAndEventsAreThoseOfVersionTwo() throws {
        var writer = CastWriter(
            Script(kinds: [.output("a\u{1B}[1m\"\\\n\u{0}é"), .input("x"), .marker("here"), .resize(columns: 90, rows: 30)]))
        let begin: UInt64 = 1_763_971_200_000_000_000
        let bytes = try writer.write(frame(1, begin), events: []) + writer.write(frame(2, begin + 1_500_001_000), events: [])
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        let header = try object(lines[0])
        #expect(header["version"] as? Int == 2 && header["width"] as? Int == 80 && header["height"] as? Int == 24)
        #expect(header["timestamp"] as? Int == 1_763_971_200)
        let events = try lines.dropFirst().map { try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [Any]) }
        #expect(events.count == 8 && events.allSatisfy { $0.count == 3 && $0[0] is NSNumber && $0[2] is String })
        #expect(events.prefix(4).map { $0[1] as? String } == ["o", "i", "m", "r"])
        #expect(events[0][2] as? String == "a\u{1B}[1m\"\\\n\u{0}é" && events[3][2] as? String == "90x30")
        #expect(events[0][0] as? Double == 0 && events[4][0] as? Double == 1.500001)
        // No control character stands in the file itself.
        #expect(!bytes.contains { $0 < 0x20 && $0 != 0x0A })
    }

    @Test func timeNeverGoesBack() throws {
        var writer = CastWriter(Script(kinds: [.output("x")]))
        let times: [UInt64] = [5_000_000_000, 9_000_000_000, 1, .max, 6_000_000_000]
        var bytes: [UInt8] = []
        for (index, time) in times.enumerated() { bytes += try writer.write(frame(UInt64(index), time), events: []) }
        let seconds = try bytes.split(separator: UInt8(ascii: "\n")).dropFirst().map {
            try #require((try JSONSerialization.jsonObject(with: Data($0)) as? [Any])?[0] as? Double)
        }
        #expect(seconds.count == 5 && seconds == seconds.sorted() && seconds[2] == 4)
    }
}

@Suite struct ExportFileTests {
    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "gatehouse-review-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func theNameComesWithTheLastByte() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/out.jsonl"
        do {
            let file = try ExportFile(path: path)
            try file.write(Array("half".utf8))
            #expect(!FileManager.default.fileExists(atPath: path))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)

        let file = try ExportFile(path: path)
        try file.write(Array("all ".utf8))
        try file.write(Array("of it".utf8))
        try file.commit()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "all of it")
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["out.jsonl"])
    }

    @Test func placesThatCannotBeWrittenAreErrors() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: ExportError.self) { try ExportFile(path: folder) }
        #expect(throws: ExportError.self) { try ExportFile(path: folder + "/missing/out") }
    }
}
