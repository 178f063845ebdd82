import Masking
import NIOCore

/// How the rows of one result are masked.
struct PostgresRowMask {
    let mask: RowMask
    /// What is kept of the rows for break-glass recipients.
    var original = OriginalView<RowMask>.nothing

    /// The DataRow message that the client gets instead of the one with this body; nil when the body is not of the columns.
    ///
    /// - Parameter seeing: Is shown every value that is masked.
    func mask(_ body: ByteBuffer, seeing: ((UnsafeRawBufferPointer) -> Void)? = nil) -> ByteBuffer? {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(body.readableBytes + 64)
        buffer.writeInteger(Backend.dataRow)
        buffer.writeInteger(Int32(0))
        guard (try? mask.mask(dataRow: body.readableBytesView, into: &buffer, seeing: seeing)) != nil else { return nil }
        buffer.setInteger(Int32(clamping: buffer.writerIndex - 1), at: 1)
        return buffer
    }
}
