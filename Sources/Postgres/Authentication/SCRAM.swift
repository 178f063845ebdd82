import Crypto
import CryptoExtras
import Foundation
import GatehouseCore

/// The one expensive step of SCRAM: the salted password (RFC 5802 section 3, `Hi`). A value, so that it can be computed
/// on another thread, and so that its result can be kept for the next session with the same account.
public struct SaltedPasswordRequest: Sendable, Hashable {
    let password: Secret
    let salt: [UInt8]
    /// The server's choice, 1 to 10 million.
    public let iterations: Int

    /// Takes some 0.3 microseconds an iteration.
    public func compute() throws(HandshakeError) -> SaltedPassword {
        do {
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: Data(SASLPrep.password(password.reveal()).utf8), salt: Data(salt), using: .sha256, outputByteCount: 32,
                unsafeUncheckedRounds: iterations)
            return SaltedPassword(key: key)
        } catch {
            throw HandshakeError(sqlState: "XX000", message: "the SCRAM keys could not be derived")
        }
    }
}

/// What a password, a salt and an iteration count come to. As good as the password itself; never printed.
public struct SaltedPassword: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    let key: SymmetricKey

    public var description: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The client's side of one SCRAM-SHA-256 exchange (RFC 5802 sections 5 and 7, RFC 7677): the texts, and the proofs.
struct SCRAMExchange: Sendable {
    /// The GS2 header's channel binding flag (RFC 5802 section 7), with the binding's data where there are some.
    enum Binding: Sendable, Equatable {
        /// `n`: the client has no channel to bind to.
        case none
        /// `y`: the client could bind, and the server did not offer to.
        case notOffered
        /// `p=tls-server-end-point`: the hash of the server's certificate (RFC 5929 section 4).
        case endPoint([UInt8])
    }

    static let mechanism = "SCRAM-SHA-256"
    static let bindingMechanism = "SCRAM-SHA-256-PLUS"
    /// A server may ask for so much work and no more. PostgreSQL's own default is 4,096, and 10 million take seconds.
    static let iterations = 1...10_000_000

    private let binding: Binding
    private let nonce: String
    private var serverFirst = ""
    private var serverNonce = ""

    /// - Parameter nonce: printable ASCII without a comma.
    init(binding: Binding, nonce: String) {
        self.binding = binding
        self.nonce = nonce
    }

    /// 18 random bytes, in base64.
    static func freshNonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return Data((0..<18).map { _ in UInt8.random(in: 0...255, using: &generator) }).base64EncodedString()
    }

    private var header: String {
        switch binding {
        case .none: "n,,"
        case .notOffered: "y,,"
        case .endPoint: "p=tls-server-end-point,,"
        }
    }

    /// The server takes the user's name from the startup packet, so that it is empty here ("SCRAM-SHA-256
    /// Authentication").
    private var clientFirstBare: String { "n=\(userName),r=\(nonce)" }
    /// Set by a test that runs the RFC's example.
    var userName = ""

    var clientFirst: [UInt8] { Array((header + clientFirstBare).utf8) }

    private var clientFinalWithoutProof: String {
        var bound = Data(header.utf8)
        if case .endPoint(let hash) = binding { bound.append(contentsOf: hash) }
        return "c=\(bound.base64EncodedString()),r=\(serverNonce)"
    }

    private var authMessage: Data { Data("\(clientFirstBare),\(serverFirst),\(clientFinalWithoutProof)".utf8) }

    /// Reads `r=..,s=..,i=..`. Extensions are refused as PostgreSQL's own client does.
    mutating func receive(serverFirst message: [UInt8], password: Secret) throws(HandshakeError) -> SaltedPasswordRequest {
        let fields = try Self.fields(of: message)
        guard fields.count == 3, let nonce = fields[0].value(of: "r"), let salt = fields[1].value(of: "s"),
            let count = fields[2].value(of: "i")
        else { throw Self.malformed("its first message") }
        // Longer than the client's own, and beginning with it: else another's exchange is replayed.
        guard nonce.utf8.starts(with: self.nonce.utf8), nonce.utf8.count > self.nonce.utf8.count else {
            throw .protocolViolation("invalid SCRAM response from the server (nonce mismatch)")
        }
        guard let salt = Data(base64Encoded: salt), !salt.isEmpty else { throw Self.malformed("its salt") }
        guard count.utf8.count <= 10, count.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let iterations = Int(count),
            Self.iterations.contains(iterations)
        else {
            throw .protocolViolation(
                "the server's SCRAM iteration count is out of bounds (1 to \(Self.iterations.upperBound))",
                hint: "Lower scram_iterations on the server and set the role's password again.")
        }
        guard let text = String(validating: message, as: UTF8.self) else { throw Self.malformed("its first message") }
        serverFirst = text
        serverNonce = nonce
        return SaltedPasswordRequest(password: password, salt: Array(salt), iterations: iterations)
    }

    /// `c=..,r=..,p=..`
    func clientFinal(_ salted: SaltedPassword) -> [UInt8] {
        let clientKey = Self.hmac(salted.key, Data("Client Key".utf8))
        let storedKey = SymmetricKey(data: SHA256.hash(data: clientKey))
        let signature = Self.hmac(storedKey, authMessage)
        let proof = Data(zip(clientKey, signature).map { $0 ^ $1 })
        return Array("\(clientFinalWithoutProof),p=\(proof.base64EncodedString())".utf8)
    }

    /// Reads `v=..` and holds it against what a server that knows the password's verifier says.
    func verify(serverFinal message: [UInt8], _ salted: SaltedPassword) throws(HandshakeError) {
        let fields = try Self.fields(of: message)
        if let reason = fields.first?.value(of: "e") {
            throw .authorization("the server refused the SCRAM exchange: \(reason.quotedForMessage)")
        }
        guard fields.count == 1, let value = fields[0].value(of: "v"), let signature = Data(base64Encoded: value) else {
            throw Self.malformed("its last message")
        }
        let serverKey = SymmetricKey(data: Self.hmac(salted.key, Data("Server Key".utf8)))
        guard constantTimeEquals(signature, Self.hmac(serverKey, authMessage)) else {
            throw .authorization(
                "incorrect SCRAM server signature: the server does not know the role's password",
                hint: "Something else may answer in the server's place; use TLS mode verify-full.")
        }
    }

    private static func hmac(_ key: SymmetricKey, _ data: Data) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: data, using: key))
    }

    private static func malformed(_ what: String) -> HandshakeError {
        .protocolViolation("malformed SCRAM message from the server: \(what)")
    }

    private struct Field {
        var name: UInt8
        var text: String

        func value(of letter: Character) -> String? { letter.asciiValue == name ? text : nil }
    }

    /// Splits `a=x,b=y`. All of SCRAM is printable ASCII but for the server's own words in an error.
    private static func fields(of message: [UInt8]) throws(HandshakeError) -> [Field] {
        var fields: [Field] = []
        for part in message.split(separator: UInt8(ascii: ","), maxSplits: 8, omittingEmptySubsequences: false) {
            guard part.count >= 2, let name = part.first, part[part.startIndex + 1] == UInt8(ascii: "="),
                part.allSatisfy({ (0x21...0x7E).contains($0) || (name == UInt8(ascii: "e") && $0 >= 0x20 && $0 != 0x7F) })
            else { throw malformed("a field is not of the form a=value") }
            fields.append(Field(name: name, text: String(decoding: part.dropFirst(2), as: UTF8.self)))
        }
        return fields
    }
}
