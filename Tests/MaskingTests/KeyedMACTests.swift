import Crypto
import Testing

@testable import Masking

@Suite struct KeyedMACTests {
    private func mac(_ key: [UInt8], _ pieces: [[UInt8]]) -> [UInt8] {
        var mac = KeyedMAC(KeyedMAC.Prototype(key: key))
        for piece in pieces { mac.update(piece) }
        return mac.withDigest { Array($0) }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String(UnicodeScalar(HashMask.digit($0 >> 4))) + String(UnicodeScalar(HashMask.digit($0 & 15))) }.joined()
    }

    /// RFC 4231 sections 4.2, 4.3 and 4.7.
    @Test func theVectorsOfTheStandard() {
        #expect(
            hex(mac(Array(repeating: 0x0B, count: 20), [Array("Hi There".utf8)]))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            hex(mac(Array("Jefe".utf8), [Array("what do ya want for nothing?".utf8)]))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hex(mac(Array(repeating: 0xAA, count: 131), [Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)]))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test(arguments: [0, 1, 31, 55, 56, 63, 64, 65, 119, 128, 1_000, 70_001])
    func everyLengthIsAsCryptoSays(_ length: Int) {
        let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for keyLength in [0, 16, 63, 64, 65, 200] {
            let key = (0..<keyLength).map { UInt8(truncatingIfNeeded: $0 &+ 7) }
            let expected = Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
            #expect(mac(key, [message]) == expected)
            #expect(mac(key, [Array(message.prefix(length / 3)), [], Array(message.dropFirst(length / 3))]) == expected)
        }
    }
}
