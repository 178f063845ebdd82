import Foundation
import Glibc

/// A file that has its name only once all of it is there: written beside it, readable for its owner alone, and renamed at the end.
/// What was not committed goes.
public final class ExportFile {
    private let path: String
    private let partial: String
    private var descriptor: Int32

    /// - Throws: `ExportError` when no file can be made there.
    public init(path: String) throws(ExportError) {
        self.path = path
        let folder = (path as NSString).deletingLastPathComponent
        let name = ".\((path as NSString).lastPathComponent).\(UInt64.random(in: .min ... .max)).partial"
        partial = folder.isEmpty ? name : folder + "/" + name
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { throw ExportError("\(path) is a directory") }
        descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ExportError("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    }

    /// - Throws: `ExportError` when the disk is full or the like.
    public func write(_ bytes: [UInt8]) throws(ExportError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { $0.baseAddress.map { Glibc.write(descriptor, $0 + written, bytes.count - written) } ?? 0 }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ExportError("\(path) cannot be written: \(String(cString: strerror(errno)))") }
            written += count
        }
    }

    /// Gives the file its name, in place of an older one.
    public func commit() throws(ExportError) {
        guard fsync(descriptor) == 0, rename(partial, path) == 0 else {
            throw ExportError("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        descriptor = -1
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(partial)
    }
}

@available(*, unavailable)
extension ExportFile: Sendable {}
