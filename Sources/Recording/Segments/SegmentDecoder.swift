import Crypto

/// Reads one segment as a stream of frames, checking it on the way: sizes, header, every frame's checksum and, at the end, the
/// trailer's hash. What it returned counts as verified only once it has returned nil.
final class SegmentDecoder {
    private static let chunk = 128 << 10

    let header: SegmentHeader
    /// The hash over everything before the trailer; set once all is read and it matches.
    private(set) var hash: [UInt8]?

    private let object: any StoredObject
    private let decompressor: ZstdDecompressor
    private var hasher = SHA256()
    private var parser = FrameParser()
    private var offset: Int
    private let payloadEnd: Int
    private var produced: UInt64 = 0
    private var frames: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: SegmentDecoder.chunk)

    /// - Throws: `SegmentFault` for a bad header or size, `StoreError` when it cannot be read.
    init(_ object: any StoredObject) throws {
        self.object = object
        decompressor = try ZstdDecompressor()
        let start = try object.read(at: 0, count: SegmentHeader.size)
        header = try start.withUnsafeBytes { (raw) throws(SegmentFault) in try SegmentHeader(raw) }
        guard let size = header.fileSize else { throw SegmentFault(.damaged, offset: 64, "the sizes in the header are not possible") }
        if object.size < size {
            throw SegmentFault(.truncated, offset: UInt64(object.size), "\(size) bytes are expected and \(object.size) are there")
        }
        guard object.size == size else {
            throw SegmentFault(.damaged, offset: UInt64(size), "\(object.size - size) bytes follow the end of the segment")
        }
        offset = SegmentHeader.size
        payloadEnd = size - SegmentHeader.trailerSize
        start.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        try skipExtension()
    }

    private func skipExtension() throws {
        let bytes = try object.read(at: offset, count: Int(header.extensionBytes))
        bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        offset += Int(header.extensionBytes)
    }

    /// The next frame; nil at the end, once everything matched.
    /// - Throws: `SegmentFault`, `StoreError`.
    func next() throws -> Frame? {
        if hash != nil { return nil }
        while true {
            do throws(FrameFault) {
                if let frame = try parser.next() {
                    frames += 1
                    return frame
                }
            } catch {
                throw SegmentFault(.damaged, offset: UInt64(offset), "\(error.reason), at \(error.offset) of its frames")
            }
            guard offset < payloadEnd else { break }
            try readChunk()
        }
        try finish()
        return nil
    }

    private func readChunk() throws {
        let wanted = min(Self.chunk, payloadEnd - offset)
        let count = try buffer.withUnsafeMutableBytes {
            try object.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
        }
        guard count == wanted else { throw SegmentFault(.truncated, offset: UInt64(offset + count), "the file ends early") }
        do {
            try buffer.withUnsafeBytes { all in
                let piece = UnsafeRawBufferPointer(rebasing: all[..<wanted])
                hasher.update(bufferPointer: piece)
                try decompressor.decompress(piece) { output in
                    produced += UInt64(output.count)
                    guard produced <= header.uncompressedBytes else { throw ZstdError("more frames than the header says") }
                    parser.append(output)
                }
            }
        } catch let error as ZstdError {
            throw SegmentFault(.damaged, offset: UInt64(offset), "the payload does not decompress: \(error.reason)")
        }
        offset += wanted
    }

    private func finish() throws {
        let end = UInt64(offset)
        guard parser.unread == 0, produced == header.uncompressedBytes, decompressor.isAtFrameEnd else {
            throw SegmentFault(.damaged, offset: end, "the payload ends inside a frame")
        }
        let trailer = try object.read(at: payloadEnd, count: SegmentHeader.trailerSize)
        let computed = Array(hasher.finalize())
        guard trailer == computed else { throw SegmentFault(.damaged, offset: end, "the hash in the trailer does not match") }
        guard frames == UInt64(header.frameCount) else {
            throw SegmentFault(.damaged, offset: 36, "\(frames) frames are there and the header says \(header.frameCount)")
        }
        hash = computed
    }
}
