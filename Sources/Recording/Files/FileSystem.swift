/// A system call on a file that failed.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The call: `open`, `write`, `fdatasync`, ...
    public var operation: String
    public var path: String
    /// The call's `errno`.
    public var code: Int32

    public init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    public var description: String { "\(operation) \(path): \(systemErrorText(code))" }
}

/// How a file is opened.
public enum FileAccess: Sendable, Hashable {
    /// Must exist.
    case read
    /// Must not exist; made with mode 0600.
    case create
}

/// The file operations that recording stands on. Tests put one in its place that fails at each call in turn.
/// Every call retries EINTR itself.
public protocol FileSystem: Sendable {
    func open(_ path: String, _ access: FileAccess) throws(FileError) -> Int32
    func close(_ descriptor: Int32)
    /// Writes at the end of what was written; may write less than asked for, never nothing.
    func write(_ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int
    /// Reads at `offset`; 0 at the end of the file.
    func read(_ descriptor: Int32, path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int
    func size(_ descriptor: Int32, path: String) throws(FileError) -> Int
    func truncate(_ descriptor: Int32, path: String, to size: Int) throws(FileError)
    /// fdatasync(2).
    func synchronize(_ descriptor: Int32, path: String) throws(FileError)
    /// fsync(2) of a directory, so that the names in it are durable.
    func synchronizeDirectory(_ path: String) throws(FileError)
    /// Makes the directory with mode 0700; true when it was not there.
    func makeDirectory(_ path: String) throws(FileError) -> Bool
    func rename(_ from: String, to: String) throws(FileError)
    func remove(_ path: String) throws(FileError)
    func removeDirectory(_ path: String) throws(FileError)
    /// The names in a directory, sorted, without `.` and `..`; nil when there is no such directory.
    func list(_ path: String) throws(FileError) -> [String]?
    /// Bytes that this user may still write on the file system that holds `path`.
    func freeBytes(_ path: String) throws(FileError) -> Int
}

extension FileSystem {
    /// Writes all of `bytes`.
    func writeAll(_ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try write(descriptor, path: path, rest)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(count, 1)))
        }
    }

    /// Reads until `buffer` is full or the file ends; returns how much was read.
    func readFully(
        _ descriptor: Int32, path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(FileError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try read(
                descriptor, path: path, into: UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(filled)), at: offset + filled)
            guard count > 0 else { break }
            filled += count
        }
        return filled
    }

    /// Makes `path` and what is missing above it, each durable in its parent.
    func makeDirectories(_ path: String) throws(FileError) {
        var missing: [String] = []
        var current = path
        while try list(current) == nil {
            missing.append(current)
            let parent = parentDirectory(of: current)
            if parent == current { break }
            current = parent
        }
        for directory in missing.reversed() where try makeDirectory(directory) {
            try synchronizeDirectory(parentDirectory(of: directory))
        }
    }
}

/// The directory that holds `path`.
func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
