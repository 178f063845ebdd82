import Foundation
import GatehouseCore
import Recording
import Synchronization

func sameBytes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    let count = left.count
    return left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in
            guard let left = left.baseAddress, let right = right.baseAddress else { return true }
            return memcmp(left, right, count) == 0
        }
    }
}

func sameNames(_ left: [String], _ right: [String]) -> Bool {
    left.map { Array($0.utf8) } == right.map { Array($0.utf8) }
}

extension StoreConformance {
    func keepsEverySize(_ place: Place) throws {
        let sizes: Set<Int> = [0, 1, (5 << 20) - 1, partBytes - 1, partBytes, partBytes + 1, 40 << 20]
        for (index, size) in sizes.sorted().enumerated() {
            let bytes = pattern(size, seed: UInt8(index))
            try place.put("\(size)", bytes)
            try place.expect("\(size)", bytes)
        }
    }

    func replaces(_ place: Place) throws {
        for (index, size) in [10, 100_000, 0, partBytes + 7, 3].enumerated() {
            let bytes = pattern(size, seed: UInt8(index))
            try place.put("one", bytes)
            try place.expect("one", bytes, "after it was replaced \(index) times")
        }
        try require(try place.names() == ["one"], "replacing left more than one key")
    }

    func saysWhatIsMissing(_ place: Place) throws {
        try require(try place.read("nothing") == nil, "what was never put is there")
        try place.put("a/1", [1])
        try require(try place.read("a") == nil, "a folder passes for an object")
        try require(try place.read("a/2") == nil, "a neighbour of an object is there")
        try require(try place.read("a/1/x") == nil, "something below an object is there")
        try require(try place.names(below: "b").isEmpty, "a folder that is not there holds keys")
    }

    func readsRanges(_ place: Place) throws {
        let bytes = pattern(700_001, seed: 9)
        try place.put("one", bytes)
        guard let object = try place.store.open(place.key("one")) else { throw Failure(description: "one is missing") }
        try require(object.size == bytes.count, "the size is \(object.size), not \(bytes.count)")
        let ranges = [
            (0, 1), (1, 2), (65_535, 3), (699_999, 2), (700_000, 1), (3, 700_000), (350_001, 131_073), (17, 0), (17, 5), (22, 5),
            (0, 700_001),
        ]
        for (offset, count) in ranges {
            let found = try Place.bytes(object, at: offset, count: count)
            try require(sameBytes(found, Array(bytes[offset..<min(offset + count, bytes.count)])), "\(count) bytes at \(offset) are others")
        }
        for (offset, count) in [(699_990, 100), (700_001, 10), (800_000, 10)] {
            let found = try Place.bytes(object, at: offset, count: count)
            try require(
                sameBytes(found, Array(bytes[min(offset, bytes.count)...])), "\(count) bytes at \(offset), past the end, are \(found.count)"
            )
        }
        var small: [UInt8] = []
        for offset in stride(from: 0, to: bytes.count, by: 997) {
            small += try Place.bytes(object, at: offset, count: min(997, bytes.count - offset))
        }
        try require(sameBytes(small, bytes), "small reads in sequence give other bytes")
    }

    func listsInOrder(_ place: Place) throws {
        let names = ["l/b/1", "l/b-c/1", "l/b/c/1", "l/b0", "l/b.txt", "l/a", "l/b/c-d", "l/ü", "l/z", "l/Z", "m", "l/b/10", "l/b/2"]
        for name in names { try place.put(name, Array(name.utf8)) }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let found = try place.names()
        try require(sameNames(found, sorted), "keys are not in the order of their bytes: \(found)")
        let below = try place.names(below: "l/b")
        try require(below == ["l/b/1", "l/b/10", "l/b/2", "l/b/c-d", "l/b/c/1"], "below l/b: \(below)")
    }

    func stopsListing(_ place: Place) throws {
        for name in ["a/1", "b/1", "b/2", "c/1"] { try place.put(name, [1]) }
        var seen = 0
        try place.store.forEachKey(below: place.folder) { _ in
            seen += 1
            return seen < 2
        }
        try require(seen == 2, "listing went on to \(seen) keys")
        do {
            try place.store.forEachKey(below: place.folder) { _ in throw Failure(description: "stop") }
            throw Failure(description: "an error of the caller was swallowed")
        } catch let failure as Failure {
            try require(failure.description == "stop", failure.description)
        }
    }

    func listsManyKeys(_ place: Place) throws {
        let names = (0..<keys).map { "\($0 % 7)/\($0)" }
        let failures = Mutex<[String]>([])
        let store = place.store
        let folder = place.folder
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            do {
                for index in stride(from: worker, to: names.count, by: 4) {
                    try store.put(ObjectKey("\(folder)/\(names[index])"), [UInt8(index % 251)], retainUntil: nil)
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        try require(failures.withLock(\.isEmpty), failures.withLock { $0.joined(separator: "; ") })
        let found = try place.names()
        try require(
            found == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) },
            "\(found.count) of \(names.count) keys, or in another order")
    }

    func listsFoldersApart(_ place: Place) throws {
        for name in ["f/1", "f1/1", "f.x", "f-/2", "ef/1"] { try place.put(name, [1]) }
        let found = try place.names(below: "f")
        try require(found == ["f/1"], "below f: \(found)")
    }

    func deletesTwice(_ place: Place) throws {
        try place.delete("nothing")
        try place.put("a/1", [1])
        try place.put("a/2", [2])
        try place.put("a/1", [3])
        try place.put("a/1.sig", [4])
        try place.delete("a/1")
        try require(try place.read("a/1") == nil, "it can be read after it was deleted")
        try place.delete("a/1")
        try place.delete("a/1/x")
        try require(try place.names() == ["a/1.sig", "a/2"], "left: \(try place.names())")
        try place.put("a/1", [5])
        try place.expect("a/1", [5], "when it was put again after it was deleted")
        for name in try place.names() { try place.delete(name) }
        try require(try place.names().isEmpty, "left: \(try place.names())")
    }

    func keepsOddNamesApart(_ place: Place) throws {
        // The two with an accent are the same to a reader, and to Swift's ==.
        let names = [
            "a b", "a+b", "a%20b", "a%2Bb", "a%2Fb", "a&b<c>\"d'", "a=b?c#d", "caf\u{e9}", "cafe\u{301}", "日本語/🔒", "~tilde", "x;y,z",
            "a:b@c!$()*",
            ".hidden", "...", "UPPER", "upper", String(repeating: "n", count: 200), "back\\slash", "trailing ", " leading", "{[|]}^`",
        ]
        for (index, name) in names.enumerated() { try place.put(name, [UInt8(index)]) }
        for (index, name) in names.enumerated() { try place.expect(name, [UInt8(index)]) }
        let found = try place.names()
        try require(sameNames(found, names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }), "listed: \(found)")
        for (index, name) in names.enumerated() where index % 2 == 0 { try place.delete(name) }
        let left = names.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        try require(sameNames(try place.names(), left.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }), "left: \(try place.names())")
    }

    func refusesBadNames(_ place: Place) throws {
        for name in ["", "a//b", "a/", "..", "a/../b", "./a", "a/.", "a\u{0}b", "a\nb", "a\u{7f}"] {
            for (what, call) in [
                ("put", { try place.put(name, [1]) }), ("open", { _ = try place.read(name) }), ("delete", { try place.delete(name) }),
            ] as [(String, () throws -> Void)] {
                do {
                    try call()
                } catch is StoreError {
                    continue
                }
                throw Failure(description: "\(what) of '\(name)' was not refused")
            }
        }
        try require(try place.names().isEmpty, "something was put")
    }

    func takesPutsAtOnce(_ place: Place) throws {
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { worker in
            do {
                for index in 0..<6 {
                    let size = index == 3 && worker % 4 == 0 ? partBytes + worker : worker * 1_000 + index
                    let bytes = pattern(size, seed: UInt8(worker * 10 + index))
                    try place.put("w\(worker)/\(index)", bytes)
                    try place.expect("w\(worker)/\(index)", bytes)
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        try require(failures.withLock(\.isEmpty), failures.withLock { $0.joined(separator: "; ") })
        try require(try place.names().count == 48, "\(try place.names().count) keys of 48")
    }

    /// While one replaces an object, others read the old one or the new one, or are told that it was replaced.
    func showsNothingHalf(_ place: Place) throws {
        let contents = [pattern(partBytes + 1_000, seed: 1), pattern(300_000, seed: 2), pattern(partBytes * 2, seed: 3)]
        try place.put("one", contents[0])
        let isDone = Mutex(false)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 2) { worker in
            do {
                if worker == 0 {
                    defer { isDone.withLock { $0 = true } }
                    for round in 1...6 { try place.put("one", contents[round % 3]) }
                } else {
                    while !isDone.withLock(\.self) {
                        var found: [UInt8]?
                        do { found = try place.read("one") } catch is StoreError { continue }
                        try require(
                            found.map { bytes in contents.contains { sameBytes($0, bytes) } } ?? false, "a half object, or none, was seen")
                        try require(try place.names() == ["one"], "what is not finished is listed: \(try place.names())")
                    }
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        try require(failures.withLock(\.isEmpty), failures.withLock { $0.joined(separator: "; ") })
        try place.expect("one", contents[0])
    }

    func isSharedByHandles(_ place: Place) throws {
        let other = Place(store: try makeStore(), folder: place.folder)
        try place.put("a", [1])
        try other.put("b", [2])
        try place.expect("b", [2])
        try other.expect("a", [1])
        try require(try other.names() == ["a", "b"], "listed: \(try other.names())")
        try other.delete("a")
        try require(try place.read("a") == nil, "what another handle deleted is there")
    }

    /// Also what another owner of a shared store is putting just then is left alone, where stores can be shared; `S3Tests` see to that.
    func keepsObjectsAtStart(_ place: Place) throws {
        try place.put("a/1", [1])
        try place.put("a/2", pattern(partBytes + 1, seed: 4))
        try Place(store: try makeStore(), folder: place.folder).store.removeLeftovers()
        try place.expect("a/1", [1])
        try place.expect("a/2", pattern(partBytes + 1, seed: 4))
        try require(try place.names() == ["a/1", "a/2"], "listed: \(try place.names())")
    }
}
