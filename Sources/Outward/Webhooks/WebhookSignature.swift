import Crypto
import Foundation
import GatehouseCore

/// The signature of a webhook's message, as Standard Webhooks has it (https://www.standardwebhooks.com, "Signature scheme"):
/// HMAC-SHA256 over `id.timestamp.body`.
struct WebhookSignature: Sendable {
    private let key: SymmetricKey

    /// - Parameter secret: the key's bytes in base64 behind `whsec_`, or a text that is the key itself.
    init(secret: Secret) throws(OutwardError) {
        let text = secret.reveal()
        if text.hasPrefix("whsec_") {
            guard let bytes = Data(base64Encoded: String(text.dropFirst(6))), bytes.count >= 16 else {
                throw OutwardError("a webhook's secret begins with whsec_ and has no base64 of at least 16 bytes behind it")
            }
            key = SymmetricKey(data: bytes)
        } else {
            key = SymmetricKey(data: Data(text.utf8))
        }
    }

    /// What `webhook-signature` holds.
    func value(id: String, timestamp: Int, body: [UInt8]) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Data("\(id).\(timestamp).".utf8))
        code.update(data: body)
        return "v1," + Data(code.finalize()).base64EncodedString()
    }
}
