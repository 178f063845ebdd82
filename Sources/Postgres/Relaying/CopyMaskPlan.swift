import Masking
import NIOCore

/// How the data of one COPY .. TO STDOUT is masked: made when the statement was judged, held against what the server announces.
struct CopyMaskPlan {
    let options: CopyOptions
    /// As the client sees it. nil: no column is masked by name, however many there are.
    let columns: [ColumnMask?]?
    /// What looks into the columns that no mask names.
    var redactor: Redactor?
    /// What the recording sees.
    enum Recording {
        /// What the client sees.
        case asSent
        /// nil: no column is masked by name.
        case columns([ColumnMask?]?)
    }

    let recording: Recording
    /// What of the columns that masks name is kept for break-glass recipients, beside what is recorded.
    let original: OriginalView<[ColumnMask?]>

    var recordedColumns: [ColumnMask?]? {
        switch recording {
        case .asSent: columns
        case .columns(let columns): columns
        }
    }

    init(
        options: CopyOptions, columns: [ColumnMask?]?, redactor: Redactor? = nil, recording: Recording = .asSent,
        original: OriginalView<[ColumnMask?]> = .nothing
    ) {
        self.options = options
        self.columns = columns
        self.redactor = redactor
        self.recording = recording
        self.original = original
    }

    /// - Throws: `ProtocolViolation` when the server is about to send something else than was planned for.
    func mask(isBinary: Bool, columns count: Int) throws(ProtocolViolation) -> CopyMask {
        let columns = columns ?? Array(repeating: nil, count: max(0, count))
        guard isBinary == (options.format == .binary), count == columns.count else {
            throw ProtocolViolation("the server copies \(count) columns, and \(columns.count) were planned for masking")
        }
        return CopyMask(options: options, columns: columns, redactor: redactor)
    }
}
