/// Bytes that are no frame.
struct FrameFault: Error, Hashable {
    /// Where in the stream of frames, from its beginning.
    var offset: UInt64
    var reason: String
}

/// Takes frames out of the bytes of a segment, however they are cut up.
struct FrameParser {
    private var buffer: [UInt8] = []
    private var start = 0
    private var consumed: UInt64 = 0

    /// Bytes given and not yet returned as frames.
    var unread: Int { buffer.count - start }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame; nil when more bytes are needed.
    mutating func next() throws(FrameFault) -> Frame? {
        guard unread >= FrameHeader.size else { return nil }
        let parsed = buffer.withUnsafeBytes { all -> (FrameHeader?, [UInt8]?, Bool) in
            let rest = UnsafeRawBufferPointer(rebasing: all[start...])
            guard let header = FrameHeader(rest) else { return (nil, nil, false) }
            guard rest.count >= header.frameSize else { return (header, nil, true) }
            let frame = UnsafeRawBufferPointer(rebasing: rest[..<header.frameSize])
            guard frameChecksum(frame) == FrameHeader.storedChecksum(frame) else { return (header, nil, false) }
            return (header, Array(frame[FrameHeader.size...]), true)
        }
        guard let header = parsed.0 else { throw FrameFault(offset: consumed, reason: "not a frame header") }
        guard parsed.2 else { throw FrameFault(offset: consumed, reason: "frame checksum does not match") }
        guard let payload = parsed.1 else { return nil }
        start += header.frameSize
        consumed += UInt64(header.frameSize)
        return Frame(kind: header.kind, session: header.session, sequence: header.sequence, time: header.time, payload: payload)
    }
}
