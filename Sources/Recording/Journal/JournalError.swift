/// The journal could not take what was appended. Nothing that is not committed may be forwarded.
public struct JournalError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// No space is left on the device (ENOSPC, EDQUOT).
        case noSpace
        /// Another failure of the file system.
        case inputOutput
        /// A payload above 1 GiB.
        case payloadTooLarge
        /// An earlier failure; `reset()` begins a new file.
        case poisoned
        case closed
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: FileError) {
        let isSpace = error.code == noSpaceErrorCode || error.code == quotaErrorCode
        self.init(isSpace ? .noSpace : .inputOutput, "the journal could not be written: \(error)")
    }

    public var description: String { message }
}
