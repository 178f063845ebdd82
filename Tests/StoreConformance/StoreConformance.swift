import GatehouseCore
public import Recording

/// What every store must do, whichever it is (docs/stores.md). Each rule works in a folder of its own, so that rules can run beside
/// each other on one store.
public struct StoreConformance: Sendable {
    public enum Rule: String, CaseIterable, Sendable {
        case keepsEverySize, replaces, saysWhatIsMissing, readsRanges, listsInOrder, stopsListing, listsManyKeys, listsFoldersApart
        case deletesTwice, keepsOddNamesApart, refusesBadNames, takesPutsAtOnce, showsNothingHalf, isSharedByHandles, keepsObjectsAtStart
    }

    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// A new handle on the same storage.
    let makeStore: @Sendable () throws -> any ObjectStore
    /// Where the store changes how it sends, in bytes.
    let partBytes: Int
    /// How many keys `listsManyKeys` puts.
    let keys: Int
    let folder: String

    public init(partBytes: Int, keys: Int, makeStore: @escaping @Sendable () throws -> any ObjectStore) {
        self.makeStore = makeStore
        self.partBytes = partBytes
        self.keys = keys
        folder = "conformance-\(UInt64.random(in: .min ... .max))"
    }

    /// - Throws: `Failure` where the store breaks the rule, or what the store throws where it must not.
    public func check(_ rule: Rule) throws {
        let store = try makeStore()
        let place = Place(store: store, folder: "\(folder)/\(rule.rawValue)")
        switch rule {
        case .keepsEverySize: try keepsEverySize(place)
        case .replaces: try replaces(place)
        case .saysWhatIsMissing: try saysWhatIsMissing(place)
        case .readsRanges: try readsRanges(place)
        case .listsInOrder: try listsInOrder(place)
        case .stopsListing: try stopsListing(place)
        case .listsManyKeys: try listsManyKeys(place)
        case .listsFoldersApart: try listsFoldersApart(place)
        case .deletesTwice: try deletesTwice(place)
        case .keepsOddNamesApart: try keepsOddNamesApart(place)
        case .refusesBadNames: try refusesBadNames(place)
        case .takesPutsAtOnce: try takesPutsAtOnce(place)
        case .showsNothingHalf: try showsNothingHalf(place)
        case .isSharedByHandles: try isSharedByHandles(place)
        case .keepsObjectsAtStart: try keepsObjectsAtStart(place)
        }
    }
}

/// A folder of a store.
struct Place: Sendable {
    var store: any ObjectStore
    var folder: String

    func key(_ name: String) -> ObjectKey { ObjectKey(folder + "/" + name) }

    func put(_ name: String, _ bytes: [UInt8]) throws { try store.put(key(name), bytes, retainUntil: nil) }

    func delete(_ name: String) throws { try store.delete(key(name)) }

    /// nil when there is no such object.
    func read(_ name: String) throws -> [UInt8]? {
        guard let object = try store.open(key(name)) else { return nil }
        return try Self.bytes(object, at: 0, count: object.size)
    }

    static func bytes(_ object: any StoredObject, at offset: Int, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let filled = try bytes.withUnsafeMutableBytes { raw in try object.read(at: offset, into: raw) }
        bytes.removeLast(count - filled)
        return bytes
    }

    /// Relative to the folder.
    func names(below subfolder: String? = nil) throws -> [String] {
        var names: [String] = []
        try store.forEachKey(below: folder + (subfolder.map { "/" + $0 } ?? "")) { key in
            names.append(String(decoding: key.path.utf8.dropFirst(folder.utf8.count + 1), as: UTF8.self))
            return true
        }
        return names
    }

    /// That the object is there, with these bytes and no others.
    func expect(_ name: String, _ bytes: [UInt8], _ when: String = "") throws {
        guard let found = try read(name) else { throw StoreConformance.Failure(description: "\(name) is missing \(when)") }
        guard sameBytes(found, bytes) else {
            throw StoreConformance.Failure(description: "\(name) reads back as other bytes (\(found.count) of \(bytes.count)) \(when)")
        }
    }
}

func require(_ condition: Bool, _ message: @autoclosure () throws -> String) throws {
    if !condition { throw StoreConformance.Failure(description: try message()) }
}

/// Bytes that differ everywhere and from seed to seed, made quickly also without optimisation.
func pattern(_ count: Int, seed: UInt8) -> [UInt8] {
    var block = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) &+ seed }
    block.reserveCapacity(count + block.count)
    while block.count < count { block += block }
    block.removeLast(block.count - count)
    return block
}
