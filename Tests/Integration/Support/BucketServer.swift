import Foundation

/// A real S3 server, run by `Tests/Support/stores.py`.
struct BucketServer: Sendable {
    let endpoint: String
    private let accessKey: String
    private let secretFile: String
    private let child: Child
    private let folder: TemporaryDirectory

    private actor Keeper {
        static let shared = Keeper()
        private var servers: [String: Task<BucketServer, any Error>] = [:]

        func server(_ kind: String) async throws -> BucketServer {
            let task = servers[kind] ?? Task { try await BucketServer.start(kind) }
            servers[kind] = task
            return try await task.value
        }
    }

    /// The one that all tests share.
    static func shared(_ kind: String = "rclone") async throws -> BucketServer { try await Keeper.shared.server(kind) }

    /// - Parameter kind: `rclone` (checks signatures) or `moto` (object lock).
    static func start(_ kind: String) async throws -> BucketServer {
        let folder = try TemporaryDirectory()
        let child = try Child(Project.python, [Project.support("stores.py"), kind], directory: folder.path)
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            if let line = child.output.split(separator: "\n").first(where: { $0.hasPrefix("{") && $0.hasSuffix("}") }) {
                let facts = try JSON.parse(String(line))
                guard let endpoint = facts["endpoint"]?.string, let key = facts["accessKey"]?.string,
                    let secret = facts["secretKey"]?.string
                else { throw HarnessError("the S3 server said: \(child.output.prefix(300))") }
                let file = folder.file("secret")
                try Data(secret.utf8).write(to: URL(fileURLWithPath: file))
                chmod(file, 0o600)
                return BucketServer(endpoint: endpoint, accessKey: key, secretFile: file, child: child, folder: folder)
            }
            if let status = child.status() { throw HarnessError("the S3 server ended with \(status): \(child.errors)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("the S3 server is not ready: \(child.errors)")
    }

    /// A configuration's `store`.
    func section(prefix: String, bucket: String = "evidence", lock: String? = nil) -> String {
        """
        store:
          s3:
            bucket: \(bucket)
            endpoint: \(endpoint)
            prefix: \(prefix)
            access_key_id: \(accessKey)
            secret_access_key_file: \(secretFile)
        \(lock.map { "    object_lock: \($0)" } ?? "")
        """
    }

    /// No answer any more.
    func stop() async { await child.end() }
}
