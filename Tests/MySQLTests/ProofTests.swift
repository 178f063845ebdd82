import Crypto
import CryptoExtras
import Foundation
import GatehouseCore
import Testing

@testable import MySQL

@Suite struct ProofTests {
    private let nonce: [UInt8] = Array(1...20)

    @Test func nativeIsWhatAServerChecks() {
        let proof = PasswordProof.native("secret", nonce: nonce)
        let stored = Array(Insecure.SHA1.hash(data: Array(Insecure.SHA1.hash(data: Array("secret".utf8)))))
        let mask = Array(Insecure.SHA1.hash(data: nonce + stored))
        #expect(Array(Insecure.SHA1.hash(data: zip(proof, mask).map { $0 ^ $1 })) == stored)
        #expect(PasswordProof.native("", nonce: nonce).isEmpty)
    }

    @Test func cachingSHA2IsWhatAServerChecks() {
        let proof = PasswordProof.cachingSHA2("secret", nonce: nonce)
        let stored = Array(SHA256.hash(data: Array(SHA256.hash(data: Array("secret".utf8)))))
        let mask = Array(SHA256.hash(data: stored + nonce))
        #expect(Array(SHA256.hash(data: zip(proof, mask).map { $0 ^ $1 })) == stored)
    }

    /// The public key of the word `secret` is printed in MariaDB's documentation ("Authentication Plugin - ed25519").
    @Test func ed25519IsMariaDBs() throws {
        let key = PasswordProof.ed25519PublicKey("secret")
        #expect(Data(key).base64EncodedString() == "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=")
    }

    @Test(arguments: ["", "a", "secret", String(repeating: "long ", count: 50)])
    func ed25519SignsForAnyPassword(password: String) throws {
        let nonce = [UInt8](repeating: 9, count: 32)
        let signature = try PasswordProof.ed25519(Secret(password), nonce: nonce)
        let key = try Curve25519.Signing.PublicKey(rawRepresentation: PasswordProof.ed25519PublicKey(Secret(password)))
        #expect(key.isValidSignature(signature, for: nonce))
        #expect(!key.isValidSignature(signature, for: nonce + [1]))
    }

    @Test func rsaHidesThePassword() throws {
        let key = try _RSA.Encryption.PrivateKey(keySize: .bits2048)
        let sent = try PasswordProof.rsa("secret", nonce: nonce, publicKey: key.publicKey.pemRepresentation)
        let hidden = Array(try key.decrypt(Data(sent), padding: .PKCS1_OAEP))
        #expect(zip(hidden, nonce).map { $0 ^ $1 } == Array("secret\0".utf8))
        #expect(throws: HandshakeError.self) {
            try PasswordProof.rsa(Secret(String(repeating: "x", count: 250)), nonce: nonce, publicKey: key.publicKey.pemRepresentation)
        }
        #expect(throws: HandshakeError.self) { try PasswordProof.rsa("secret", nonce: nonce, publicKey: "no key") }
        #expect(throws: HandshakeError.self) { try PasswordProof.rsa("secret", nonce: [], publicKey: key.publicKey.pemRepresentation) }
    }
}
