public import Recording

/// Makes one format of a session's frames. Fed every frame in order, then told how it ended; what it gives back is written out as it
/// comes, so that a recording of any length needs little memory.
public protocol ExportWriter {
    /// The bytes for one frame.
    /// - Parameter events: what the protocol's decoder made of the frame, each a JSON object with at least `type` (docs/cli.md, Events).
    /// - Throws: what the decoder of the format throws for a recording of something else.
    mutating func write(_ frame: Frame, events: [[UInt8]]) throws -> [UInt8]
    /// The bytes behind the last frame.
    mutating func finish(_ summary: ExportSummary) throws -> [UInt8]
}

/// What was read, and what is known of it.
public struct ExportSummary: Sendable, Hashable, Encodable {
    /// How far what was written is known to be what the gateway recorded.
    public enum Check: String, Sendable, Hashable, Encodable {
        /// Checksums, seals, the hash chain, and the gateway's signature over all of it.
        case signature
        /// Checksums, seals and the hash chain: enough against damage, not against whoever holds a recipient's public key.
        case chain
    }

    public var check: Check
    public var frames: UInt64
    /// Places at which frames are missing, as the gateway declared or as was seen.
    public var gaps: [Manifest.Gap]
    /// Whether the session's end was among the frames.
    public var hasEnd: Bool

    public init(check: Check, frames: UInt64 = 0, gaps: [Manifest.Gap] = [], hasEnd: Bool = false) {
        self.check = check
        self.frames = frames
        self.gaps = gaps
        self.hasEnd = hasEnd
    }
}
