import GatehouseCore

/// One message of RFC 5424, whose MSG is the event as JSON (ASCII, so there is no byte order mark before it).
enum SyslogMessage {
    /// RFC 5424 section 6: the longest that each part may be.
    private static let hostName = 255
    private static let processID = 128
    private static let messageID = 32

    static func bytes(_ event: OutwardEvent, from source: EventSource, facility: Int, process: Int32) -> [UInt8] {
        let header = [
            "<\(min(max(facility, 0), 23) * 8 + severity(event.severity))>1", event.time.timestamp, word(source.node, hostName),
            "gatehouse",
            word("\(process)", processID), word(event.name, messageID), "-",
        ]
        return Array((header.joined(separator: " ") + " ").utf8) + OCSF.object(event, from: source).bytes
    }

    /// RFC 6587 section 3.4.1 and RFC 5425 section 4.3: the length in front.
    static func framed(_ message: [UInt8]) -> [UInt8] { Array("\(message.count) ".utf8) + message }

    /// RFC 5424 table 2.
    static func severity(_ severity: OutwardEvent.Finding.Severity) -> Int {
        switch severity {
        case .informational: 6
        case .low: 5
        case .medium: 4
        case .high: 3
        case .critical: 2
        }
    }

    /// Printable ASCII without blanks; `-` where nothing is left.
    private static func word(_ text: String, _ limit: Int) -> String {
        let kept = text.unicodeScalars.filter { $0.value > 0x20 && $0.value < 0x7F }.prefix(limit)
        return kept.isEmpty ? "-" : String(String.UnicodeScalarView(kept))
    }
}
