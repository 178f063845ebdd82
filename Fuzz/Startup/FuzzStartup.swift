import CFuzz
import GatehouseCore
import NIOCore

@testable import Postgres

/// Feeds a client's first bytes to the handshake, once whole packets at a time and once cut as the first input byte says.
///
/// The bytes after the first two are the client's. What must hold: nothing traps; nobody is in without a proof that was verified;
/// after a failure nothing but failures come; however the bytes of one packet are cut, the framer makes the same of them.
@main
enum FuzzStartup {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzStartup.one(Array(UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    private static func one(_ input: [UInt8]) -> Int32 {
        guard input.count > 2 else { return 0 }
        let stream = Array(input.dropFirst(2))
        framer(stream, step: Int(input[0] & 0x3F) + 1, insideTLS: input[1] & 1 == 1)
        handshake(stream, step: Int(input[0] & 0x3F) + 1, options: input[1])
        return 0
    }

    private static func framer(_ stream: [UInt8], step: Int, insideTLS: Bool) {
        func run(step: Int) -> ([StartupPacket], HandshakeError?) {
            var framer = StartupFramer(insideTLS: insideTLS, maximumBytes: 512)
            var packets: [StartupPacket] = []
            var rest = ByteBuffer(bytes: stream)
            do throws(HandshakeError) {
                while let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
                    framer.append(part)
                    while let packet = try framer.next() {
                        packets.append(packet)
                        if packet == .directTLS { return (packets, nil) }
                    }
                }
                return (packets, nil)
            } catch {
                return (packets, error)
            }
        }
        let (cut, whole) = (run(step: step), run(step: max(stream.count, 1)))
        precondition(cut.0 == whole.0 && cut.1 == whole.1, "cuts change what the framer makes of the bytes")
    }

    private static func handshake(_ stream: [UInt8], step: Int, options: UInt8) {
        let usesOAuth = options & 2 != 0
        var handshake = ClientHandshake(
            rules: .init(
                allowsPlaintext: options & 4 != 0,
                method: { _ in usesOAuth ? .oauth(.init(issuer: "https://issuer.example", scope: "openid")) : .password },
                startupPacketBytes: 512, authenticationMessageBytes: 512))
        var hasVerified = false
        var hasFailed = false
        var rest = ByteBuffer(bytes: stream)
        func take(_ actions: [ClientHandshake.Action]) {
            for action in actions {
                if hasFailed, case .fail = action { continue }
                precondition(!hasFailed, "an action behind a failure")
                switch action {
                case .send, .cancel: break
                case .startTLS:
                    take(handshake.tlsIsUp(negotiated: options & 8 != 0 ? "postgresql" : nil))
                case .verify(let secret):
                    precondition(!secret.reveal().isEmpty, "an empty proof")
                    if options & 16 != 0 {
                        take(handshake.refused(HandshakeError(sqlState: "28000", message: "no")))
                    } else {
                        hasVerified = true
                        take(handshake.verified())
                    }
                case .authenticated: precondition(hasVerified, "in without a proof")
                case .fail: hasFailed = true
                }
            }
        }
        while let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
            take(handshake.receive(part))
        }
    }
}
