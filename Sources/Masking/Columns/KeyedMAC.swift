import CGatehouse

/// HMAC-SHA256 (RFC 2104) that begins where the key was taken in: keying costs more than most values do.
struct KeyedMAC {
    /// What has taken in the key and nothing else. A reference, so that masks which hold one stay small.
    final class Prototype: Sendable {
        fileprivate let state: gatehouse_hmac

        init(key: [UInt8]) {
            var state = gatehouse_hmac()
            key.withUnsafeBytes { gatehouse_hmac_begin(&state, $0.baseAddress, $0.count) }
            self.state = state
        }
    }

    private var state: gatehouse_hmac

    init(_ prototype: Prototype) {
        state = prototype.state
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        gatehouse_hmac_update(&state, bytes.baseAddress, bytes.count)
    }

    mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Shows the digest, 32 bytes, to `use`.
    @inline(__always)
    func withDigest<Result>(_ use: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafePointer(to: state) { state in
            withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
                gatehouse_hmac_end(state, digest.baseAddress?.assumingMemoryBound(to: UInt8.self))
                return use(UnsafeRawBufferPointer(digest))
            }
        }
    }
}
