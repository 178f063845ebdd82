import Masking
import NIOCore

/// How the data of one COPY .. TO STDOUT is masked: made when the statement was judged, held against what the server announces.
struct CopyMaskPlan {
    let options: CopyOptions
    let columns: [ColumnMask?]
    /// What is kept of the data for break-glass recipients.
    var original = OriginalView<[ColumnMask?]>.nothing

    /// - Throws: `ProtocolViolation` when the server is about to send something else than was planned for.
    func mask(isBinary: Bool, columns count: Int) throws(ProtocolViolation) -> CopyMask {
        guard isBinary == (options.format == .binary), count == columns.count else {
            throw ProtocolViolation("the server copies \(count) columns, and \(columns.count) were planned for masking")
        }
        return CopyMask(options: options, columns: columns)
    }
}
