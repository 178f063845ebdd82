import CGatehouse
public import GatehouseCore

/// A leaf of a node's log.
public struct LogEntry: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable {
        /// A session begins; nothing of it has been forwarded yet.
        case start
        /// A session's manifest is in the store.
        case end
        /// A session's deletion from the store begins, on purpose: what is missing of it from now on may be gone by that.
        case deletion
        /// A session was deleted: nothing of it is in the store any more.
        case tombstone
        /// Something was done to the gateway itself.
        case administration
    }

    /// Version of this form.
    public var format = 1
    public var node: String
    /// Its place in the log, from 0.
    public var index: UInt64
    public var time: WallTime
    public var kind: Kind
    public var session: SessionID?
    /// Of a start: the session's key, wrapped to each recipient.
    public var keys: [WrappedKey]?
    /// Of a start: the key of the session's originals, wrapped to each break-glass recipient.
    public var originalKeys: [WrappedKey]?
    /// Of an end: SHA-256 of `manifest.json` in hexadecimal. Of a deletion and a tombstone: the same of what is deleted.
    public var manifest: String?
    public var outcome: Manifest.Outcome?
    /// Of an administration: `gateway.started`, `configuration.reloaded`, `recipients.changed`, ... Of a deletion and a tombstone: `retention`, or
    /// `by-hand`.
    public var action: String?
    public var by: String?
    public var detail: [String: String]?

    static let maximumBytes = 64 << 10

    /// As it lies in files: its length (u32), CRC-32C of the rest (u32), and JSON, which is what the tree hashes.
    static func record(_ json: [UInt8]) -> [UInt8] {
        var record: [UInt8] = []
        record.append(littleEndian: UInt32(truncatingIfNeeded: json.count))
        record.append(littleEndian: json.withUnsafeBytes { gatehouse_crc32c(0, $0.baseAddress, $0.count) })
        return record + json
    }

    /// The sound records at the beginning of `bytes`, as JSON, and how much of `bytes` they take.
    static func records(_ bytes: [UInt8]) -> (entries: [[UInt8]], size: Int) {
        var entries: [[UInt8]] = []
        var position = 0
        while bytes.count - position >= 8 {
            let (length, checksum) = bytes.withUnsafeBytes {
                (
                    Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self))),
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
                )
            }
            guard length <= maximumBytes, length > 0, bytes.count - position - 8 >= length else { break }
            let json = Array(bytes[position + 8..<position + 8 + length])
            guard json.withUnsafeBytes({ gatehouse_crc32c(0, $0.baseAddress, $0.count) }) == checksum else { break }
            entries.append(json)
            position += 8 + length
        }
        return (entries, position)
    }
}
