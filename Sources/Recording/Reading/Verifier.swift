import Crypto
public import GatehouseCore

/// Checks evidence from a store and the gateway's public keys alone, in constant memory. Of sealed recordings it checks hashes, chain,
/// signature and what is in the clear; given a recipient's private key it opens them and counts every frame.
///
/// It cannot see that a whole session was removed: nothing is left of it. That is what the log of all sessions is for.
public struct Verifier: Sendable {
    private let store: any ObjectStore
    private let keys: [String: ManifestPublicKey]
    private let recipients: RecipientKeys

    public init(store: any ObjectStore, keys: [ManifestPublicKey], recipients: RecipientKeys = RecipientKeys()) {
        self.recipients = recipients
        self.store = store
        self.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// - Parameter isLive: the session is known to go on, so that a missing manifest is in order.
    public func verify(_ session: SessionID, isLive: Bool = false) -> SessionReport {
        check(session, isLive: isLive).report
    }

    private func check(_ session: SessionID, isLive: Bool) -> (report: SessionReport, manifest: SessionCheck.StoredManifest?) {
        var check = SessionCheck(session: session, store: store, keys: keys, recipients: recipients)
        return (check.run(isLive: isLive), check.stored)
    }

    /// Checks every session of the store, and that it has every session which its logs tell of.
    /// - Parameters:
    ///   - live: sessions that are known to go on.
    ///   - keepingAll: keep the reports of sessions that are in order, too; otherwise they are only counted.
    ///   - log: false looks at no log.
    ///   - checkpoint: one that was kept elsewhere.
    /// - Throws: when the store cannot be listed; `CheckpointError` when the checkpoint is not one of the keys'.
    public func verifyAll(
        live: Set<SessionID> = [], keepingAll: Bool = true, log: Bool = true, checkpoint: [UInt8]? = nil
    ) throws -> VerificationReport {
        var report = VerificationReport()
        let kept = try checkpoint.map { try Checkpoint($0, keys: Array(keys.values)) }
        let index = log ? try LogIndex(store, keys: Array(keys.values), kept: kept) : nil
        var unseen = index?.sessions ?? [:]
        var sessions = 0
        var latest = index
        var mayHaveGrown = true
        try store.forEachSession { session in
            sessions += 1
            var (found, manifest) = check(session, isLive: live.contains(session))
            if let log = latest, !log.sizes.isEmpty {
                // A gateway that runs may have begun it since the log was read; it is in the log before it is in the store.
                if log.sessions[session] == nil, mayHaveGrown {
                    latest = try LogIndex(store, keys: Array(keys.values))
                    mayHaveGrown = latest?.sessions[session] != nil
                }
                match(&found, manifest, latest?.sessions[session])
            }
            unseen[session] = nil
            if let entry = latest?.sessions[session], entry.isBeingDeleted, !entry.isDeleted, found.status != .verified {
                found = Self.unfinishedDeletion(session, bytes: found.bytes)
            }
            report.add(found, keepingAll: keepingAll)
            return true
        }
        guard let index else { return report }
        report.log = index.findings
        report.rollback = index.rollback
        if index.sizes.isEmpty, index.findings.isEmpty, sessions > 0 {
            report.log.append(
                Finding(
                    kind: .logMissing, session: nil, file: "log",
                    message: "the store has no log, so that a missing session cannot be noticed"))
        }
        for (session, entry) in unseen.sorted(by: { $0.key < $1.key }) where !entry.isDeleted {
            report.add(missing(session, entry, isLive: live.contains(session)), keepingAll: keepingAll)
        }
        return report
    }

    /// What the log says of a session that is in the store.
    private func match(_ report: inout SessionReport, _ manifest: SessionCheck.StoredManifest?, _ entry: LogIndex.Entry?) {
        func fail(_ kind: Finding.Kind, _ message: String, file: String? = nil) {
            report.findings.append(Finding(kind: kind, session: report.session, file: file, message: message))
            report.status = .failed
        }
        guard let entry else {
            fail(.notLogged, "the log does not know this session")
            return
        }
        if entry.isDeleted { fail(.notDeleted, "the log has its tombstone: it was put back, or its deletion was not whole") }
        guard let manifest else {
            if entry.manifest != nil {
                fail(.manifestMissing, "the log has its end, and its manifest is not there", file: ObjectName.manifestFile)
            }
            return
        }
        if let logged = entry.manifest, logged != manifest.hash {
            fail(.logMismatch, "the manifest is not the one that the log has", file: ObjectName.manifestFile)
        }
        if let keys = manifest.keys, keys != entry.keys, !entry.keys.isEmpty {
            fail(.logMismatch, "the session's wrapped keys are not those that the log has", file: ObjectName.manifestFile)
        }
    }

    /// What is there of a session is what its deletion has left so far.
    private static func unfinishedDeletion(_ session: SessionID, bytes: UInt64) -> SessionReport {
        let message = "the log says that its deletion has begun; the gateway that did finishes it at its next retention run"
        return SessionReport(
            session: session, status: .incomplete, outcome: nil, segments: 0, frames: 0, bytes: bytes,
            findings: [Finding(kind: .deletionUnfinished, session: session, message: message)])
    }

    private func missing(_ session: SessionID, _ entry: LogIndex.Entry, isLive: Bool) -> SessionReport {
        if entry.isBeingDeleted { return Self.unfinishedDeletion(session, bytes: 0) }
        let message =
            entry.manifest == nil
            ? "the log has its start, and nothing of it is in the store: it goes on, waits for recovery, or was removed"
            : "the log has its start and its end, and nothing of it is in the store"
        return SessionReport(
            session: session, status: isLive ? .live : entry.manifest == nil ? .incomplete : .failed, outcome: nil, segments: 0, frames: 0,
            bytes: 0, findings: isLive ? [] : [Finding(kind: .sessionMissing, session: session, message: message)])
    }
}

/// The check of one session.
private struct SessionCheck {
    let session: SessionID
    let store: any ObjectStore
    let keys: [String: ManifestPublicKey]
    let recipients: RecipientKeys

    /// What the log may say of a manifest.
    struct StoredManifest {
        /// SHA-256, in hexadecimal.
        var hash: String
        /// nil where it cannot be read.
        var keys: SessionKeys?
    }

    /// The manifest as it was found; nil when there is none.
    private(set) var stored: StoredManifest?
    private var findings: [Finding] = []
    private var tally = SessionTally()
    private var manifest: Manifest?
    private var bytes: UInt64 = 0
    private var segments = 0
    private var originals: OriginalCheck
    /// Of the segment before, if that was sound.
    private var previous: [UInt8]? = [UInt8](repeating: 0, count: 32)

    init(session: SessionID, store: any ObjectStore, keys: [String: ManifestPublicKey], recipients: RecipientKeys) {
        self.recipients = recipients
        self.session = session
        self.store = store
        self.keys = keys
        originals = OriginalCheck(session: session, recipients: recipients)
    }

    mutating func run(isLive: Bool) -> SessionReport {
        do {
            let names = try store.list(session)
            try checkManifest(names, isLive: isLive)
            try checkSegments(names)
        } catch {
            note(.unreadable, "\(error)")
        }
        checkSums()
        let hasFault = findings.contains(where: \.kind.isFault)
        let status: SessionReport.Status
        if manifest == nil, !findings.contains(where: { $0.kind.isFault && $0.kind != .manifestMissing }) {
            status = isLive ? .live : .incomplete
        } else {
            status = hasFault ? .failed : .verified
        }
        return SessionReport(
            session: session, status: status, outcome: manifest?.outcome, segments: segments,
            frames: tally.summary.count, bytes: bytes, findings: findings)
    }

    private mutating func note(_ kind: Finding.Kind, file: String? = nil, offset: UInt64? = nil, _ message: String) {
        findings.append(Finding(kind: kind, session: session, file: file, offset: offset, message: message))
    }

    // MARK: The manifest

    private mutating func checkManifest(_ names: [String], isLive: Bool) throws {
        let signature = try read(ObjectName.signatureFile)
        guard let stored = try read(ObjectName.manifestFile) else {
            // The signature is stored first: alone, it may be that of a session which is being finished.
            if !isLive {
                note(.manifestMissing, "there is no manifest: the session goes on, waits for recovery, or its manifest was removed")
            }
            return
        }
        bytes += UInt64(stored.count)
        self.stored = StoredManifest(hash: Array(SHA256.hash(data: stored)).hexadecimal)
        checkSignature(signature, of: stored)
        do {
            let manifest = try Manifest.fromJSON(stored)
            self.stored?.keys = SessionKeys(recording: manifest.keys, originals: manifest.originalKeys)
            guard manifest.format == 2 else {
                note(.unsupported, file: ObjectName.manifestFile, "format \(manifest.format) is not known to this reader")
                return
            }
            if manifest.session != session {
                note(.foreignManifest, file: ObjectName.manifestFile, "the manifest is that of session \(manifest.session)")
            }
            self.manifest = manifest
        } catch {
            note(.manifestMalformed, file: ObjectName.manifestFile, "the manifest is no JSON of its shape")
        }
    }

    private mutating func checkSignature(_ stored: [UInt8]?, of manifest: [UInt8]) {
        let file = ObjectName.signatureFile
        guard let stored else {
            note(.signatureMissing, file: file, "the manifest is not signed")
            return
        }
        bytes += UInt64(stored.count)
        guard let signature = SignatureFile(stored) else {
            note(.signatureMalformed, file: file, "the file is not one line of the form that the gateway writes")
            return
        }
        guard let key = keys[signature.key] else {
            note(.unknownKey, file: file, "it is signed with key \(signature.key), which is not among the \(keys.count) given")
            return
        }
        if !key.isValid(signature.signature, over: manifest) {
            note(.signatureWrong, file: file, "the manifest is not what key \(signature.key) signed")
        }
    }

    /// A small object whole; nil when it is not there.
    private func read(_ file: String) throws -> [UInt8]? {
        guard let object = try store.open(ObjectName(session: session, file: file)) else { return nil }
        guard object.size <= Manifest.maximumBytes else { throw StoreError("\(file) is too large to be one") }
        return try object.read(at: 0, count: object.size)
    }

    // MARK: Segments

    private mutating func checkSegments(_ names: [String]) throws {
        let present = Set(names.compactMap { ObjectName.segmentOrdinal($0) })
        for name in names
        where ObjectName.segmentOrdinal(name) == nil && name != ObjectName.manifestFile && name != ObjectName.signatureFile {
            note(.unexpectedFile, file: name, "no file of this name belongs into a session")
        }
        let listed = manifest.map { UInt32(truncatingIfNeeded: $0.segments.count) }
        let last = max(listed ?? 0, present.max() ?? 0)
        var following: UInt32 = 1
        // The file names are whatever somebody put there: only those that are listed, or present, are looked at.
        for ordinal in present.union(listed.map { Set(1..<($0 &+ 1)) } ?? []).sorted() where ordinal <= last {
            if ordinal != following { previous = nil }
            following = ordinal &+ 1
            try checkSegment(ordinal, isPresent: present.contains(ordinal), listed: listed)
        }
        if listed == nil, let top = present.max(), present.count < Int(top) {
            for ordinal in (1...top).lazy.filter({ !present.contains($0) }).prefix(10) {
                note(.segmentMissing, file: ObjectName.segmentFile(ordinal), "later segments are there")
            }
        }
    }

    private mutating func checkSegment(_ ordinal: UInt32, isPresent: Bool, listed: UInt32?) throws {
        let file = ObjectName.segmentFile(ordinal)
        if let listed, ordinal > listed {
            note(.segmentUnlisted, file: file, "the manifest lists \(listed) segments")
            return
        }
        guard isPresent, let object = try store.open(ObjectName(session: session, file: file)) else {
            note(.segmentMissing, file: file, "the manifest lists it")
            previous = nil
            return
        }
        segments += 1
        bytes += UInt64(object.size)
        let before = previous
        previous = nil
        do {
            let decoder = try SegmentDecoder(object, keys: recipients)
            guard checkPlace(decoder.header, ordinal: ordinal, file: file, before: before) else { return }
            try checkFrames(decoder, file: file)
            guard let hash = decoder.hash else { return }
            previous = hash
            if let entry = manifest?.segments[Int(ordinal) - 1], entry != manifestEntry(of: decoder.header, hash: hash) {
                note(.segmentReplaced, file: file, "the segment is sound, but not the one that the manifest lists")
            }
        } catch let fault as SegmentFault {
            findings.append(Finding(fault, session: session, file: file))
        }
    }

    private mutating func checkPlace(_ header: SegmentHeader, ordinal: UInt32, file: String, before: [UInt8]?) -> Bool {
        guard header.session == session else {
            note(.foreignSegment, file: file, offset: 16, "the segment belongs to session \(header.session)")
            return false
        }
        guard header.ordinal == ordinal else {
            note(.segmentMisplaced, file: file, offset: 32, "the segment is number \(header.ordinal) of its session")
            return false
        }
        if let before, header.previous != before {
            note(.segmentReplaced, file: file, offset: 72, "the segment does not follow the one before it")
        }
        return true
    }

    /// Reads all of a segment. What it says of itself is what its frames are: the decoder has seen to that, if it could open it.
    private mutating func checkFrames(_ decoder: SegmentDecoder, file: String) throws {
        var last = decoder.header.firstSequence &- 1
        var gaps: [Manifest.Gap] = []
        var isOrdered = true
        while let frame = try decoder.next() {
            if frame.session != session || frame.kind == .file || frame.sequence <= last { isOrdered = false }
            if let fault = originals.check(frame, decoder.content) { note(.originalWrong, file: file, fault) }
            if frame.sequence > last &+ 1 {
                gaps.append(Manifest.Gap(after: last, before: frame.sequence, reason: "missing frames"))
            }
            last = frame.sequence
        }
        switch tally.add(decoder.header, decoder.content) {
        case .next, .behindGap: break
        case .repeated, .afterEnd: isOrdered = false
        }
        if !isOrdered {
            note(.framesOutOfOrder, file: file, "frames are repeated, follow the end, or belong to another session")
        }
        if decoder.isOpen, last != decoder.header.lastSequence || gaps != decoder.content.gaps {
            note(.framesOutOfOrder, file: file, offset: 40, "the frames are not those that the header names")
        }
        if let manifest, SessionKeys(recording: manifest.keys, originals: manifest.originalKeys) != decoder.content.sessionKeys {
            note(.segmentReplaced, file: file, offset: UInt64(SegmentHeader.size), "its wrapped keys are not those of the session")
        }
    }

    // MARK: Sums

    private mutating func checkSums() {
        let isWhole = !findings.contains(where: { $0.kind.isFault && $0.kind != .manifestMissing })
        guard let manifest else {
            if isWhole { reportUndeclaredGaps(declared: nil) }
            return
        }
        for gap in manifest.gaps {
            let end = gap.before.map { "\($0)" } ?? "the end"
            note(.declaredGap, "between frame \(gap.after) and \(end): \(gap.reason)")
        }
        if manifest.outcome == .interrupted { note(.interrupted, "the gateway stopped before the session did") }
        // Where a segment is bad the sums cannot be right; saying so twice would only hide the cause.
        guard isWhole else { return }
        reportUndeclaredGaps(declared: manifest.gaps)
        if let fault = originals.finish() { note(.originalWrong, fault) }
        if tally.summary.frameCounts != manifest.frames {
            note(.countsWrong, file: ObjectName.manifestFile, "the numbers of frames are not those found")
        }
        if tally.hasEnded != (manifest.outcome == .ended) {
            note(.countsWrong, file: ObjectName.manifestFile, "the outcome is \(manifest.outcome.rawValue) and the frames say otherwise")
        }
        if !manifest.segments.isEmpty, tally.start != manifest.start || tally.identity != manifest.identity {
            note(.countsWrong, file: ObjectName.manifestFile, "who the session was is not what its first segment says")
        }
        checkAccounting(manifest)
    }

    private mutating func checkAccounting(_ manifest: Manifest) {
        let counted = tally.summary.accounting
        if tally.summary.isImpossible, tally.hasEnded, manifest.gaps.isEmpty {
            note(.accountingWrong, "more bytes are said to stand in for others than are recorded")
        }
        if counted != manifest.accounting {
            note(.accountingWrong, file: ObjectName.manifestFile, "the sums of bytes are not those of the frames")
        }
        guard let end = tally.end else { return }
        // Frames that are known to be lost were counted by the gateway and cannot be counted here.
        if manifest.gaps.isEmpty, end.accounting != counted {
            note(.accountingWrong, "the bytes that the gateway saw are not those that it recorded, masked, withheld or declared")
        }
    }

    private mutating func reportUndeclaredGaps(declared: [Manifest.Gap]?) {
        for gap in tally.gaps where !(declared ?? []).contains(where: { $0.after == gap.after && $0.before == gap.before }) {
            // A session that goes on has no manifest to declare them in.
            let kind: Finding.Kind = declared == nil ? .declaredGap : .framesOutOfOrder
            note(kind, "frames between \(gap.after) and \(gap.before.map { "\($0)" } ?? "the end") are missing")
        }
    }
}
