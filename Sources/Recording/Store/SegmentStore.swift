public import GatehouseCore

/// The name of one object of a session in a store.
public struct ObjectName: Sendable, Hashable {
    public var session: SessionID
    public var file: String

    public init(session: SessionID, file: String) {
        self.session = session
        self.file = file
    }

    public static let manifestFile = "manifest.json"
    public static let signatureFile = "manifest.sig"

    /// `000001.seg` for 1; more digits above 999,999.
    public static func segmentFile(_ ordinal: UInt32) -> String {
        let digits = String(ordinal)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".seg"
    }

    /// The ordinal in a segment's file name; nil when it is not one.
    public static func segmentOrdinal(_ file: String) -> UInt32? {
        guard file.hasSuffix(".seg"), let ordinal = UInt32(file.dropLast(4)), ordinal > 0, segmentFile(ordinal) == file else { return nil }
        return ordinal
    }
}

/// A store that could not do what it was asked to.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

/// An object that is being read.
public protocol StoredObject: AnyObject {
    var size: Int { get }
    /// Fills `buffer` as far as the object reaches; returns how much that is.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int
}

extension StoredObject {
    /// At most `count` bytes from `offset`.
    func read(at offset: Int, count: Int) throws(StoreError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, min(count, size - offset)))
        guard !bytes.isEmpty else { return [] }
        var filled = 0
        var failure: StoreError?
        bytes.withUnsafeMutableBytes { raw in
            do throws(StoreError) { filled = try read(at: offset, into: raw) } catch { failure = error }
        }
        if let failure { throw failure }
        if filled < bytes.count { bytes.removeLast(bytes.count - filled) }
        return bytes
    }
}

/// Where finished evidence is kept. A conforming store must hold what `put` returned from, whatever happens after.
public protocol SegmentStore: Sendable {
    /// Stores an object whole or not at all, durably, in place of an older one of that name.
    func put(_ name: ObjectName, _ bytes: [UInt8]) throws(StoreError)
    /// nil when there is no such object.
    func open(_ name: ObjectName) throws(StoreError) -> (any StoredObject)?
    /// The names of a session's objects, sorted; also those that should not be there.
    func list(_ session: SessionID) throws(StoreError) -> [String]
    /// Every session that has an object, oldest first, until `body` returns false.
    func forEachSession(_ body: (SessionID) throws -> Bool) throws
    /// Removes all of a session.
    func delete(_ session: SessionID) throws(StoreError)
    /// Removes what interrupted puts left. Only the owner of the store calls it, before its first put.
    func removeLeftovers() throws(StoreError)
}
