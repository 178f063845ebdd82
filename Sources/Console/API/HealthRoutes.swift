import Foundation
import Hummingbird

/// `/healthz`, `/readyz`, `/metrics`, for machines that watch the gateway, and the description of the API: they need no token
/// and tell nothing of anybody.
struct HealthRoutes: Sendable {
    let backend: ConsoleBackend
    let metrics: PrometheusRegistry

    /// A check that takes longer has failed: what asks has its own deadline.
    static let checkTimeout: Duration = .seconds(5)

    func add(to router: Router<ConsoleContext>) {
        router.get("healthz") { _, _ in try API.json(["status": "ok", "node": backend.node, "version": backend.version]) }
        router.get("readyz", use: ready)
        router.get("metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: metrics.exposition())))
        }
        router.get("approvals/:id", use: approval)
        router.get("api/v1/openapi.yaml") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_yaml)))
        }
    }

    /// Where the link of a notice or a webhook leads: how to decide, for whoever has a token. It tells nothing of the approval,
    /// not even whether there is one.
    @Sendable private func approval(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let id = context.parameters.get("id") ?? ""
        guard id.utf8.count <= 64, id.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }) else {
            throw Problem.notFound("approval")
        }
        let text = """
            An approval is asked for at the Gatehouse gateway \(backend.node).

            Look at it:    gatehouse approvals show \(id)
            Approve it:    gatehouse approvals approve \(id)
            Deny it:       gatehouse approvals deny \(id) --comment "why"

            `gatehouse login` gets the token that these commands need. The same over HTTP: GET /api/v1/approvals/\(id).

            """
        return Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private struct Readiness: Encodable {
        struct Check: Encodable {
            var ok: Bool
            var problem: String?

            init(_ condition: ConsoleBackend.Condition) {
                switch condition {
                case .good: (ok, problem) = (true, nil)
                case .degraded(let what): (ok, problem) = (true, what)
                case .failed(let what): (ok, problem) = (false, what)
                }
            }
        }
        var status: String
        var checks: [String: Check]
    }

    @Sendable private func ready(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let checks = await withTaskGroup(of: (String, ConsoleBackend.Condition).self) { group in
            for check in backend.readiness { group.addTask { (check.name, await Self.bounded(check.check)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = Readiness.Check($1.1) }
        }
        let isReady = checks.values.allSatisfy(\.ok)
        let status = !isReady ? "not ready" : checks.values.contains { $0.problem != nil } ? "degraded" : "ready"
        return try API.json(Readiness(status: status, checks: checks), status: isReady ? .ok : .serviceUnavailable)
    }

    private static func bounded(_ check: @escaping @Sendable () async -> ConsoleBackend.Condition) async -> ConsoleBackend.Condition {
        await withTaskGroup(of: ConsoleBackend.Condition.self) { group in
            group.addTask { await check() }
            group.addTask {
                do { try await Task.sleep(for: checkTimeout) } catch { return .good }
                return .failed("no answer within \(checkTimeout)")
            }
            defer { group.cancelAll() }
            return await group.next() ?? .good
        }
    }
}
