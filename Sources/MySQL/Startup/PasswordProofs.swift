import CSodium
import Crypto
import CryptoExtras
import Foundation
import GatehouseCore

/// What each plugin sends in place of a password. Pure functions of the password and the server's nonce.
enum PasswordProof {
    /// SHA1(password) xor SHA1(nonce + SHA1(SHA1(password))) ("Native Authentication").
    static func native(_ password: Secret, nonce: [UInt8]) -> [UInt8] {
        guard !password.isEmpty else { return [] }
        let once = Array(Insecure.SHA1.hash(data: Array(password.reveal().utf8)))
        let twice = Array(Insecure.SHA1.hash(data: once))
        return xor(once, Array(Insecure.SHA1.hash(data: nonce + twice)))
    }

    /// SHA256(password) xor SHA256(SHA256(SHA256(password)) + nonce) ("Caching_sha2_password information").
    static func cachingSHA2(_ password: Secret, nonce: [UInt8]) -> [UInt8] {
        guard !password.isEmpty else { return [] }
        let once = Array(SHA256.hash(data: Array(password.reveal().utf8)))
        let twice = Array(SHA256.hash(data: once))
        return xor(once, Array(SHA256.hash(data: twice + nonce)))
    }

    /// The password and a NUL.
    static func clear(_ password: Secret) -> [UInt8] { Array(password.reveal().utf8) + [0] }

    /// The password and a NUL, xor the nonce over and over, encrypted to the server's key with RSA-OAEP and SHA-1.
    /// - Throws: `HandshakeError` for a key that is none, and a password too long for it.
    static func rsa(_ password: Secret, nonce: [UInt8], publicKey: String) throws(HandshakeError) -> [UInt8] {
        guard !nonce.isEmpty else { throw HandshakeError(.badHandshake, "the server sent no nonce to hide the password with") }
        var hidden = clear(password)
        defer { wipe(&hidden) }
        for index in hidden.indices { hidden[index] ^= nonce[index % nonce.count] }
        let key: _RSA.Encryption.PublicKey
        do {
            key = try _RSA.Encryption.PublicKey(pemRepresentation: publicKey)
        } catch {
            throw HandshakeError(
                .badHandshake, "the server's RSA public key cannot be used",
                hint: "It must be a PEM key of at least 2048 bits; or use TLS to the target")
        }
        do {
            return Array(try key.encrypt(hidden, padding: .PKCS1_OAEP))
        } catch {
            throw HandshakeError(
                .accessDenied, "the account's password is too long for the server's RSA key",
                hint: "Use TLS to the target, or a shorter password")
        }
    }

    /// MariaDB's `client_ed25519`: a signature of the nonce (RFC 8032, section 5.1.6) whose secret scalar and prefix are
    /// the halves of SHA512(password). RFC 8032 hashes a seed of 32 bytes at this place, and a library that takes the seed
    /// alone cannot be used, hence the curve's primitives.
    static func ed25519(_ password: Secret, nonce: [UInt8]) throws(HandshakeError) -> [UInt8] {
        guard sodium_init() >= 0 else { throw HandshakeError(.unknownError, "libsodium could not be started") }
        var hash = Array(SHA512.hash(data: Array(password.reveal().utf8)))
        defer { wipe(&hash) }
        hash[0] &= 248
        hash[31] &= 63
        hash[31] |= 64
        var scalar = Array(hash[..<32])
        defer { wipe(&scalar) }
        let publicKey = point(scalar)
        var wide = Array(SHA512.hash(data: Array(hash[32...]) + nonce))
        var once = reduced(wide)
        defer {
            wipe(&wide)
            wipe(&once)
        }
        let commitment = point(once)
        let challenge = reduced(Array(SHA512.hash(data: commitment + publicKey + nonce)))
        // The clamped scalar is above the group's order; the same modulo it is what the signature's sum needs.
        var order = reduced(scalar + [UInt8](repeating: 0, count: 32))
        defer { wipe(&order) }
        var product = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_mul(&product, challenge, order)
        var sum = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_add(&sum, once, product)
        wipe(&product)
        return commitment + sum
    }

    /// What MariaDB keeps of a password: the point of its scalar. Tests hold signatures against it.
    static func ed25519PublicKey(_ password: Secret) -> [UInt8] {
        var scalar = Array(SHA512.hash(data: Array(password.reveal().utf8)).prefix(32))
        defer { wipe(&scalar) }
        scalar[0] &= 248
        scalar[31] &= 63
        scalar[31] |= 64
        return point(scalar)
    }

    private static func point(_ scalar: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        // Fails for a scalar of zero alone, which leaves zeros: a signature that no server takes.
        _ = crypto_scalarmult_ed25519_base_noclamp(&result, scalar)
        return result
    }

    /// 64 bytes modulo the group's order.
    private static func reduced(_ wide: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        guard wide.count == 64 else { return result }
        crypto_core_ed25519_scalar_reduce(&result, wide)
        return result
    }

    private static func xor(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] { zip(left, right).map { $0 ^ $1 } }

    private static func wipe(_ bytes: inout [UInt8]) { sodium_memzero(&bytes, bytes.count) }
}
