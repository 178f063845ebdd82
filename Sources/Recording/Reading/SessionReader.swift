public import GatehouseCore

/// Reads the frames of one session in order: from the store, then, when it is not finished, from the journals.
public final class SessionReader {
    private let source: EvidenceSource
    private let decoder: EvidenceDecoder

    /// - Parameters:
    ///   - journalDirectory: where the gateway's journals are; nil reads the store alone.
    ///   - keys: the private keys to open it with.
    /// - Throws: `StoreError`, `FileError` when something cannot be opened.
    public init(
        session: SessionID, store: any ObjectStore, journalDirectory: String? = nil, keys: RecipientKeys = RecipientKeys(),
        fileSystem: any FileSystem = LocalFileSystem()
    ) throws {
        source = try EvidenceSource(session: session, store: store, journalDirectory: journalDirectory, fileSystem: fileSystem)
        decoder = EvidenceDecoder(session: session, keys: keys)
    }

    /// Whether the session is finished in the store.
    public var isFinished: Bool { source.isFinished }
    /// Whether the store has anything of the session.
    public var isInStore: Bool { source.isInStore }
    /// The key of the session's originals, wrapped to break-glass recipients, as far as was read.
    public var originalKeys: [WrappedKey] { decoder.originalKeys }
    /// Places of the sequence at which frames are missing, as far as was read.
    public var gaps: [Manifest.Gap] { decoder.gaps }

    /// The next frame; nil at the end.
    /// - Throws: `Finding` when the evidence is not sound or cannot be opened; nothing more can be read then.
    public func next() throws -> Frame? {
        while true {
            if let frame = try decoder.next() { return frame }
            guard let piece = try source.next() else { return nil }
            try decoder.take(piece)
        }
    }
}

@available(*, unavailable)
extension SessionReader: Sendable {}
