import AsyncHTTPClient
import Foundation
import GatehouseCore
import Logging
import NIOCore
import Recording
import Settings

/// Keeps each new checkpoint of the log in a second place, if one is configured: whoever can change the store should not be able to change
/// that. A failure is told and does not stop anything; the store has the checkpoint, too.
func checkpointKeeper(_ settings: RecordingSettings, _ logger: Logger) -> @Sendable ([UInt8]) -> Void {
    let file = settings.checkpointFile
    let url = settings.checkpointURL
    return { note in
        if let file {
            do {
                try Data(note).write(to: URL(fileURLWithPath: file), options: .atomic)
            } catch {
                logger.error("the checkpoint could not be written", metadata: ["file": "\(file)", "error": "\(error)"])
            }
        }
        if let url {
            Task {
                do {
                    var request = HTTPClientRequest(url: url)
                    request.method = .POST
                    request.headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
                    request.body = .bytes(ByteBuffer(bytes: note))
                    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
                    guard response.status.code / 100 == 2 else { throw StoreError("it answered \(response.status.code)") }
                } catch {
                    logger.error("the checkpoint could not be posted", metadata: ["url": "\(url)", "error": "\(error)"])
                }
            }
        }
    }
}

/// Seals new sessions to other recipients, and has the log say so first.
func takeRecipients(
    _ settings: RecordingSettings, _ sealing: Sealing, _ recordings: Recordings, _ log: EvidenceLog, _ logger: Logger
) throws {
    let recipients = try recordings.recipients(settings, logger)
    let breakGlass = try recordings.breakGlassRecipients(settings)
    try log.note(
        "recipients.changed", by: "configuration",
        detail: ["recipients": recipients.map(\.id).joined(separator: " ")].merging(breakGlassDetail(breakGlass)) { $1 })
    sealing.recipients = recipients
    sealing.breakGlass = breakGlass
}

/// What the log says of whom originals are sealed to; nothing where that is nobody.
func breakGlassDetail(_ recipients: [RecipientPublicKey]) -> [String: String] {
    recipients.isEmpty ? [:] : ["break_glass_recipients": recipients.map(\.id).joined(separator: " ")]
}
