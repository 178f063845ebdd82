import Synchronization

/// What a journal tells the vault of one of its files: how far it is committed, and whether more will come.
final class JournalFeed: Sendable {
    let path: String
    let name: JournalFileName
    /// A random name of the journal that the file belongs to; a session's frames are all in files of one journal.
    let journal: String
    let committed = Atomic<Int>(0)
    let isFinished = Atomic<Bool>(false)

    init(path: String, name: JournalFileName, journal: String) {
        self.path = path
        self.name = name
        self.journal = journal
    }
}
