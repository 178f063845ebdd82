import Crypto
import Foundation
import GatehouseCore

/// Reads one segment as a stream of frames, checking it on the way: sizes, header, seals, every frame's checksum and, at the end, the
/// trailer's hash. What it returned counts as verified only once it has returned nil.
///
/// Without the key of a sealed segment it returns no frames: it checks the hash, and what is in the clear.
final class SegmentDecoder {
    static let chunk = 128 << 10

    let header: SegmentHeader
    /// What the segment says of itself.
    let content: SegmentExtension
    /// The hash over everything before the trailer; set once all is read and it matches.
    private(set) var hash: [UInt8]?
    /// Whether frames are returned: it is not sealed, or its key is known.
    let isOpen: Bool

    private let object: any StoredObject
    private var hasher: SHA256
    private var payload: any PayloadDecoder
    private var ready: [Frame] = []
    private var position = 0
    private var found = FrameSummary()
    private var offset: Int
    private let payloadEnd: Int
    private var buffer = [UInt8](repeating: 0, count: SegmentDecoder.chunk)

    /// - Parameter keys: the private keys that may open it.
    /// - Throws: `SegmentFault` for a bad header or size, `StoreError` when it cannot be read.
    init(_ object: any StoredObject, keys: RecipientKeys = RecipientKeys()) throws {
        self.object = object
        let start = try object.read(at: 0, count: SegmentHeader.size)
        let header = try start.withUnsafeBytes { (raw) throws(SegmentFault) in try SegmentHeader(raw) }
        self.header = header
        guard let size = header.fileSize else { throw SegmentFault(.damaged, offset: 64, "the sizes in the header are not possible") }
        if object.size < size {
            throw SegmentFault(.truncated, offset: UInt64(object.size), "\(size) bytes are expected and \(object.size) are there")
        }
        guard object.size == size else {
            throw SegmentFault(.damaged, offset: UInt64(size), "\(object.size - size) bytes follow the end of the segment")
        }
        let extended = try object.read(at: SegmentHeader.size, count: Int(header.extensionBytes))
        guard let content = try? SegmentExtension.fromJSON(extended), content.summary.count == UInt64(header.frameCount) else {
            throw SegmentFault(.damaged, offset: UInt64(SegmentHeader.size), "what the segment says of itself cannot be read")
        }
        self.content = content
        offset = SegmentHeader.size + extended.count
        payloadEnd = size - SegmentHeader.trailerSize
        var hasher = SHA256()
        start.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        extended.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        self.hasher = hasher
        let key = header.isSealed ? keys.sessionKey(of: header.session, content.keys) : nil
        isOpen = key != nil || !header.isSealed
        switch header.codec {
        case .batches: payload = try BatchPayload(header, key)
        case .zstd:
            guard isOpen else {
                payload = OpaquePayload()
                break
            }
            payload = try FramePayload(header, key, headerHash: Array(SHA256.hash(data: start + extended)))
        }
    }

    /// The next frame; nil at the end, once everything matched.
    /// - Throws: `SegmentFault`, `StoreError`.
    func next() throws -> Frame? {
        if hash != nil { return nil }
        while position == ready.count {
            ready.removeAll(keepingCapacity: true)
            position = 0
            guard offset < payloadEnd else {
                try finish()
                return nil
            }
            try readChunk()
        }
        let frame = ready[position]
        position += 1
        return frame
    }

    private func readChunk() throws {
        let wanted = min(Self.chunk, payloadEnd - offset)
        let count = try buffer.withUnsafeMutableBytes {
            try object.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
        }
        guard count == wanted else { throw SegmentFault(.truncated, offset: UInt64(offset + count), "the file ends early") }
        let isLast = offset + wanted == payloadEnd
        try buffer.withUnsafeBytes { all in
            let piece = UnsafeRawBufferPointer(rebasing: all[..<wanted])
            hasher.update(bufferPointer: piece)
            do {
                try payload.take(piece, isLast: isLast, into: &ready)
            } catch let fault as PayloadFault {
                throw SegmentFault(.damaged, offset: UInt64(offset), fault.reason)
            }
        }
        for frame in ready { found.add(frame) }
        offset += wanted
    }

    private func finish() throws {
        let end = UInt64(offset)
        guard payload.isComplete else { throw SegmentFault(.damaged, offset: end, "the payload ends inside a frame") }
        let trailer = try object.read(at: payloadEnd, count: SegmentHeader.trailerSize)
        let computed = Array(hasher.finalize())
        guard trailer == computed else { throw SegmentFault(.damaged, offset: end, "the hash in the trailer does not match") }
        if isOpen {
            guard found == content.summary else {
                throw SegmentFault(.damaged, offset: 36, "the frames are not those that the segment says it has")
            }
        } else if let summary = payload.summary, summary != content.summary {
            throw SegmentFault(.damaged, offset: 36, "the batches are not those that the segment says it has")
        }
        hash = computed
    }
}
