import Masking
import NIOCore

/// The data of the COPY .. FROM STDIN of one request, as the recording holds it. What goes to the server is another matter.
struct CopyInMask {
    private let copies: [HiddenLiterals.CopyIn]
    /// Which of them the data is of.
    private var current = 0
    private var mask: CopyMask?
    /// The data is not what was planned for: nothing of it is shown from here on.
    private var isLost = false

    init(_ copies: [HiddenLiterals.CopyIn]) {
        self.copies = copies
    }

    /// Nothing is shown.
    static var withholding: CopyInMask { CopyInMask([]) }

    private var plan: HiddenLiterals.CopyIn { current < copies.count ? copies[current] : .withheld }

    /// The server says what it is going to read.
    mutating func begins(isBinary: Bool, columns: Int) {
        guard case .masked(let plan) = plan else { return }
        guard let made = try? plan.mask(isBinary: isBinary, columns: columns) else {
            isLost = true
            return
        }
        if mask == nil { mask = made }
    }

    /// What stands for a piece of the data, cut anywhere; nil: nothing may.
    mutating func feed(_ bytes: ByteBufferView) -> (bytes: ByteBuffer, replaced: UInt64)? {
        if isLost { return nil }
        switch plan {
        case .asItIs: return (ByteBuffer(bytes), 0)
        case .withheld: return nil
        case .masked(let plan):
            // Rows may end in carriage returns as well, which the server decides by the first of them.
            if plan.options.format != .binary, bytes.contains(0x0D) { isLost = true }
            var output = ByteBuffer()
            // Before the server has said how many columns it reads, they are known only where some are masked.
            if mask == nil, let columns = plan.columns {
                mask = CopyMask(options: plan.options, columns: columns, redactor: plan.redactor)
            }
            guard !isLost, let counts = try? mask?.feed(bytes, into: &output) else {
                isLost = true
                return nil
            }
            return (output, UInt64(counts.replacedCells))
        }
    }

    /// The client ended the data: what comes next is that of the next COPY.
    mutating func ends() {
        current += 1
        mask = nil
        isLost = false
    }
}
