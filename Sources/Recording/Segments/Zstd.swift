import CZstd

/// A failure of the compressor, or data that it did not make.
struct ZstdError: Error, Hashable {
    var reason: String

    init(_ reason: String) { self.reason = reason }
    init(code: Int) { reason = String(cString: ZSTD_getErrorName(code)) }
}

/// Compresses whole buffers with one reused context.
final class ZstdCompressor {
    /// Level 1: near a gigabyte a second, so that one core follows the fastest sessions.
    static let level: Int32 = 1

    private let context: OpaquePointer

    init() throws(ZstdError) {
        guard let context = ZSTD_createCCtx() else { throw ZstdError("no memory for a compression context") }
        self.context = context
    }

    deinit { ZSTD_freeCCtx(context) }

    /// Appends one zstd frame that holds `input` to `output`; returns its size.
    func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(ZstdError) -> Int {
        let start = output.count
        let bound = ZSTD_compressBound(input.count)
        output.append(contentsOf: repeatElement(0, count: bound))
        let size = output.withUnsafeMutableBytes { raw in
            ZSTD_compressCCtx(context, raw.baseAddress.map { $0 + start }, bound, input.baseAddress, input.count, Self.level)
        }
        guard ZSTD_isError(size) == 0 else { throw ZstdError(code: size) }
        output.removeLast(bound - size)
        return size
    }
}

/// Decompresses a stream of zstd frames, however it is cut up, in constant memory.
final class ZstdDecompressor {
    /// Level 1 windows are at most 512 KiB; 8 MiB leaves room for other levels and bounds what a forged stream can ask for.
    private static let maximumWindowLog: Int32 = 23

    private let context: OpaquePointer
    private var output: [UInt8]
    /// Whether the stream is between two frames, where it may end.
    private(set) var isAtFrameEnd = true

    init() throws(ZstdError) {
        guard let context = ZSTD_createDCtx() else { throw ZstdError("no memory for a decompression context") }
        self.context = context
        output = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.maximumWindowLog)
    }

    deinit { ZSTD_freeDCtx(context) }

    /// Gives what `input` decompresses to, a piece at a time.
    func decompress(_ input: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var more = true
        while source.pos < source.size || more {
            let (status, produced, capacity) = output.withUnsafeMutableBytes { raw in
                var target = ZSTD_outBuffer(dst: raw.baseAddress, size: raw.count, pos: 0)
                let status = ZSTD_decompressStream(context, &target, &source)
                return (status, target.pos, raw.count)
            }
            guard ZSTD_isError(status) == 0 else { throw ZstdError(code: status) }
            if produced > 0 || status == 0 { isAtFrameEnd = status == 0 }
            if status != 0, source.pos > 0 { isAtFrameEnd = false }
            // A full output buffer may have left something inside, but not where a frame ended with it.
            more = status != 0 && produced == capacity
            try output.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<produced])) }
            if source.pos == source.size && !more { break }
        }
    }
}
