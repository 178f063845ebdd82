import Foundation

/// A private PostgreSQL 15: SCRAM passwords, TLS with an authority of its own, every statement in its log.
struct PostgresServer: Sendable {
    let port: Int
    let authorityFile: String
    let logFile: String
    /// Of the superuser `postgres`.
    let password: String
    private let folder: TemporaryDirectory
    private let postmaster: pid_t

    static func start(settings: [String] = []) async throws -> PostgresServer {
        let folder = try TemporaryDirectory()
        let directory = folder.file("postgres")
        let report = try await Shell.need(
            Project.script("private-postgres"), ["start", directory] + settings, deadline: .seconds(60))
        var facts: [String: String] = [:]
        for line in report.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = String(parts[1]) }
        }
        let pidFile = try String(contentsOfFile: directory + "/data/postmaster.pid", encoding: .utf8)
        guard let port = facts["port"].flatMap(Int.init), let ca = facts["ca"], let log = facts["log"],
            let postmaster = pidFile.split(separator: "\n").first.flatMap({ pid_t($0) })
        else { throw HarnessError("private-postgres said: \(report)") }
        Teardown.shared.add(postmaster: postmaster)
        let password = try String(contentsOfFile: directory + "/password", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        return PostgresServer(port: port, authorityFile: ca, logFile: log, password: password, folder: folder, postmaster: postmaster)
    }

    func stop() async throws {
        _ = try await Shell.run(Project.script("private-postgres"), ["stop", folder.file("postgres")])
        Teardown.shared.forget(postmaster: postmaster)
        folder.remove()
    }

    /// The way in that passes nobody, as the superuser or as one of the accounts that the gateway uses.
    func direct(user: String = "postgres", password: String? = nil, database: String = "postgres") -> Endpoint {
        Endpoint(
            port: port, user: user, password: password ?? self.password, database: database, tls: .verifyFull(authority: authorityFile))
    }

    /// Runs a script as the superuser.
    func execute(_ sql: String, in database: String = "postgres") async throws {
        _ = try await direct(database: database).psqlNeed(["-v", "ON_ERROR_STOP=1"], input: sql)
    }

    /// Where the log ends now: pass it to `logged(since:)`.
    func logPosition() throws -> Int {
        try Data(contentsOf: URL(fileURLWithPath: logFile)).count
    }

    /// What the log gained since a position.
    func logged(since position: Int) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: logFile)).dropFirst(position), as: UTF8.self)
    }
}
