public import GatehouseCore

/// A piece of a session's evidence, as it is kept.
public enum EvidencePiece {
    case segment(ordinal: UInt32, any StoredObject)
    /// A batch of a journal with a plain checksum: what is not in the store yet.
    case batch([UInt8])
}

/// Gives a session's evidence in order, sealed as it is: from the store, then, when it is not finished there, from the journals.
public final class EvidenceSource {
    private let session: SessionID
    private let store: any ObjectStore
    private let hasManifest: Bool
    private let ordinals: [UInt32]
    private var nextIndex = 0
    /// Of the journals: how far each may be read, and what was read ahead.
    private var readers: [(reader: JournalFileReader, limit: Int)]
    private var batches: [[UInt8]] = []
    private var position = 0

    /// - Parameter journalDirectory: where the gateway's journals are; nil reads the store alone.
    /// - Throws: `StoreError`, `FileError` when something cannot be opened.
    public init(
        session: SessionID, store: any ObjectStore, journalDirectory: String? = nil, fileSystem: any FileSystem = LocalFileSystem()
    ) throws {
        self.session = session
        self.store = store
        // The journals are opened before the store is listed: what the vault deletes meanwhile stays readable here, and what
        // it had deleted before is in the store.
        var readers: [(reader: JournalFileReader, limit: Int)] = []
        if let journalDirectory {
            for name in (try fileSystem.list(journalDirectory) ?? []).compactMap(JournalFileName.init).sorted() {
                do throws(FileError) {
                    let reader = try JournalFileReader(path: journalDirectory + "/" + name.description, fileSystem: fileSystem)
                    readers.append((reader, try reader.size()))
                } catch {
                    guard error.code == missingErrorCode else { throw error }
                }
            }
        }
        let names = try store.list(session)
        hasManifest = names.contains(ObjectName.manifestFile)
        self.readers = hasManifest ? [] : readers
        ordinals = names.compactMap { ObjectName.segmentOrdinal($0) }.sorted()
        isInStore = !names.isEmpty
    }

    /// Whether the session is finished in the store.
    public var isFinished: Bool { hasManifest }
    /// Whether the store has anything of the session.
    public let isInStore: Bool

    /// The next piece; nil at the end. What is in the store may be in the journals, too.
    /// - Throws: `Finding` when a segment is missing, `StoreError`, `FileError`.
    public func next() throws -> EvidencePiece? {
        guard nextIndex < ordinals.count else { return try nextBatch().map { .batch($0) } }
        let ordinal = ordinals[nextIndex]
        nextIndex += 1
        guard ordinal == UInt32(nextIndex) else {
            throw Finding(
                kind: .segmentMissing, session: session, file: ObjectName.segmentFile(UInt32(nextIndex)),
                message: "later segments are there")
        }
        let file = ObjectName.segmentFile(ordinal)
        guard let object = try store.open(ObjectName(session: session, file: file)) else {
            throw Finding(kind: .segmentMissing, session: session, file: file, message: "it was there a moment ago")
        }
        return .segment(ordinal: ordinal, object)
    }

    private func nextBatch() throws -> [UInt8]? {
        while true {
            if position < batches.count {
                position += 1
                return batches[position - 1]
            }
            batches = []
            position = 0
            guard let (reader, limit) = readers.first else { return nil }
            var found: [[UInt8]] = []
            let session = session
            let more = try reader.readPiece(upTo: limit, mayBeTorn: true) { item in
                guard item.batch.header.session == session else { return }
                var record = Array(item.batch.record)
                record.withUnsafeMutableBytes { $0.storeBytes(of: item.checksum.littleEndian, toByteOffset: 4, as: UInt32.self) }
                found.append(record)
            } damage: { _ in
                // Frames that are lost by it show as a gap in the sequence.
            }
            batches = found
            if !more { readers.removeFirst() }
        }
    }
}

@available(*, unavailable)
extension EvidenceSource: Sendable {}
