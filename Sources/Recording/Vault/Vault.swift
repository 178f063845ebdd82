public final class Vault: Sendable {
    func committed(_ count: Int) {}
    func register(_ feed: JournalFeed) {}
}
