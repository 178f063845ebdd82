import NIOCore

extension ByteBuffer {
    /// Reads up to a NUL and drops that; nil, with nothing read, when there is none.
    mutating func readNullTerminatedBytes() -> ByteBuffer? {
        let view = readableBytesView
        guard let end = view.firstIndex(of: 0), let bytes = readSlice(length: view.distance(from: view.startIndex, to: end)) else {
            return nil
        }
        moveReaderIndex(forwardBy: 1)
        return bytes
    }

    /// Writes a message: type byte, length of what follows including itself, body ("Messaging Overview").
    /// Its body is the gateway's own and small, so that its length always fits.
    mutating func writeHandshakeMessage(type: UInt8, body: (inout ByteBuffer) -> Void) {
        writeInteger(type)
        writeLengthPrefixed(body)
    }

    /// Writes a length of what follows including itself, and what follows.
    mutating func writeLengthPrefixed(_ body: (inout ByteBuffer) -> Void) {
        let start = writerIndex
        writeInteger(UInt32(0))
        body(&self)
        setInteger(UInt32(clamping: writerIndex - start), at: start)
    }
}

extension String {
    /// Lower case for A to Z alone: how the server compares names of settings.
    func asciiLowercased() -> String {
        String(decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// A peer's text as a message may show it: short, on one line, without control characters.
    var quotedForMessage: String {
        let shown = unicodeScalars.prefix(64).map { scalar -> Character in
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format ? "?" : Character(scalar)
        }
        return "\"" + String(shown) + (unicodeScalars.count > 64 ? "..." : "") + "\""
    }
}
