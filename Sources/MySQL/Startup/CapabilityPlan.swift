/// What a listener says that it can do, what a server is asked for, and what lies between the two.
///
/// The greeting goes out before the target is known, so that a listener's set is fixed, one a family. What a target's server
/// has less is translated on the way or refused where it is used; docs/mysql.md has the table.
struct CapabilityPlan: Sendable, Hashable {
    enum Handling: Sendable, Hashable {
        /// The gateway makes the one out of the other.
        case translated
        /// A client that uses it gets an error that says so.
        case refused
    }

    struct Difference: Sendable, Hashable {
        let feature: String
        let handling: Handling
    }

    /// What to ask the server for.
    let upstream: Capabilities
    /// What the client was given and the server has not.
    let differences: [Difference]

    /// What a listener of a family offers. Not among them: compression of either kind (bytes that nobody reads), metadata left
    /// out at will (OPTIONAL_RESULTSET_METADATA, CACHE_METADATA: masks need it), more than one factor, COM_MULTI; and NO_SCHEMA,
    /// with which a server takes `shop.customers` for the current schema's `customers`: no statement would mean what it says.
    static func offered(_ family: ServerFamily) -> Capabilities {
        var offered: Capabilities = [
            .foundRows, .longFlag, .connectWithDatabase, .odbc, .localFiles, .ignoreSpace, .protocol41, .interactive, .tls,
            .transactions, .secureConnection, .multiStatements, .multiResults, .preparedMultiResults, .pluginAuthentication,
            .connectAttributes, .encodedAuthentication, .sessionTracking, .deprecateEOF,
        ]
        switch family {
        case .mysql: offered.formUnion([.mysql, .queryAttributes])
        case .mariadb: offered.formUnion([.progress, .bulkOperations, .extendedMetadata, .bulkUnitResults])
        }
        return offered
    }

    /// What is meant by both sides of the client's connection. Flags that were not offered are not believed.
    /// - Throws: `HandshakeError` for compression: the client would send what cannot be read.
    static func negotiated(client: Capabilities, offered: Capabilities) throws(HandshakeError) -> Capabilities {
        guard client.isDisjoint(with: [.compress, .zstd]) else {
            throw HandshakeError(.badHandshake, "Gatehouse takes no compressed connections", hint: "Turn the client's compression off")
        }
        var common = client.intersection(offered)
        // A client of MySQL's that talks to a listener of MariaDB's knows nothing of the flags above.
        if client.contains(.mysql) { common.subtract(.mariaDBOnly) }
        return common
    }

    /// The flags that the gateway sets for itself, whatever the client has.
    private static let own: Capabilities = [
        .longFlag, .protocol41, .transactions, .secureConnection, .pluginAuthentication, .connectAttributes, .encodedAuthentication,
        .multiResults, .preparedMultiResults, .sessionTracking,
    ]

    /// Those of the client's that change what the server does.
    private static let passed: Capabilities = [
        .foundRows, .odbc, .localFiles, .ignoreSpace, .interactive, .multiStatements, .deprecateEOF, .queryAttributes,
        .progress, .bulkOperations, .extendedMetadata, .bulkUnitResults,
    ]

    /// - Parameters:
    ///   - client: what ``negotiated(client:offered:)`` gave.
    ///   - server: of the target's greeting.
    /// - Throws: `HandshakeError` when the server is of the other family.
    init(client: Capabilities, listener: ServerFamily, server: Greeting, usesTLS: Bool, namesDatabase: Bool) throws(HandshakeError) {
        guard server.family == listener else {
            throw HandshakeError(
                .badHandshake,
                "the target's server is \(server.family.rawValue) (\(server.plainVersion)), and this listener speaks as \(listener.rawValue)",
                hint: "Reach the target through a listener of its own family")
        }
        var wanted = Self.own.union(client.intersection(Self.passed))
        if usesTLS { wanted.insert(.tls) }
        if namesDatabase { wanted.insert(.connectWithDatabase) }
        // To MariaDB this flag says that the extended ones are not meant.
        if listener == .mysql { wanted.insert(.mysql) }
        upstream = wanted.intersection(server.capabilities)
        let missing = client.intersection(Self.passed.union(.sessionTracking)).subtracting(server.capabilities)
        differences = Self.handling.filter { missing.contains($0.flag) }.map { Difference(feature: $0.name, handling: $0.handling) }
    }

    private static let handling: [(flag: Capabilities, name: String, handling: Handling)] = [
        (.deprecateEOF, "CLIENT_DEPRECATE_EOF", .translated),
        (.sessionTracking, "CLIENT_SESSION_TRACK", .translated),
        (.extendedMetadata, "MARIADB_CLIENT_EXTENDED_METADATA", .translated),
        (.progress, "MARIADB_CLIENT_PROGRESS", .translated),
        (.queryAttributes, "CLIENT_QUERY_ATTRIBUTES", .refused),
        (.bulkOperations, "MARIADB_CLIENT_STMT_BULK_OPERATIONS", .refused),
        (.bulkUnitResults, "MARIADB_CLIENT_BULK_UNIT_RESULTS", .refused),
        (.multiStatements, "CLIENT_MULTI_STATEMENTS", .refused),
        (.localFiles, "CLIENT_LOCAL_FILES", .refused),
        (.foundRows, "CLIENT_FOUND_ROWS", .refused),
        (.ignoreSpace, "CLIENT_IGNORE_SPACE", .refused),
        (.interactive, "CLIENT_INTERACTIVE", .translated),
        (.odbc, "CLIENT_ODBC", .translated),
    ]
}
