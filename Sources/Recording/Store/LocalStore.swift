public import GatehouseCore
import Synchronization

/// A store in a directory: an object's key is its path there. It cannot retain anything against its owner.
public final class LocalStore: ObjectStore {
    private let root: String
    private let fileSystem: any FileSystem
    private let counter = Atomic<UInt64>(0)
    /// Several may use one directory.
    private let instance = UInt64.random(in: .min ... .max)

    /// - Parameter root: the directory; made at the first put.
    public init(root: String, fileSystem: any FileSystem = LocalFileSystem()) {
        self.root = root
        self.fileSystem = fileSystem
    }

    /// The directory of a session, whether or not it exists.
    public func directory(of session: SessionID) -> String {
        root + "/" + ObjectName.folder(of: session)
    }

    public func put(_ key: ObjectKey, _ bytes: [UInt8], retainUntil: WallTime?) throws(StoreError) {
        let path = try path(of: key)
        do throws(FileError) {
            let temporaries = root + "/temporary"
            let directory = parentDirectory(of: path)
            try fileSystem.makeDirectories(temporaries)
            try fileSystem.makeDirectories(directory)
            let unique = counter.wrappingAdd(1, ordering: .relaxed).newValue
            let temporary = "\(temporaries)/\(instance)-\(unique)"
            do throws(FileError) {
                try writeDurably(bytes, to: temporary)
                try fileSystem.rename(temporary, to: path)
            } catch {
                // What is left of it is removed at the next start, too.
                try? fileSystem.remove(temporary)
                throw error
            }
            try fileSystem.synchronizeDirectory(directory)
        } catch {
            throw StoreError("the store could not keep \(key): \(error)")
        }
    }

    private func path(of key: ObjectKey) throws(StoreError) -> String {
        guard key.isPlain else { throw StoreError("'\(key)' cannot be the key of an object") }
        return root + "/" + key.path
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

    public func open(_ key: ObjectKey) throws(StoreError) -> (any StoredObject)? {
        let path = try path(of: key)
        do throws(FileError) {
            return try LocalObject(path: path, fileSystem: fileSystem)
        } catch {
            if [missingErrorCode, notADirectoryErrorCode, isADirectoryErrorCode].contains(error.code) { return nil }
            throw StoreError("the store could not be read: \(error)")
        }
    }

    public func forEachKey(below folder: String, _ body: (ObjectKey) throws -> Bool) throws {
        _ = try walk(folder, body)
    }

    /// False once `body` wants no more.
    private func walk(_ folder: String, _ body: (ObjectKey) throws -> Bool) throws -> Bool {
        // A directory's keys go on with a slash, and are sorted as such.
        var entries: [(path: String, isDirectory: Bool)] = []
        for name in try names(in: root + "/" + folder) ?? [] {
            let path = folder + "/" + name
            let isDirectory = try names(in: root + "/" + path) != nil
            entries.append((isDirectory ? path + "/" : path, isDirectory))
        }
        entries.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        for (path, isDirectory) in entries {
            guard try isDirectory ? walk(String(path.dropLast()), body) : body(ObjectKey(path)) else { return false }
        }
        return true
    }

    /// nil for a file, or what is not there.
    private func names(in directory: String) throws(StoreError) -> [String]? {
        do throws(FileError) {
            return try fileSystem.list(directory)
        } catch {
            if error.code == notADirectoryErrorCode { return nil }
            throw StoreError("the store could not be read: \(error)")
        }
    }

    public func delete(_ key: ObjectKey) throws(StoreError) {
        let path = try path(of: key)
        do throws(FileError) {
            do throws(FileError) {
                try fileSystem.remove(path)
            } catch {
                // A key below an object's, or a folder: there is no such object.
                if error.code == notADirectoryErrorCode || error.code == isADirectoryErrorCode { return }
                guard error.code == missingErrorCode else { throw error }
            }
            let directory = parentDirectory(of: path)
            if let rest = try fileSystem.list(directory) {
                if rest.isEmpty { try fileSystem.removeDirectory(directory) }
                try fileSystem.synchronizeDirectory(rest.isEmpty ? parentDirectory(of: directory) : directory)
            }
        } catch {
            throw StoreError("\(key) could not be removed from the store: \(error)")
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
            // A directory can be opened, and says only now that it is one.
            var byte: UInt8 = 0
            _ = try withUnsafeMutableBytes(of: &byte) { raw throws(FileError) in
                try fileSystem.read(descriptor, path: path, into: raw, at: 0)
            }
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
