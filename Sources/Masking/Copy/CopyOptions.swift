/// How a COPY writes its data, or reads it: the options of the statement, or what it does without them
/// (PostgreSQL manual, "COPY").
public struct CopyOptions: Sendable, Hashable {
    public enum Format: Sendable, Hashable {
        case text, csv, binary
    }

    public var format: Format
    /// Between columns; text and CSV.
    public var delimiter: UInt8
    /// What stands for NULL; text and CSV.
    public var null: [UInt8]
    /// CSV.
    public var quote: UInt8
    /// Before a quote inside quotes; CSV.
    public var escape: UInt8
    /// The first line names the columns; text and CSV.
    public var header: Bool

    /// What is nil is the format's default: tab and `\N` for text, comma and nothing for CSV, `"` for quote, the quote for escape.
    ///
    /// Returns nil for options that the server itself refuses.
    public init?(
        format: Format = .text, delimiter: UInt8? = nil, null: [UInt8]? = nil, quote: UInt8? = nil, escape: UInt8? = nil,
        header: Bool = false
    ) {
        self.format = format
        self.delimiter = delimiter ?? UInt8(ascii: format == .csv ? "," : "\t")
        self.null = null ?? (format == .csv ? [] : Array("\\N".utf8))
        self.quote = quote ?? UInt8(ascii: "\"")
        self.escape = escape ?? self.quote
        self.header = header
        guard isPossible else { return nil }
    }

    /// From the options of a COPY .. TO statement, by name and value as they are written (nil: without a value; the short words
    /// of the old syntax, `CSV HEADER`, are `format` and `header` here).
    ///
    /// Returns nil for what the server refuses, for an encoding other than UTF8, and for options that are not known: how the
    /// data then looks cannot be told.
    public init?(statement options: [(name: String, value: String?)]) {
        var given: [String: String?] = [:]
        for (name, value) in options {
            // The server refuses options that are given twice.
            guard given.updateValue(value, forKey: name.lowercased()) == nil else { return nil }
        }
        var format = Format.text
        var bytes: [String: UInt8] = [:]
        var null: [UInt8]?
        var header = false
        for (name, value) in given {
            switch (name, value) {
            case ("format", let value?):
                guard let known = ["text": Format.text, "csv": .csv, "binary": .binary][value.lowercased()] else { return nil }
                format = known
            case ("delimiter", let value?), ("quote", let value?), ("escape", let value?):
                guard value.utf8.count == 1, let byte = value.utf8.first else { return nil }
                bytes[name] = byte
            case ("null", let value?):
                null = Array(value.utf8)
            case ("header", let value):
                guard let flag = Self.flag(value) else { return nil }
                header = flag
            case ("encoding", let value?):
                guard ["utf8", "utf-8", "unicode"].contains(value.lowercased()) else { return nil }
            case ("force_quote", _), ("freeze", _):
                // Quotes are read wherever they stand; FREEZE does nothing on the way out.
                continue
            default:
                return nil
            }
        }
        self.init(
            format: format, delimiter: bytes["delimiter"], null: null, quote: bytes["quote"], escape: bytes["escape"], header: header)
    }

    /// Options of COPY .. FROM that say nothing of how the data is cut into values. `DEFAULT` names a value like any other. A first
    /// line that the server passes over may be anything, and is treated as a row.
    private static let aboutReading: Set<String> = [
        "header", "force_not_null", "force_null", "default", "on_error", "log_verbosity", "reject_limit",
    ]

    /// From the options of a COPY .. FROM statement, as `init(statement:)`.
    public init?(input options: [(name: String, value: String?)]) {
        self.init(statement: options.filter { !Self.aboutReading.contains($0.name.lowercased()) })
    }

    /// As `defGetBoolean` reads it.
    private static func flag(_ value: String?) -> Bool? {
        switch value?.lowercased() {
        case nil, "true", "on", "1": true
        case "false", "off", "0": false
        default: nil
        }
    }

    /// The checks of ProcessCopyOptions that the parsers rely on.
    private var isPossible: Bool {
        let lineEnds: [UInt8] = [0x0A, 0x0D]
        guard !lineEnds.contains(delimiter), !null.contains(where: lineEnds.contains) else { return false }
        switch format {
        case .binary:
            return !header
        case .text:
            return !"\\.abcdefghijklmnopqrstuvwxyz0123456789".utf8.contains(delimiter) && !null.contains(delimiter)
        case .csv:
            return delimiter != quote && !null.contains(delimiter) && !null.contains(quote) && !lineEnds.contains(quote)
                && !lineEnds.contains(escape)
        }
    }
}
