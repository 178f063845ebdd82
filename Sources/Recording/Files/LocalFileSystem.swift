#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The machine's file system.
public struct LocalFileSystem: FileSystem {
    public init() {}

    public func open(_ path: String, _ access: FileAccess) throws(FileError) -> Int32 {
        switch access {
        case .read:
            return try call("open", path) { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        case .create:
            return try call("open", path) { Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0o600) }
        }
    }

    public func close(_ descriptor: Int32) {
        _ = Glibc.close(descriptor)
    }

    public func write(_ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
        let count = try call("write", path) { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
        // write(2) never returns 0 for a non-empty buffer on a regular file; were it to, looping would never end.
        guard count > 0 || bytes.isEmpty else { throw FileError(operation: "write", path: path, code: EIO) }
        return count
    }

    public func read(
        _ descriptor: Int32, path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(FileError) -> Int {
        try call("read", path) { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    public func size(_ descriptor: Int32, path: String) throws(FileError) -> Int {
        var information = stat()
        _ = try call("fstat", path) { fstat(descriptor, &information) }
        return Int(information.st_size)
    }

    public func truncate(_ descriptor: Int32, path: String, to size: Int) throws(FileError) {
        _ = try call("ftruncate", path) { ftruncate(descriptor, off_t(size)) }
    }

    public func synchronize(_ descriptor: Int32, path: String) throws(FileError) {
        _ = try call("fdatasync", path) { fdatasync(descriptor) }
    }

    public func synchronizeDirectory(_ path: String) throws(FileError) {
        let descriptor = try call("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(descriptor) }
        _ = try call("fsync", path) { fsync(descriptor) }
    }

    public func makeDirectory(_ path: String) throws(FileError) -> Bool {
        do throws(FileError) {
            _ = try call("mkdir", path) { mkdir(path, 0o700) }
            return true
        } catch {
            guard error.code == EEXIST else { throw error }
            return false
        }
    }

    public func rename(_ from: String, to: String) throws(FileError) {
        _ = try call("rename", from) { Glibc.rename(from, to) }
    }

    public func remove(_ path: String) throws(FileError) {
        _ = try call("unlink", path) { unlink(path) }
    }

    public func removeDirectory(_ path: String) throws(FileError) {
        _ = try call("rmdir", path) { rmdir(path) }
    }

    public func list(_ path: String) throws(FileError) -> [String]? {
        guard let directory = opendir(path) else {
            let code = errno
            if code == ENOENT { return nil }
            throw FileError(operation: "opendir", path: path, code: code)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                guard errno == 0 else { throw FileError(operation: "readdir", path: path, code: errno) }
                return names.sorted()
            }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    public func freeBytes(_ path: String) throws(FileError) -> Int {
        var information = statvfs()
        _ = try call("statvfs", path) { statvfs(path, &information) }
        return Int(clamping: UInt64(information.f_bavail).multipliedReportingOverflow(by: UInt64(information.f_frsize)).partialValue)
    }

    /// Runs a system call until it is not interrupted; -1 becomes an error.
    private func call<Value: FixedWidthInteger>(
        _ operation: String, _ path: String, _ body: () -> Value
    ) throws(FileError) -> Value {
        while true {
            let value = body()
            if value != -1 { return value }
            let code = errno
            if code != EINTR { throw FileError(operation: operation, path: path, code: code) }
        }
    }
}

/// What the system calls an error number, in words.
func systemErrorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

let noSpaceErrorCode: Int32 = ENOSPC
let quotaErrorCode: Int32 = EDQUOT
let inputOutputErrorCode: Int32 = EIO
let missingErrorCode: Int32 = ENOENT
let notADirectoryErrorCode: Int32 = ENOTDIR
let isADirectoryErrorCode: Int32 = EISDIR
let existsErrorCode: Int32 = EEXIST
