import Foundation
import GatehouseCore

/// An object in memory.
final class MemoryObject: StoredObject {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var size: Int { bytes.count }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard offset >= 0, offset < bytes.count else { return 0 }
        let count = min(buffer.count, bytes.count - offset)
        bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        return count
    }
}

/// A piece of evidence as a line of JSON, in which it travels to who may open it: `{"segment":1,"data":"..."}` or `{"batch":"..."}`, the
/// bytes in base64.
extension EvidencePiece {
    private struct Line: Codable {
        var segment: UInt32?
        var data: Data?
        var batch: Data?
    }

    /// Without a line end.
    /// - Throws: `StoreError` when the segment cannot be read.
    public func line() throws -> [UInt8] {
        switch self {
        case .segment(let ordinal, let object):
            let bytes = try object.read(at: 0, count: object.size)
            return try canonicalJSON(Line(segment: ordinal, data: Data(bytes)))
        case .batch(let record): return try canonicalJSON(Line(batch: Data(record)))
        }
    }

    /// nil when it is no such line.
    public init?(line: some Sequence<UInt8>) {
        guard let line = try? Line.fromJSON(line) else { return nil }
        if let ordinal = line.segment, let data = line.data {
            self = .segment(ordinal: ordinal, MemoryObject(Array(data)))
        } else if let batch = line.batch {
            self = .batch(Array(batch))
        } else {
            return nil
        }
    }

    /// The sequence of its last frame and whether the session ends in it; nil when it cannot be told (or is an opening).
    public var last: (sequence: UInt64, isEnd: Bool)? {
        switch self {
        case .segment(_, let object):
            guard let decoder = try? SegmentDecoder(object) else { return nil }
            return (decoder.header.lastSequence, decoder.content.end != nil)
        case .batch(let record):
            guard let header = record.withUnsafeBytes({ BatchHeader($0) }), header.kind == .frames else { return nil }
            return (header.lastSequence, header.hasEnd)
        }
    }
}
