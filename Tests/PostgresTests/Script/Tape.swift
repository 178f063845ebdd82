import Foundation
import GatehouseCore
import Recording

@testable import Postgres

/// A recording by hand.
struct Tape {
    private(set) var frames: [Frame] = []
    private var offset: UInt64 = 0

    private mutating func add(_ kind: RecordKind, _ payload: [UInt8]) {
        frames.append(
            Frame(
                kind: kind, session: SessionID(high: 1, low: 2), sequence: UInt64(frames.count) + 1,
                time: WallTime(nanoseconds: UInt64(frames.count)), payload: payload))
    }

    mutating func client(_ messages: Message...) {
        for message in messages {
            add(.clientMessages, message.bytes)
            offset += UInt64(message.bytes.count)
        }
    }

    mutating func server(_ messages: Message...) {
        add(.serverMessages, messages.flatMap(\.bytes))
    }

    /// Denies what the client says next.
    /// What the recording has of the server where masks changed it.
    mutating func server(_ messages: Message..., because reason: Replacement) {
        let bytes = messages.flatMap(\.bytes)
        let words: [UInt64] = [1, 1, UInt64(bytes.count), UInt64(bytes.count)]
        add(.masked, words.flatMap { word in withUnsafeBytes(of: word.littleEndian, Array.init) } + Array(reason.rawValue.utf8))
        add(.serverMessages, bytes)
    }

    mutating func deny(_ rule: String, _ reason: String = "") throws {
        try decide(Verdict(decision: .deny, rule: rule, reason: reason))
    }

    /// Decides on what the client says next, or so many bytes later.
    mutating func decide(_ verdict: Verdict, behind bytes: Int = 0) throws {
        let ruling = try VerdictRecord.Ruling(verdict: verdict, kinds: [String](), policyVersion: "1").encoded()
        add(.verdict, withUnsafeBytes(of: ((offset + UInt64(bytes)).littleEndian, UInt64(0)), Array.init) + ruling)
    }

    /// What the client says is recorded in other words, or not at all.
    mutating func client(_ said: Message, recordedAs recorded: Message?) {
        let words: [UInt64] = [0, 1, UInt64(said.bytes.count), UInt64(recorded?.bytes.count ?? 0)]
        add(recorded == nil ? .withheld : .masked, words.flatMap { word in withUnsafeBytes(of: word.littleEndian, Array.init) })
        if let recorded { add(.clientMessages, recorded.bytes) }
        offset += UInt64(said.bytes.count)
    }

    mutating func end() throws {
        let end = Recording.SessionEnd(reason: "client-closed", accounting: Accounting(), durationNanoseconds: 1)
        add(.end, Array(try JSONEncoder().encode(end)))
    }
}
