import GRDB
import GatehouseCore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The catalog of a single node: one SQLite file (mode 0600) with its write-ahead log beside it.
public final class SQLiteCatalog: Sendable {
    let pool: DatabasePool
    let writer: BatchWriter

    /// Opens the file, made when there is none, and brings it to this version's schema.
    ///
    /// - Parameter path: Its directory must exist, closed to others (0700): the log files beside it are made there.
    /// - Throws: `CatalogFailure.newerSchema`, `FileFailure`, or what SQLite says.
    public init(path: String) throws {
        try Self.prepareFile(path)
        pool = try DatabasePool(path: path, configuration: Self.configuration)
        let isNewer = try pool.read { try Schema.migrator.hasBeenSuperseded($0) }
        guard !isNewer else { throw CatalogFailure.newerSchema(path: path) }
        try Schema.migrator.migrate(pool)
        writer = BatchWriter(pool: pool)
    }

    /// Why the file cannot be used.
    public struct FileFailure: Error, CustomStringConvertible, Sendable {
        public var description: String
    }

    /// Made before SQLite sees it, so that it is never readable to others; SQLite gives its other files the same mode.
    private static func prepareFile(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFailure(description: "\(path): \(String(cString: strerror(errno)))") }
        defer { closeDescriptor(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else {
            throw FileFailure(description: "\(path): its mode cannot be set to 0600: \(String(cString: strerror(errno)))")
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "catalog"
        // A backup tool may hold the file for a moment.
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            // In WAL mode NORMAL loses the last commits with the power; the audit log says "on disk".
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        return configuration
    }

    /// Writes what waits, then closes the file. What comes after is refused.
    public func close() async throws {
        await writer.close()
        try pool.close()
    }

    /// Reads after everything noted so far is written, so that callers see what they noted.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await writer.flush()
        return try await pool.read(body)
    }

    /// No list is longer than this: it is held in memory, several times over.
    static let maximumPage = 1_000

    static func page(_ limit: Int) -> Int { min(max(limit, 1), maximumPage) }
}

extension WallTime {
    /// SQLite's integers are signed; good until the year 2262.
    var stored: Int64 { Int64(clamping: nanoseconds) }

    init(stored: Int64) { self.init(nanoseconds: UInt64(clamping: stored)) }
}

/// The system's `close`, which the catalog's own hides.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
