import GatehouseCore
import NIOCore
import Synchronization

/// The keys that clients were given to cancel with. They are the gateway's own: a client never learns the server's.
final class CancelRegistry: Sendable {
    private struct Entry {
        let secret: [UInt8]
        let cancel: @Sendable () -> Void
    }

    private let entries = Mutex<[Int32: Entry]>([:])

    init() {}

    /// Makes a key; `cancel` is called, on any thread, when a client shows it.
    func register(_ cancel: @escaping @Sendable () -> Void) -> StartupPacket.CancelKey {
        var generator = SystemRandomNumberGenerator()
        let secret = (0..<4).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let processID = entries.withLock { entries in
            var candidate: Int32
            repeat { candidate = Int32.random(in: 1...Int32.max, using: &generator) } while entries[candidate] != nil
            entries[candidate] = Entry(secret: secret, cancel: cancel)
            return candidate
        }
        return StartupPacket.CancelKey(processID: processID, secret: secret)
    }

    func forget(_ key: StartupPacket.CancelKey) {
        entries.withLock { $0[key.processID] = nil }
    }

    /// Cancels what `key` belongs to; false when it belongs to nothing.
    func cancel(_ key: StartupPacket.CancelKey) -> Bool {
        let entry = entries.withLock { $0[key.processID] }
        guard let entry, constantTimeEquals(entry.secret, key.secret) else { return false }
        entry.cancel()
        return true
    }
}
