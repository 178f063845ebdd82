import Synchronization

/// What a journal tells the vault of one of its files: how far it is committed, and whether more will come.
final class JournalFeed: Sendable {
    let path: String
    let name: JournalFileName
    let committed = Atomic<Int>(0)
    let isFinished = Atomic<Bool>(false)

    init(path: String, name: JournalFileName) {
        self.path = path
        self.name = name
    }
}
