/// How a COPY .. TO STDOUT writes its data: the options of the statement, or what it does without them
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
