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
        var content: SegmentExtension
        var hash: [UInt8]
    }

    /// What a segment is made of.
    enum Content {
        /// Whole frames with plain checksums, sealed with the key if there is one.
        case frames(UnsafeRawBufferPointer, SessionKey?)
        /// Whole batches with plain checksums, sealed already if `isSealed`.
        case batches(UnsafeRawBufferPointer, isSealed: Bool)
    }

    /// - Parameters:
    ///   - header: sizes, codec and flags are filled in here.
    func build(_ header: SegmentHeader, _ content: SegmentExtension, _ frames: Content) throws -> Segment {
        let extended = try canonicalJSON(content)
        guard extended.count <= SegmentHeader.maximumExtension else {
            throw StoreError("a segment of session \(header.session) says more of itself than the format has room for")
        }
        var header = header
        header.extensionBytes = UInt32(extended.count)
        var bytes = [UInt8](repeating: 0, count: SegmentHeader.size)
        bytes += extended
        switch frames {
        case .frames(let plain, nil):
            header.uncompressedBytes = UInt64(plain.count)
            header.storedBytes = UInt64(try compressor.compress(plain, into: &bytes))
            bytes.replaceSubrange(0..<SegmentHeader.size, with: header.encoded())
        case .frames(let plain, let key?):
            header.isSealed = true
            header.uncompressedBytes = UInt64(plain.count)
            var compressed: [UInt8] = []
            _ = try compressor.compress(plain, into: &compressed)
            header.storedBytes = UInt64(Self.sealedSize(compressed.count))
            let encoded = header.encoded()
            bytes.replaceSubrange(0..<SegmentHeader.size, with: encoded)
            try Self.seal(compressed, key, header: Array(SHA256.hash(data: encoded + extended)), into: &bytes)
        case .batches(let batches, let isSealed):
            header.codec = .batches
            header.isSealed = isSealed
            header.uncompressedBytes = UInt64(batches.count)
            header.storedBytes = UInt64(batches.count)
            bytes.replaceSubrange(0..<SegmentHeader.size, with: header.encoded())
            bytes.append(contentsOf: batches)
        }
        let hash = bytes.withUnsafeBytes { raw -> [UInt8] in
            var hasher = SHA256()
            hasher.update(bufferPointer: raw)
            return Array(hasher.finalize())
        }
        bytes.append(contentsOf: hash)
        return Segment(bytes: bytes, header: header, content: content, hash: hash)
    }

    /// A salt, then chunks of which only the last may be short; there is always one.
    private static func sealedSize(_ count: Int) -> Int {
        let chunks = max(1, (count + SegmentKey.chunkSize - 1) / SegmentKey.chunkSize)
        return SegmentKey.saltSize + count + chunks * SessionKey.tagSize
    }

    private static func seal(_ plain: [UInt8], _ key: SessionKey, header: [UInt8], into output: inout [UInt8]) throws {
        let salt = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        output += salt
        output.reserveCapacity(output.count + sealedSize(plain.count) + SegmentHeader.trailerSize)
        let key = key.segmentKey(salt: salt)
        try plain.withUnsafeBytes { all in
            var start = 0
            var index: UInt64 = 0
            repeat {
                let end = min(start + SegmentKey.chunkSize, all.count)
                let chunk = UnsafeRawBufferPointer(rebasing: all[start..<end])
                try key.seal(chunk, index: index, isLast: end == all.count, header: header, into: &output)
                start = end
                index += 1
            } while start < all.count
        }
    }
}
