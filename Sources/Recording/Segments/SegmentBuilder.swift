import Crypto
import GatehouseCore

/// Makes segments out of frames.
final class SegmentBuilder {
    private let compressor: ZstdCompressor

    init() throws(ZstdError) {
        compressor = try ZstdCompressor()
    }

    /// A segment file, and the hash that its trailer holds.
    struct Segment {
        var bytes: [UInt8]
        var header: SegmentHeader
        var hash: [UInt8]
    }

    /// - Parameter frames: whole frames with plain checksums.
    func build(
        session: SessionID, ordinal: UInt32, frameCount: UInt32, sequences: ClosedRange<UInt64>, previous: [UInt8],
        frames: UnsafeRawBufferPointer
    ) throws(ZstdError) -> Segment {
        var bytes = [UInt8](repeating: 0, count: SegmentHeader.size)
        let stored = try compressor.compress(frames, into: &bytes)
        let header = SegmentHeader(
            session: session, ordinal: ordinal, frameCount: frameCount, firstSequence: sequences.lowerBound,
            lastSequence: sequences.upperBound, uncompressedBytes: UInt64(frames.count), storedBytes: UInt64(stored), previous: previous)
        bytes.replaceSubrange(0..<SegmentHeader.size, with: header.encoded())
        let hash = bytes.withUnsafeBytes { raw -> [UInt8] in
            var hasher = SHA256()
            hasher.update(bufferPointer: raw)
            return Array(hasher.finalize())
        }
        bytes.append(contentsOf: hash)
        return Segment(bytes: bytes, header: header, hash: hash)
    }
}
