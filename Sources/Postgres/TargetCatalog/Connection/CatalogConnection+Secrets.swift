import GatehouseCore

extension CatalogConnection {
    /// Connects with the password that `source` gives, and once more if that has another after the server refused it; without
    /// a source with the address's own. Blocks.
    static func open(
        _ address: CatalogAddress, _ source: SecretSource?, _ secrets: any SecretResolver
    ) throws -> CatalogConnection {
        guard let source else { return try CatalogConnection(to: address) }
        var address = address
        let password = try waitForSecret { () async throws(SecretFailure) in try await secrets.secret(from: source) }
        guard let password else { throw CatalogError("its account has no password") }
        address.password = password
        do {
            return try CatalogConnection(to: address)
        } catch let error as CatalogError where error.refusesPassword {
            let another = try waitForSecret { () async throws(SecretFailure) in
                try await secrets.replacement(for: password, from: source)
            }
            guard let another else { throw error }
            address.password = another
            return try CatalogConnection(to: address)
        }
    }
}
