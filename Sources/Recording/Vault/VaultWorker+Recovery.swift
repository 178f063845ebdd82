import GatehouseCore

/// What an earlier run left: journal files, and marks of sessions that the store has a part of.
extension VaultWorker {
    private var markDirectory: String { configuration.journalDirectory + "/open" }

    /// Says durably that the store has a part of a session whose journal files may be gone.
    func mark(_ id: SessionID) throws(FileError) {
        try fileSystem.makeDirectories(markDirectory)
        let path = markDirectory + "/" + id.description
        do throws(FileError) {
            fileSystem.close(try fileSystem.open(path, .create))
        } catch {
            guard error.code == existsErrorCode else { throw error }
        }
        try fileSystem.synchronizeDirectory(markDirectory)
    }

    func unmark(_ id: SessionID) throws(FileError) {
        do throws(FileError) {
            try fileSystem.remove(markDirectory + "/" + id.description)
        } catch {
            guard error.code == missingErrorCode else { throw error }
        }
    }

    /// Takes on everything that an earlier run left. What cannot be stored now is tried again by later passes.
    func recover() throws {
        try store.removeLeftovers()
        try fileSystem.makeDirectories(configuration.journalDirectory)
        for name in (try fileSystem.list(configuration.journalDirectory) ?? []).compactMap(JournalFileName.init).sorted() {
            let path = configuration.journalDirectory + "/" + name.description
            report.files += 1
            do throws(FileError) {
                try takeOn(JournalFeed(path: path, name: name, journal: ""))
            } catch {
                // It blocks nobody else: its sessions are finished with what the other files have.
                report.damage.append("\(error)")
                try fileSystem.rename(path, to: path + ".bad")
                report.setAside.append(path + ".bad")
            }
        }
        for id in (try fileSystem.list(markDirectory) ?? []).compactMap({ SessionID($0) }) where sessions[id] == nil {
            guard let session = try adopt(id) else {
                // Its manifest is there: the run ended between storing it and taking the mark away.
                try noteStoredEnd(id)
                try unmark(id)
                continue
            }
            session.isMarked = true
            sessions[id] = session
            orphans.insert(id)
        }
        try takeOnLogged()
        // More than one: a file that cannot be read is given up after a few.
        for _ in 0..<4 where !orphans.isEmpty || sources.contains(where: \.isLeftover) { pass(everything: true) }
        report.remaining = orphans.count
    }

    private func noteStoredEnd(_ id: SessionID) throws {
        guard let object = try store.open(ObjectName(session: id, file: ObjectName.manifestFile)) else { return }
        let bytes = try object.read(at: 0, count: object.size)
        try noteEnd(id, bytes, (try? Manifest.fromJSON(bytes).outcome) ?? .interrupted)
    }

    /// Sessions that the log has a start of and no end: finished with what there is, be it nothing.
    private func takeOnLogged() throws {
        guard let log else { return }
        for (id, _) in log.openSessions where sessions[id] == nil {
            if let session = try adopt(id) {
                sessions[id] = session
                orphans.insert(id)
            } else {
                try noteStoredEnd(id)
            }
        }
    }

    private func takeOn(_ feed: JournalFeed) throws(FileError) {
        let source = Source(feed: feed, reader: try JournalFileReader(path: feed.path, fileSystem: fileSystem), isLeftover: true)
        source.leftoverSize = try source.reader.size()
        sources.append(source)
        // Counted as if they had been committed, so that their deletion is taken off the same sum.
        releasedBytes -= source.leftoverSize
    }

    /// The state of a session as the store has it; nil when it is finished there.
    /// - Throws: when the store does not answer.
    func adopt(_ id: SessionID, journal: String = "") throws -> LiveSession? {
        let session = LiveSession(id: id, journal: journal)
        let names = try store.list(id)
        if names.contains(ObjectName.manifestFile) { return nil }
        // A file of a number beyond all sense is somebody else's.
        let last = min(names.compactMap { ObjectName.segmentOrdinal($0) }.max() ?? 0, UInt32(clamping: names.count) &+ 1_000)
        while session.nextOrdinal <= last {
            let ordinal = session.nextOrdinal
            let object = try store.open(ObjectName(session: id, file: ObjectName.segmentFile(ordinal)))
            do {
                guard let object else { throw SegmentFault(.damaged, offset: 0, "it is not there, and later ones are") }
                try add(object, to: session)
            } catch let fault as SegmentFault {
                // What the journal has goes behind it all the same, never over it, and the verifier says what is wrong.
                session.tally.noteLoss("stored segment \(ordinal) is damaged")
                report.damage.append("session \(id): segment \(ordinal) in the store is damaged: \(fault)")
                session.passOver(ordinal, bytes: object?.size ?? 0)
            }
        }
        // Where the opening is lost, the log still has the key.
        if session.keys.isEmpty { session.keys = log?.keys(of: id) ?? SessionKeys() }
        return session
    }

    /// Takes on what a stored segment says of itself; what is in it is the verifier's business.
    private func add(_ object: any StoredObject, to session: LiveSession) throws {
        let decoder = try SegmentDecoder(object)
        let trailer = try object.read(at: object.size - SegmentHeader.trailerSize, count: SegmentHeader.trailerSize)
        guard decoder.header.session == session.id, decoder.header.ordinal == session.nextOrdinal else {
            throw SegmentFault(.damaged, offset: 16, "it is not this segment of this session")
        }
        _ = session.tally.add(decoder.header, decoder.content)
        if session.keys.isEmpty { session.keys = decoder.content.sessionKeys }
        session.segments.append(manifestEntry(of: decoder.header, hash: trailer))
        session.previous = trailer
    }
}
