/// What `verify` is asked to look at.
struct VerificationRequest {
    /// The data directory or the store in it.
    var directory: String
    /// nil: the public key that lies beside the store.
    var publicKeyFile: String?
    /// nil: all sessions.
    var session: String?
}

/// Checks a store; the report is JSON of the form that docs/cli.md tells.
func verifyStore(_ request: VerificationRequest) async throws -> JSON {
    throw CommandFailure(.failure, "not composed yet")
}
