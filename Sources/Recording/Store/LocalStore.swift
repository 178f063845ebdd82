public import GatehouseCore
import Synchronization

/// A store in a directory: `sessions/<yyyy>/<mm>/<dd>/<session>/<file>`, the date that of the session's start in UTC.
public final class LocalStore: SegmentStore {
    private let root: String
    private let fileSystem: any FileSystem
    private let counter = Atomic<UInt64>(0)

    /// - Parameter root: the directory; made at the first put.
    public init(root: String, fileSystem: any FileSystem = LocalFileSystem()) {
        self.root = root
        self.fileSystem = fileSystem
    }

    /// The directory of a session, whether or not it exists.
    public func directory(of session: SessionID) -> String {
        root + "/sessions/" + datePath(of: session) + "/" + session.description
    }

    public func put(_ name: ObjectName, _ bytes: [UInt8]) throws(StoreError) {
        do throws(FileError) {
            let temporaries = root + "/temporary"
            let directory = directory(of: name.session)
            try fileSystem.makeDirectories(temporaries)
            try fileSystem.makeDirectories(directory)
            let unique = counter.wrappingAdd(1, ordering: .relaxed).newValue
            let temporary = "\(temporaries)/\(name.session)-\(name.file)-\(unique)"
            do throws(FileError) {
                try writeDurably(bytes, to: temporary)
                try fileSystem.rename(temporary, to: directory + "/" + name.file)
            } catch {
                // What is left of it is removed at the next start, too.
                try? fileSystem.remove(temporary)
                throw error
            }
            try fileSystem.synchronizeDirectory(directory)
        } catch {
            throw StoreError("the store could not keep \(name.file) of session \(name.session): \(error)")
        }
    }

    private func writeDurably(_ bytes: [UInt8], to path: String) throws(FileError) {
        let descriptor = try fileSystem.open(path, .create)
        defer { fileSystem.close(descriptor) }
        var failure: FileError?
        bytes.withUnsafeBytes { raw in
            do throws(FileError) {
                try fileSystem.writeAll(descriptor, path: path, raw)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try fileSystem.synchronize(descriptor, path: path)
    }

    public func open(_ name: ObjectName) throws(StoreError) -> (any StoredObject)? {
        let path = directory(of: name.session) + "/" + name.file
        do throws(FileError) {
            return try LocalObject(path: path, fileSystem: fileSystem)
        } catch {
            if error.code == missingErrorCode { return nil }
            throw StoreError("the store could not be read: \(error)")
        }
    }

    public func list(_ session: SessionID) throws(StoreError) -> [String] {
        do throws(FileError) {
            return try fileSystem.list(directory(of: session)) ?? []
        } catch {
            throw StoreError("the store could not be read: \(error)")
        }
    }

    public func forEachSession(_ body: (SessionID) throws -> Bool) throws {
        let top = root + "/sessions"
        for year in try names(in: top) {
            for month in try names(in: "\(top)/\(year)") {
                for day in try names(in: "\(top)/\(year)/\(month)") {
                    for name in try names(in: "\(top)/\(year)/\(month)/\(day)") {
                        // A directory that was moved to another day would not be found by its name again: it counts as absent.
                        guard let session = SessionID(name), datePath(of: session) == "\(year)/\(month)/\(day)" else { continue }
                        guard try body(session) else { return }
                    }
                }
            }
        }
    }

    private func names(in directory: String) throws(StoreError) -> [String] {
        do throws(FileError) {
            return try fileSystem.list(directory) ?? []
        } catch {
            // A file where a directory is expected holds no sessions.
            if error.code == notADirectoryErrorCode { return [] }
            throw StoreError("the store could not be read: \(error)")
        }
    }

    public func delete(_ session: SessionID) throws(StoreError) {
        let directory = directory(of: session)
        do throws(FileError) {
            for file in try fileSystem.list(directory) ?? [] { try fileSystem.remove(directory + "/" + file) }
            try fileSystem.removeDirectory(directory)
            try fileSystem.synchronizeDirectory(parentDirectory(of: directory))
        } catch {
            throw StoreError("session \(session) could not be removed from the store: \(error)")
        }
    }

    public func removeLeftovers() throws(StoreError) {
        do throws(FileError) {
            let temporaries = root + "/temporary"
            for file in try fileSystem.list(temporaries) ?? [] { try fileSystem.remove(temporaries + "/" + file) }
        } catch {
            throw StoreError("the store's unfinished files could not be removed: \(error)")
        }
    }
}

/// A file of a local store.
private final class LocalObject: StoredObject {
    let size: Int
    private let descriptor: Int32
    private let path: String
    private let fileSystem: any FileSystem

    init(path: String, fileSystem: any FileSystem) throws(FileError) {
        let descriptor = try fileSystem.open(path, .read)
        do throws(FileError) {
            size = try fileSystem.size(descriptor, path: path)
        } catch {
            fileSystem.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.path = path
        self.fileSystem = fileSystem
    }

    deinit { fileSystem.close(descriptor) }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        do throws(FileError) {
            return try fileSystem.readFully(descriptor, path: path, into: buffer, at: offset)
        } catch {
            throw StoreError("the store could not be read: \(error)")
        }
    }
}

/// `yyyy/mm/dd` in UTC of the 48 bits of milliseconds in a version 7 UUID.
private func datePath(of session: SessionID) -> String {
    // Days to civil date in the proleptic Gregorian calendar, counting eras of 400 years from March 1 of year 0.
    let days = Int(session.high >> 16) / 86_400_000 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(year, 4))/\(padded(month, 2))/\(padded(day, 2))"
}
