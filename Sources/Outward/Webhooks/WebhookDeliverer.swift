import GatehouseCore

/// Posts events to one webhook, one a request, in order.
final class WebhookDeliverer: Deliverer {
    /// About four minutes of tries: news of an approval is worth little later, and what comes behind it waits.
    static let patience = Patience(capacity: 1_024, backoff: Backoff(first: .seconds(1), longest: .seconds(60)), attempts: 10)

    let host: String
    private let webhook: Webhook
    private let signature: WebhookSignature?
    private let source: EventSource
    private let http: HTTPPoster
    private let surroundings: OutwardSurroundings

    init(
        _ webhook: Webhook, _ source: EventSource, _ http: HTTPPoster, _ surroundings: OutwardSurroundings
    ) throws(OutwardError) {
        self.webhook = webhook
        self.source = source
        self.http = http
        self.surroundings = surroundings
        host = HTTPPoster.host(of: webhook.url.reveal())
        signature = if let secret = webhook.secret { try WebhookSignature(secret: secret) } else { nil }
    }

    func deliver(_ events: [OutwardEvent]) async throws(DeliveryError) {
        for event in events {
            let form = webhook.form == .slack ? SlackForm.object(event, from: source) : PlainForm.object(event, from: source)
            let body = form.bytes
            // Of this try, so that a receiver may refuse what is older than some minutes.
            let timestamp = surroundings.clock.wallTime().seconds
            var headers = [("webhook-id", event.id), ("webhook-timestamp", "\(timestamp)")]
            if let signature { headers.append(("webhook-signature", signature.value(id: event.id, timestamp: timestamp, body: body))) }
            let answer = try await http.post(webhook.url.reveal(), headers: headers, body: body, authorityFile: webhook.authorityFile)
            guard answer.isSuccess else { throw answer.error }
        }
    }
}
