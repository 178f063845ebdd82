internal import CPgQuery
import Synchronization

/// A text's tree as the parser gave it. What is asked of a statement when it is first seen (its facts, its lineage, its constants) is
/// asked one behind the other, so the last tree is kept: to make one costs more than to read it.
final class ParsedText: @unchecked Sendable {
    // Not changed after `init`; the library's memory is the object's own.
    private let result: PgQueryProtobufParseResult

    /// - Throws: `ScannedText.Failure` where the parser refuses the text.
    init(_ text: UnsafePointer<CChar>) throws {
        let result = pg_query_parse_protobuf(text)
        if let error = result.error {
            let position = Int(error.pointee.cursorpos)
            pg_query_free_protobuf_parse_result(result)
            throw ScannedText.Failure(position: position)
        }
        self.result = result
    }

    deinit { pg_query_free_protobuf_parse_result(result) }

    /// The tree; to be used only while this object lives.
    func tree() throws -> Message {
        guard let type = Schema.shared.typeIndex["ParseResult"] else { throw MalformedTree() }
        return Message(type: type, bytes: UnsafeRawBufferPointer(start: result.parse_tree.data, count: result.parse_tree.len))
    }

    // MARK: The last one

    private struct Kept {
        var text: [UInt8]
        var parsed: ParsedText
    }

    private static let last = Mutex<Kept?>(nil)

    /// The text's only statement is `statement`, which begins where the text does.
    func remember(as statement: [UInt8]) {
        let before = Self.last.withLock { last in
            defer { last = Kept(text: statement, parsed: self) }
            return last
        }
        // Freed here, outside of the lock.
        _ = consume before
    }

    /// The tree of a text that was analysed before: the kept one, or a new one.
    static func of(_ text: [UInt8]) -> ParsedText? {
        if let kept = last.withLock({ $0 }), kept.text == text { return kept.parsed }
        guard !text.contains(0) else { return nil }
        return (text + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { try? ParsedText($0.assumingMemoryBound(to: CChar.self)) }
        }
    }
}
