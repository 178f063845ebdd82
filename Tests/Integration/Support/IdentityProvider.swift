import Foundation

/// A real OIDC provider (glewlwyd) with three people in it: alice (dba, sre), bob (deploy-bots), carol (managers).
struct IdentityProvider: Sendable {
    let issuer: String
    /// The client that the tokens are for: their audience.
    let audience: String
    private let tokens: [String: String]
    private let child: Child
    private let folder: TemporaryDirectory

    static func start() async throws -> IdentityProvider {
        let folder = try TemporaryDirectory()
        let script = ProcessInfo.processInfo.environment["GATEHOUSE_GLEWLWYD"] ?? Project.support("glewlwyd.py")
        let child = try Child(Project.python, [script, folder.file("glewlwyd")], directory: folder.path)
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if let line = child.output.split(separator: "\n").first(where: { $0.hasPrefix("{") && $0.hasSuffix("}") }) {
                let facts = try JSON.parse(String(line))
                guard let issuer = facts["issuer"]?.string, let client = facts["client"]?.string, case .object(let users)? = facts["users"]
                else { throw HarnessError("the OIDC provider said: \(child.output.prefix(300))") }
                return IdentityProvider(
                    issuer: issuer, audience: client, tokens: users.compactMapValues { $0["id_token"]?.string }, child: child,
                    folder: folder)
            }
            if let status = child.status() { throw HarnessError("the OIDC provider ended with \(status): \(child.errors)\(child.output)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("the OIDC provider is not ready: \(child.errors)")
    }

    /// An id_token, good for an hour after the start.
    func token(for user: String) throws -> String {
        guard let token = tokens[user] else { throw HarnessError("the OIDC provider has no \(user)") }
        return token
    }
}
