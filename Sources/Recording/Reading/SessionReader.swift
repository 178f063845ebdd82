public import GatehouseCore

/// Reads the frames of one session in order: from the store, then, when it is not finished, from the journals.
///
/// Checksums, hash chain and order are checked on the way. A segment's frames are handed out before its last byte has been hashed;
/// what was read counts as verified once `next` has returned nil. Signatures are the `Verifier`'s business.
public final class SessionReader {
    /// A session's frames that are only in the journals, read ahead in pieces.
    private struct Journals {
        var readers: [(reader: JournalFileReader, limit: Int)]
        var frames: [Frame] = []
        var position = 0
    }

    private let session: SessionID
    private let store: any ObjectStore
    private let hasManifest: Bool
    private let ordinals: [UInt32]
    private var nextIndex = 0
    private var decoder: SegmentDecoder?
    private var previous = [UInt8](repeating: 0, count: 32)
    private var journals: Journals
    private var lastSequence: UInt64 = 0
    private let isKnown: Bool

    /// Places of the sequence at which frames are missing, as far as was read.
    public private(set) var gaps: [Manifest.Gap] = []

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
        journals = Journals(readers: hasManifest ? [] : readers)
        ordinals = names.compactMap { ObjectName.segmentOrdinal($0) }.sorted()
        isKnown = !names.isEmpty
    }

    /// Whether the session is finished in the store.
    public var isFinished: Bool { hasManifest }
    /// Whether the store has anything of the session.
    public var isInStore: Bool { isKnown }

    /// The next frame; nil at the end.
    /// - Throws: `Finding` when the evidence is not sound; nothing more can be read then.
    public func next() throws -> Frame? {
        while true {
            if let decoder {
                if let frame = try read(decoder) { return try inOrder(frame) }
                previous = decoder.hash ?? []
                self.decoder = nil
            } else if nextIndex < ordinals.count {
                decoder = try open(ordinals[nextIndex])
                nextIndex += 1
            } else {
                return try nextFromJournals()
            }
        }
    }

    private var currentFile: String { ObjectName.segmentFile(nextIndex == 0 ? 1 : ordinals[nextIndex - 1]) }

    private func open(_ ordinal: UInt32) throws -> SegmentDecoder {
        let file = ObjectName.segmentFile(ordinal)
        guard ordinal == UInt32(nextIndex + 1) else {
            throw Finding(
                kind: .segmentMissing, session: session, file: ObjectName.segmentFile(UInt32(nextIndex + 1)),
                message: "later segments are there")
        }
        guard let object = try store.open(ObjectName(session: session, file: file)) else {
            throw Finding(kind: .segmentMissing, session: session, file: file, message: "it was there a moment ago")
        }
        do {
            let decoder = try SegmentDecoder(object)
            guard decoder.header.session == session else {
                throw Finding(
                    kind: .foreignSegment, session: session, file: file, message: "it belongs to session \(decoder.header.session)")
            }
            guard decoder.header.ordinal == ordinal else {
                throw Finding(kind: .segmentMisplaced, session: session, file: file, message: "it is number \(decoder.header.ordinal)")
            }
            guard decoder.header.previous == previous else {
                throw Finding(kind: .segmentReplaced, session: session, file: file, message: "it does not follow the one before it")
            }
            return decoder
        } catch let fault as SegmentFault {
            throw Finding(fault, session: session, file: file)
        }
    }

    private func read(_ decoder: SegmentDecoder) throws -> Frame? {
        do {
            return try decoder.next()
        } catch let fault as SegmentFault {
            throw Finding(fault, session: session, file: currentFile)
        }
    }

    private func inOrder(_ frame: Frame) throws -> Frame {
        guard frame.session == session, frame.sequence > lastSequence else {
            throw Finding(
                kind: .framesOutOfOrder, session: session, file: currentFile,
                message: "frame \(frame.sequence) of session \(frame.session) follows frame \(lastSequence)")
        }
        advance(to: frame.sequence)
        return frame
    }

    private func advance(to sequence: UInt64) {
        if sequence != lastSequence &+ 1 {
            gaps.append(Manifest.Gap(after: lastSequence, before: sequence, reason: "missing frames"))
        }
        lastSequence = sequence
    }

    private func nextFromJournals() throws -> Frame? {
        while true {
            while journals.position < journals.frames.count {
                let frame = journals.frames[journals.position]
                journals.position += 1
                // What the store has was handed out already.
                if frame.sequence > lastSequence {
                    advance(to: frame.sequence)
                    return frame
                }
            }
            journals.frames = []
            journals.position = 0
            guard let (reader, limit) = journals.readers.first else { return nil }
            var found: [Frame] = []
            let session = session
            let more = try reader.readPiece(upTo: limit, mayBeTorn: true) { item in
                guard item.header.session == session else { return }
                found.append(
                    Frame(
                        kind: item.header.kind, session: session, sequence: item.header.sequence, time: item.header.time,
                        payload: Array(item.payload)))
            } damage: { _ in
                // Frames that are lost by it show as a gap in the sequence.
            }
            journals.frames = found
            if !more { journals.readers.removeFirst() }
        }
    }
}

@available(*, unavailable)
extension SessionReader: Sendable {}
