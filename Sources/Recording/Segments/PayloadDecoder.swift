import Foundation
import GatehouseCore

/// A payload that is not what a builder made.
struct PayloadFault: Error, Hashable {
    var reason: String
}

/// Takes a segment's payload in pieces, however it is cut up, in constant memory.
protocol PayloadDecoder {
    /// - Throws: `PayloadFault`.
    mutating func take(_ piece: UnsafeRawBufferPointer, isLast: Bool, into frames: inout [Frame]) throws
    /// Whether it may end here.
    var isComplete: Bool { get }
    /// What clear headers in it add up to; nil where there are none.
    var summary: FrameSummary? { get }
}

/// A sealed payload without its key: nothing can be said of it.
struct OpaquePayload: PayloadDecoder {
    mutating func take(_ piece: UnsafeRawBufferPointer, isLast: Bool, into frames: inout [Frame]) {}
    var isComplete: Bool { true }
    var summary: FrameSummary? { nil }
}

/// Compressed frames, sealed in chunks or not.
struct FramePayload: PayloadDecoder {
    private let header: SegmentHeader
    private let headerHash: [UInt8]
    private let key: SessionKey?
    private let decompressor: ZstdDecompressor
    private var parser = FrameParser()
    private var produced: UInt64 = 0
    // Of a sealed payload:
    private var segmentKey: SegmentKey?
    private var unopened: [UInt8] = []
    private var chunks: UInt64 = 0
    private var hasLast = false

    /// - Parameter headerHash: SHA-256 of header and extension.
    init(_ header: SegmentHeader, _ key: SessionKey?, headerHash: [UInt8]) throws {
        self.header = header
        self.headerHash = headerHash
        self.key = key
        decompressor = try ZstdDecompressor()
    }

    var isComplete: Bool {
        parser.unread == 0 && produced == header.uncompressedBytes && decompressor.isAtFrameEnd && hasLast == (key != nil)
    }

    var summary: FrameSummary? { nil }

    mutating func take(_ piece: UnsafeRawBufferPointer, isLast: Bool, into frames: inout [Frame]) throws {
        guard let key else { return try decompress(piece, into: &frames) }
        unopened.append(contentsOf: piece)
        if segmentKey == nil {
            guard unopened.count >= SegmentKey.saltSize else {
                if isLast { throw PayloadFault(reason: "the sealed payload has no salt") }
                return
            }
            segmentKey = key.segmentKey(salt: Array(unopened[..<SegmentKey.saltSize]))
            unopened.removeFirst(SegmentKey.saltSize)
        }
        try openChunks(isLast: isLast, into: &frames)
    }

    private mutating func openChunks(isLast: Bool, into frames: inout [Frame]) throws {
        let sealedSize = SegmentKey.chunkSize + SessionKey.tagSize
        var start = 0
        while let segmentKey, unopened.count - start > sealedSize || isLast, !hasLast {
            let size = min(sealedSize, unopened.count - start)
            let isLastChunk = isLast && start + size == unopened.count
            let opened = unopened.withUnsafeBytes {
                segmentKey.open(
                    UnsafeRawBufferPointer(rebasing: $0[start..<start + size]), index: chunks, isLast: isLastChunk, header: headerHash)
            }
            guard let opened else { throw PayloadFault(reason: "chunk \(chunks) is not what the session's key sealed") }
            try opened.withUnsafeBytes { try decompress($0, into: &frames) }
            hasLast = isLastChunk
            chunks += 1
            start += size
        }
        unopened.removeFirst(start)
    }

    private mutating func decompress(_ piece: UnsafeRawBufferPointer, into frames: inout [Frame]) throws {
        var parser = parser
        var produced = produced
        self.parser = FrameParser()
        defer {
            self.parser = parser
            self.produced = produced
        }
        do {
            try decompressor.decompress(piece) { output in
                produced += UInt64(output.count)
                guard produced <= header.uncompressedBytes else { throw PayloadFault(reason: "more frames than the header says") }
                parser.append(output)
                while let frame = try parser.next() { frames.append(frame) }
            }
        } catch let error as ZstdError {
            throw PayloadFault(reason: "the payload does not decompress: \(error.reason)")
        } catch let error as FrameFault {
            throw PayloadFault(reason: "\(error.reason), at \(error.offset) of its frames")
        }
    }
}

/// Batches as a journal had them. Their headers can be read without a key.
struct BatchPayload: PayloadDecoder {
    private let header: SegmentHeader
    private let cipher: BatchCipher?
    private var unread: [UInt8] = []
    private var counted = FrameSummary()
    private var next: UInt64

    init(_ header: SegmentHeader, _ key: SessionKey?) throws {
        self.header = header
        cipher = try key?.batchCipher(seals: false)
        next = header.firstSequence
    }

    var isComplete: Bool { unread.isEmpty }
    var summary: FrameSummary? { counted }

    mutating func take(_ piece: UnsafeRawBufferPointer, isLast: Bool, into frames: inout [Frame]) throws {
        unread.append(contentsOf: piece)
        var start = 0
        while true {
            let size = try unread.withUnsafeBytes { all in
                try takeBatch(UnsafeRawBufferPointer(rebasing: all[start...]), into: &frames)
            }
            guard let size else { break }
            start += size
        }
        unread.removeFirst(start)
    }

    /// Takes the batch at the beginning of `bytes`; nil when it is not whole yet.
    private mutating func takeBatch(_ bytes: UnsafeRawBufferPointer, into frames: inout [Frame]) throws -> Int? {
        guard bytes.count >= BatchHeader.size else { return nil }
        guard let head = BatchHeader(bytes), head.session == header.session, head.kind == .frames, head.isSealed == header.isSealed,
            head.firstSequence >= next
        else { throw PayloadFault(reason: "a batch's header is not one of this segment") }
        guard bytes.count >= head.recordSize else { return nil }
        let record = UnsafeRawBufferPointer(rebasing: bytes[..<head.recordSize])
        guard batchChecksum(record) == FrameHeader.storedChecksum(record) else {
            throw PayloadFault(reason: "a batch's checksum does not match")
        }
        let batch = Batch(header: head, record: record)
        guard let (summary, _) = batch.summary else { throw PayloadFault(reason: "what a batch says of itself cannot be read") }
        counted.add(summary)
        next = head.lastSequence &+ 1
        if cipher != nil || !head.isSealed {
            do {
                let found = try batch.frames(cipher)
                var sum = FrameSummary()
                for frame in found { sum.add(frame) }
                guard sum == summary else { throw PayloadFault(reason: "a batch's frames are not those that it says it has") }
                frames += found
            } catch is BatchFault {
                throw PayloadFault(reason: "batch \(head.firstSequence) is not what the session's key sealed")
            } catch let error as FrameFault {
                throw PayloadFault(reason: "\(error.reason), in batch \(head.firstSequence)")
            }
        }
        return head.recordSize
    }
}
