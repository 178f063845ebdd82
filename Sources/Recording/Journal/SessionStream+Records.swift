public import GatehouseCore
public import NIOCore

extension SessionStream {
    /// Adds a frame whose payload is what can be read of `bytes`.
    public func append(_ kind: RecordKind, time: WallTime, payload bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { append(kind, time: time, payload: $0) }
    }

    /// Adds a frame whose payload is JSON (`start`, `identity`, `upstream`, `notice`, `cancel`, `error`). Not for the hot path.
    /// - Throws: `EncodingError`; nothing is appended then.
    public func append(_ kind: RecordKind, time: WallTime, json: some Encodable) throws {
        let bytes = try canonicalJSON(json)
        bytes.withUnsafeBytes { append(kind, time: time, payload: $0) }
    }

    /// Adds a `verdict`; `ruling` is what `VerdictRecord.Ruling.encoded()` gave.
    public func appendVerdict(action: UInt64, statement: UInt32, ruling: [UInt8], time: WallTime) {
        let prefix = (action.littleEndian, statement.littleEndian, UInt32(0))
        withUnsafeBytes(of: prefix) { prefix in
            ruling.withUnsafeBytes { append(.verdict, time: time, prefix: prefix, payload: $0) }
        }
    }

    /// Adds a `masked`, `withheld` or `gap`.
    public func append(_ kind: RecordKind, time: WallTime, substitution: Substitution) {
        var note = substitution.note
        substitution.withPrefix { prefix in
            note.withUTF8 { append(kind, time: time, prefix: prefix, payload: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Adds an `injected`: `bytes` go upstream because of `reason`.
    public func appendInjected(_ bytes: ByteBuffer, reason: String, time: WallTime) {
        Injection.prefix(reason: reason).withUnsafeBytes { prefix in
            bytes.withUnsafeReadableBytes { append(.injected, time: time, prefix: prefix, payload: $0) }
        }
    }
}
