#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A bounded map from bytes to analyses that a flood of new texts cannot empty.
///
/// New entries are young. One that is asked for again becomes kept. The young are dropped all at once when their share (a
/// quarter) is full, so texts that come once push out only each other. The kept live in two generations: when the newer is
/// full (three eighths) it becomes the older and what was older goes; an older entry that is asked for moves to the newer.
/// Nothing is linked or ordered, so each step costs one look in a dictionary or two.
struct GenerationCache {
    private struct Entry {
        let key: [UInt8]
        let analysis: Analysis
        var weight: Int { key.count + analysis.weight + 64 }
    }

    private struct Generation {
        var entries: [Int: Entry] = [:]
        var bytes = 0

        mutating func insert(_ entry: Entry, _ hash: Int) {
            remove(hash)
            entries[hash] = entry
            bytes += entry.weight
        }

        @discardableResult
        mutating func remove(_ hash: Int) -> Entry? {
            guard let old = entries.removeValue(forKey: hash) else { return nil }
            bytes -= old.weight
            return old
        }

        func isFull(_ count: Int, _ bytes: Int) -> Bool { entries.count >= count || self.bytes >= bytes }
    }

    private let entryLimit: Int
    private let byteLimit: Int
    private var young = Generation()
    private var newer = Generation()
    private var older = Generation()

    init(entries: Int, bytes: Int) {
        entryLimit = max(entries, 8)
        byteLimit = max(bytes, 8_192)
    }

    var count: Int { young.entries.count + newer.entries.count + older.entries.count }
    var bytes: Int { young.bytes + newer.bytes + older.bytes }

    /// Swift's hasher is keyed at random for each process, so texts cannot be made to collide; two that do anyway replace
    /// each other, since the bytes are compared.
    private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }

    private static func isSame(_ entry: Entry, _ key: UnsafeRawBufferPointer) -> Bool {
        entry.key.withUnsafeBytes { own in
            guard own.count == key.count else { return false }
            guard let left = own.baseAddress, let right = key.baseAddress else { return key.isEmpty }
            return memcmp(left, right, key.count) == 0
        }
    }

    mutating func analysis(for key: UnsafeRawBufferPointer) -> Analysis? {
        let hash = Self.hash(key)
        if let entry = newer.entries[hash], Self.isSame(entry, key) { return entry.analysis }
        if let entry = older.entries[hash], Self.isSame(entry, key) {
            older.remove(hash)
            keep(entry, hash)
            return entry.analysis
        }
        if let entry = young.entries[hash], Self.isSame(entry, key) {
            young.remove(hash)
            keep(entry, hash)
            return entry.analysis
        }
        return nil
    }

    private mutating func keep(_ entry: Entry, _ hash: Int) {
        if newer.isFull(entryLimit * 3 / 8, byteLimit * 3 / 8) {
            older = newer
            newer = Generation()
        }
        newer.insert(entry, hash)
    }

    /// Declines what would take more than a sixteenth of all.
    mutating func insert(_ analysis: Analysis, for key: UnsafeRawBufferPointer) {
        let entry = Entry(key: Array(key), analysis: analysis)
        guard entry.weight <= byteLimit / 16 else { return }
        if young.isFull(entryLimit / 4, byteLimit / 4) { young = Generation() }
        young.insert(entry, Self.hash(key))
    }
}
