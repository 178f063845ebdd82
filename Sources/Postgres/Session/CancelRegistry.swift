import GatehouseCore
import Identity
import NIOCore
import Synchronization

/// The keys that clients were given to cancel with. They are the gateway's own: a client never learns the server's.
final class CancelRegistry: Sendable {
    private struct Entry {
        let secret: [UInt8]
        let cancel: @Sendable () -> Void
    }

    private let entries = Mutex<[Int32: Entry]>([:])

    /// Keys that fit nothing, by address. Apart from failed logins: an interrupted client that shows an old key is no guesser of
    /// passwords.
    private let throttle: Throttle

    init(clock: any GatewayClock) {
        throttle = Throttle(clock: clock)
    }

    enum Outcome: Hashable {
        case cancelled
        case unknownKey
        /// The address showed too many keys that fit nothing: this one was not looked at. `isRepeat`: that was just reported.
        case throttled(isRepeat: Bool)
    }

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

    /// Cancels what `key`, shown by a client at `address`, belongs to.
    func cancel(_ key: StartupPacket.CancelKey, from address: String) -> Outcome {
        do throws(AuthenticationFailure) {
            try throttle.check(address: address, login: "")
        } catch {
            return .throttled(isRepeat: error.isRepeat)
        }
        let entry = entries.withLock { $0[key.processID] }
        guard let entry, constantTimeEquals(entry.secret, key.secret) else {
            throttle.failed(address: address, login: "")
            return .unknownKey
        }
        entry.cancel()
        return .cancelled
    }
}
