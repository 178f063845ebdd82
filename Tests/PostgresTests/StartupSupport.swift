import GatehouseCore
import NIOCore
import Testing

@testable import Postgres

/// A startup packet by hand: the code, then the body as it is.
func packet(_ code: UInt32, _ body: [UInt8] = []) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeInteger(UInt32(8 + body.count))
    buffer.writeInteger(code)
    buffer.writeBytes(body)
    return buffer
}

/// NUL-terminated strings, one after the other, and the last NUL.
func strings(_ texts: String...) -> [UInt8] {
    texts.flatMap { Array($0.utf8) + [0] } + [0]
}

let version30: UInt32 = 3 << 16

extension ByteBuffer {
    var bytes: [UInt8] { Array(readableBytesView) }
}

/// What a framer makes of these bytes, whole and byte by byte: both must be the same.
func frame(_ bytes: ByteBuffer, insideTLS: Bool = false, limit: Int = 10_000) -> Result<[StartupPacket], HandshakeError> {
    func run(step: Int) -> Result<[StartupPacket], HandshakeError> {
        var framer = StartupFramer(insideTLS: insideTLS, maximumBytes: limit)
        var packets: [StartupPacket] = []
        var rest = bytes
        do throws(HandshakeError) {
            while rest.readableBytes > 0 {
                if let part = rest.readSlice(length: min(step, rest.readableBytes)) { framer.append(part) }
                while let packet = try framer.next() {
                    packets.append(packet)
                    if packet == .directTLS { return .success(packets) }
                }
            }
            return .success(packets)
        } catch {
            return .failure(error)
        }
    }
    let whole = run(step: max(1, bytes.readableBytes))
    for step in [1, 3, 7] {
        #expect(run(step: step) == whole)
    }
    return whole
}

/// The SQLSTATE that is thrown, nil where nothing is.
func sqlState(_ body: () throws(HandshakeError) -> Void) -> String? {
    do throws(HandshakeError) {
        try body()
        return nil
    } catch {
        return error.sqlState
    }
}

extension Result where Failure == HandshakeError {
    var sqlState: String? {
        if case .failure(let error) = self { return error.sqlState }
        return nil
    }
}
