import GatehouseCore
import Glibc
import NIOPosix

/// Appends events to a file, one a line. A thread of its own does it: a disk that hangs holds up nobody else.
final class FileSink: Deliverer {
    static let patience = Patience(batch: 256)

    private let path: String
    private let source: EventSource
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let file = OpenFile()

    /// Touched on the thread alone.
    private final class OpenFile: @unchecked Sendable {
        var descriptor: Int32 = -1
        /// The last line was not written whole.
        var isTorn = false
    }

    init(path: String, _ source: EventSource) {
        self.path = path
        self.source = source
        thread.start()
    }

    func deliver(_ events: [OutwardEvent]) async throws(DeliveryError) {
        var lines: [UInt8] = []
        for event in events {
            lines += OCSF.object(event, from: source).bytes
            lines.append(UInt8(ascii: "\n"))
        }
        do {
            try await thread.runIfActive { [lines] in try self.write(lines) }
        } catch let error as DeliveryError {
            throw error
        } catch {
            throw DeliveryError("\(path): \(error)")
        }
    }

    private func write(_ lines: [UInt8]) throws(DeliveryError) {
        if file.descriptor < 0 {
            file.descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            guard file.descriptor >= 0 else { throw failure() }
        }
        // What was torn off stands in a line of its own, and the events of it are written again.
        let all = file.isTorn ? [UInt8(ascii: "\n")] + lines : lines
        var done = 0
        while done < all.count {
            let count = all[done...].withUnsafeBytes { Glibc.write(file.descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                if done > 0 { file.isTorn = all[done - 1] != UInt8(ascii: "\n") }
                throw failure()
            }
            done += count
        }
        file.isTorn = false
    }

    private func failure() -> DeliveryError { DeliveryError("\(path): \(String(cString: strerror(errno)))") }

    /// Opened anew at once, so that whoever moved it away finds the next one in its place.
    func reopen() {
        thread.submit { [self] _ in
            closeFile()
            file.descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        }
    }

    private func closeFile() {
        if file.descriptor >= 0 { _ = Glibc.close(file.descriptor) }
        file.descriptor = -1
        file.isTorn = false
    }

    func close() async {
        try? await thread.runIfActive { self.closeFile() }
        try? await thread.shutdownGracefully()
    }
}
