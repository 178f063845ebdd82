import Foundation
import GatehouseCore

/// Sends events as OpenTelemetry logs, over HTTP with JSON (https://opentelemetry.io/docs/specs/otlp/, "OTLP/HTTP").
final class OTLPSink: Deliverer {
    static let patience = Patience(batch: 256)

    private let otlp: EventSink.OTLP
    private let source: EventSource
    private let http: HTTPPoster

    init(_ otlp: EventSink.OTLP, _ source: EventSource, _ http: HTTPPoster) {
        self.otlp = otlp
        self.source = source
        self.http = http
    }

    func deliver(_ events: [OutwardEvent]) async throws(DeliveryError) {
        let answer = try await http.post(
            otlp.url, headers: otlp.headers.map { ($0.key, $0.value.reveal()) }, body: Self.request(events, source).bytes,
            authorityFile: otlp.authorityFile)
        guard answer.isSuccess else {
            // "OTLP/HTTP Response", "Failures": these alone are to be tried again.
            var error = answer.error
            error.isTransient = [429, 502, 503, 504].contains(answer.status)
            throw error
        }
        if let refused = Self.refused(answer.head) {
            throw DeliveryError("the collector refused \(refused) of \(events.count) records", isTransient: false)
        }
    }

    /// How many records an answer says were refused ("Partial Success"); nil: none.
    static func refused(_ body: [UInt8]) -> Int? {
        guard let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any],
            let partial = object["partialSuccess"] as? [String: Any], let count = partial["rejectedLogRecords"]
        else { return nil }
        // 64-bit numbers are strings in the JSON form of Protocol Buffers; some servers write numbers.
        let number = (count as? String).flatMap(Int.init) ?? count as? Int
        return number.flatMap { $0 > 0 ? $0 : nil }
    }

    /// An ExportLogsServiceRequest (opentelemetry-proto, `collector/logs/v1`, `logs/v1`).
    static func request(_ events: [OutwardEvent], _ source: EventSource) -> JSONText {
        let scope: JSONText = ["name": "gatehouse.events", "version": .string(source.version)]
        let resource: JSONText = [
            "attributes": [
                attribute("service.name", "gatehouse"), attribute("service.version", source.version),
                attribute("service.instance.id", source.node),
            ]
        ]
        return [
            "resourceLogs": [
                ["resource": resource, "scopeLogs": [["scope": scope, "logRecords": .array(events.map { record($0, source) })]]]
            ]
        ]
    }

    private static func record(_ event: OutwardEvent, _ source: EventSource) -> JSONText {
        let (number, text) = severity(event.severity)
        var attributes = [attribute("event.name", event.name), attribute("event.id", event.id)]
        if let session = event.place.session { attributes.append(attribute("gatehouse.session", session.description)) }
        if let target = event.place.target { attributes.append(attribute("gatehouse.target", target)) }
        if let actor = event.actor { attributes.append(attribute("user.name", actor.user.clipped(TextLimit.name))) }
        return [
            "timeUnixNano": .string("\(event.time.nanoseconds)"), "observedTimeUnixNano": .string("\(event.time.nanoseconds)"),
            "severityNumber": JSONText(number), "severityText": .string(text),
            "body": ["stringValue": .string(OCSF.object(event, from: source).text)], "attributes": .array(attributes),
            "eventName": .string("gatehouse.\(event.name)"),
        ]
    }

    private static func attribute(_ key: String, _ value: String) -> JSONText {
        // Not by a literal, which leaves out empty text: an attribute without a value is not allowed.
        .object([
            .init(name: "key", value: .string(key)),
            .init(name: "value", value: .object([.init(name: "stringValue", value: .string(value))])),
        ])
    }

    /// The smallest number of each range (logs data model, "Severity Fields").
    static func severity(_ severity: OutwardEvent.Finding.Severity) -> (Int, String) {
        switch severity {
        case .informational: (9, "INFO")
        case .low: (10, "INFO2")
        case .medium: (13, "WARN")
        case .high: (17, "ERROR")
        case .critical: (21, "FATAL")
        }
    }
}
