/// A statement's or portal's name as the server tells names apart: by their bytes.
///
/// Swift compares strings by canonical equivalence, so that a plain `String` would take two of the server's names for one. The
/// server itself cuts names at 63 bytes (NAMEDATALEN - 1); longer ones are refused, since two of them may be one name there.
struct ServerName: Hashable, Sendable {
    static let maximumBytes = 63
    static let unnamed = ServerName(known: "")

    let text: String

    /// For names that the parser has already cut (SQL identifiers), or that are the gateway's own.
    init(known text: String) {
        self.text = text
    }

    var isEmpty: Bool { text.isEmpty }

    static func == (left: ServerName, right: ServerName) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var copy = text
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension BodyReader {
    /// - Throws: `ProtocolViolation` for a name that the server would cut or that is not UTF-8.
    mutating func serverName() throws(ProtocolViolation) -> ServerName {
        let bytes = try cStringBytes()
        if bytes.readableBytes == 0 { return .unnamed }
        guard bytes.readableBytes <= ServerName.maximumBytes else {
            throw ProtocolViolation("a statement or portal name is longer than \(ServerName.maximumBytes) bytes")
        }
        // Nearly all are ASCII, which needs no validation.
        let isASCII = bytes.withUnsafeReadableBytes { $0.allSatisfy { $0 < 0x80 } }
        if isASCII {
            return ServerName(
                known: bytes.withUnsafeReadableBytes { raw in
                    String(unsafeUninitializedCapacity: raw.count) { target in
                        UnsafeMutableRawBufferPointer(target).copyMemory(from: raw)
                        return raw.count
                    }
                })
        }
        guard let text = bytes.withUnsafeReadableBytes({ String(validating: $0.bindMemory(to: UInt8.self), as: UTF8.self) }) else {
            throw ProtocolViolation("a statement or portal name is not UTF-8")
        }
        return ServerName(known: text)
    }
}
