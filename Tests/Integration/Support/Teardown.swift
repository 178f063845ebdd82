import Dispatch
import Foundation
import Glibc
import Synchronization

/// What is still there when the tests end, however they end, goes with them: servers, programs, folders.
final class Teardown: Sendable {
    static let shared = Teardown()

    private struct State {
        var groups: Set<pid_t> = []
        var postmasters: Set<pid_t> = []
        var mounts: Set<String> = []
        var folders: Set<String> = []
    }

    private let state = Mutex(State())
    /// Only kept, so that they live as long as the process.
    private nonisolated(unsafe) let interrupts: [any DispatchSourceSignal]

    private init() {
        interrupts = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                Teardown.shared.run()
                _exit(128 + number)
            }
            source.resume()
            return source
        }
        atexit { Teardown.shared.run() }
    }

    func add(group: pid_t) { state.withLock { _ = $0.groups.insert(group) } }
    func forget(group: pid_t) { state.withLock { _ = $0.groups.remove(group) } }
    func add(postmaster: pid_t) { state.withLock { _ = $0.postmasters.insert(postmaster) } }
    func forget(postmaster: pid_t) { state.withLock { _ = $0.postmasters.remove(postmaster) } }
    func add(mount: String) { state.withLock { _ = $0.mounts.insert(mount) } }
    func forget(mount: String) { state.withLock { _ = $0.mounts.remove(mount) } }
    func add(folder: String) { state.withLock { _ = $0.folders.insert(folder) } }
    func forget(folder: String) { state.withLock { _ = $0.folders.remove(folder) } }

    private func run() {
        let left = state.withLock { state in
            defer { state = State() }
            return state
        }
        for group in left.groups { kill(-group, SIGTERM) }
        for postmaster in left.postmasters { kill(postmaster, SIGQUIT) }
        if !left.groups.isEmpty || !left.postmasters.isEmpty { usleep(300_000) }
        for group in left.groups { kill(-group, SIGKILL) }
        for mount in left.mounts { umount2(mount, 2 /* MNT_DETACH */) }
        for folder in left.folders { try? FileManager.default.removeItem(atPath: folder) }
    }
}
