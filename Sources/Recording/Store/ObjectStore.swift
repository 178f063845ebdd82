public import GatehouseCore

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
    /// All of it.
    public func read() throws(StoreError) -> [UInt8] { try read(at: 0, count: size) }

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

/// Where finished evidence is kept. A conforming store must hold what `put` returned from, whatever happens after; the suite
/// `StoreConformance` says the rest. Calls block; none of them is made on an event loop.
public protocol ObjectStore: Sendable {
    /// Stores an object whole or not at all, durably, in place of an older one of that key.
    /// - Parameter retainUntil: a store that can refuses to delete or replace the object before then; nil asks for nothing.
    func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError)
    /// nil when there is no such object.
    func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)?
    /// Every key that begins with `folder` and a slash, until `body` returns false, in the order of the keys' UTF-8 bytes: so the
    /// keys of a folder come together. What cannot have been put by Gatehouse is reported, too.
    func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws
    /// Removes an object; nothing happens when there is none.
    /// - Throws: `StoreError`, also when the store refuses because the object is retained.
    func delete(_ key: ObjectKey) throws(StoreError)
    /// Removes what interrupted puts left. Only the owner of the store calls it, before its first put.
    func removeLeftovers() throws(StoreError)
}

/// What is asked of a store about sessions.
extension ObjectStore {
    func put(_ name: ObjectName, _ bytes: [UInt8], retainUntil: WallTime? = nil) throws(StoreError) {
        try put(name.key, bytes, retainUntil: retainUntil)
    }

    func open(_ name: ObjectName) throws(StoreError) -> (any StoredObject)? {
        try open(name.key)
    }

    /// The names of a session's objects, sorted; also those that should not be there.
    func list(_ session: SessionID) throws -> [String] {
        let folder = ObjectName.folder(of: session)
        var names: [String] = []
        try forEachKey(below: folder) { key in
            names.append(String(key.path.dropFirst(folder.count + 1)))
            return true
        }
        return names.sorted()
    }

    /// Whether there is any object of a session.
    public func holdsAnything(of session: SessionID) throws -> Bool { try !list(session).isEmpty }

    /// Every session that has an object, oldest first, until `body` returns false.
    public func forEachSession(_ body: (SessionID) throws -> Bool) throws {
        var last: SessionID?
        try forEachKey(below: "sessions") { key in
            // An object under another day would not be found by its session's name again: it counts as absent.
            let words = key.path.split(separator: "/", omittingEmptySubsequences: false)
            guard words.count > 5, let session = SessionID(String(words[4])), session != last,
                words[..<5].joined(separator: "/") == ObjectName.folder(of: session)
            else { return true }
            last = session
            return try body(session)
        }
    }

    /// Removes all of a session, its manifest first: what is left of an interrupted removal is no finished session.
    public func delete(_ session: SessionID) throws {
        let names = try list(session)
        for name in names.filter({ $0 == ObjectName.manifestFile }) + names.filter({ $0 != ObjectName.manifestFile }) {
            try delete(ObjectName(session: session, file: name).key)
        }
    }
}
