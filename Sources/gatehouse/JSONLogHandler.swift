import Foundation
import Logging

/// Log lines as JSON objects, one a line, on standard error.
struct JSONLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    let label: String

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        members["time"] = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        members["level"] = event.level.rawValue
        members["message"] = "\(event.message)"
        members["source"] = event.source
        if let error = event.error { members["error"] = "\(error)" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var bytes = try? encoder.encode(members) else { return }
        bytes.append(UInt8(ascii: "\n"))
        FileHandle.standardError.write(bytes)
    }
}

func makeLogger(_ settings: (isJSON: Bool, level: String)) -> Logger {
    var logger = Logger(label: "gatehouse") { label -> any LogHandler in
        if settings.isJSON { return JSONLogHandler(label: label) }
        return StreamLogHandler.standardError(label: label)
    }
    logger.logLevel = Logger.Level(rawValue: settings.level) ?? .info
    return logger
}
