import GatehouseCore

/// What a segment says of itself in the clear, between its header and its payload: whoever has no key can count the session with it, and
/// whoever has one needs no other segment to open this.
struct SegmentExtension: Hashable, Codable {
    /// The session's key, wrapped to each recipient; empty where the segment is not sealed.
    var keys: [WrappedKey]
    /// The key of the session's originals, wrapped to each break-glass recipient; nil where there is none.
    var originalKeys: [WrappedKey]?
    /// In a session's first segment, as its opening said them.
    var start: SessionStart?
    var identity: SessionIdentity?
    /// When the session started, and when this segment's last frame was recorded.
    var started: WallTime?
    var ended: WallTime
    var summary: FrameSummary
    /// Sequences that are missing between this segment's frames.
    var gaps: [Manifest.Gap]
    /// How the session ended, if it did in this segment.
    var end: ClearEnd?
}
