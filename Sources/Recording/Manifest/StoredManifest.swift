import Crypto
public import GatehouseCore

/// A manifest as it lies in a store, not verified.
public struct StoredManifest: Sendable {
    public let manifest: Manifest
    /// SHA-256 of its bytes, in hexadecimal: what the log has.
    public let sha256: String

    /// nil when there is none.
    /// - Throws: `ManifestUnreadable` when it is not one of that session, `StoreError`.
    public init?(_ session: SessionID, in store: any ObjectStore) throws {
        guard let object = try store.open(ObjectName(session: session, file: ObjectName.manifestFile)) else { return nil }
        guard object.size <= Manifest.maximumBytes else { throw ManifestUnreadable(message: "it is too large to be one") }
        let bytes = try object.read()
        guard let manifest = try? Manifest.fromJSON(bytes), manifest.session == session else {
            throw ManifestUnreadable(message: "it is no manifest of this session")
        }
        self.manifest = manifest
        sha256 = Array(SHA256.hash(data: bytes)).hexadecimal
    }

    public static func isThere(_ session: SessionID, in store: any ObjectStore) throws -> Bool {
        try store.open(ObjectName(session: session, file: ObjectName.manifestFile)) != nil
    }
}

/// What stands in a manifest's place is not one.
public struct ManifestUnreadable: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    public var description: String { message }
}
