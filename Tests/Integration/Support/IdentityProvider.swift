import Foundation

/// A real OIDC provider (glewlwyd) with three people in it: alice (dba, sre), bob (deploy-bots), carol (managers).
struct IdentityProvider: Sendable {
    let issuer: String
    private let child: Child
    private let folder: TemporaryDirectory

    static let audience = "gw"

    static func start() async throws -> IdentityProvider {
        let folder = try TemporaryDirectory()
        let script = ProcessInfo.processInfo.environment["GATEHOUSE_GLEWLWYD"] ?? Project.support("glewlwyd.py")
        let child = try Child(
            Project.python, [script, folder.file("glewlwyd"), String(try freePort())], directory: folder.path)
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if let line = child.output.split(separator: "\n").first(where: { $0.hasPrefix("READY ") }) {
                return IdentityProvider(issuer: line.dropFirst(6).trimmingCharacters(in: .whitespaces), child: child, folder: folder)
            }
            if let status = child.status() { throw HarnessError("the OIDC provider ended with \(status): \(child.errors)\(child.output)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("the OIDC provider is not ready: \(child.errors)\(child.output)")
    }

    /// An id_token by the password grant, good for an hour.
    func token(for user: String) async throws -> String {
        try await Shell.need(Project.python, [Project.support("oidc_token.py"), issuer, user], deadline: .seconds(30))
    }

    func stop() async {
        child.signal(SIGTERM)
        _ = try? await child.wait(upTo: .seconds(5))
        await child.end()
        folder.remove()
    }
}
