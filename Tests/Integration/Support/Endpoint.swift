/// A way to a database, direct or through the gateway, for any client.
struct Endpoint: Sendable {
    enum TLS: Sendable {
        case disable
        /// TLS, the certificate not looked at: what a client does with a self-signed gateway.
        case require
        case verifyFull(authority: String)
    }

    var port: Int
    var user: String
    var password: String
    var database: String
    var tls: TLS

    /// libpq's environment. The password is never an argument.
    var environment: [String: String] {
        var all = [
            "PGHOST": "127.0.0.1", "PGPORT": String(port), "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "20", "PSQLRC": "/dev/null", "PGPASSFILE": "/dev/null", "LC_ALL": "C.UTF-8",
        ]
        switch tls {
        case .disable: all["PGSSLMODE"] = "disable"
        case .require: all["PGSSLMODE"] = "require"
        case .verifyFull(let authority):
            all["PGSSLMODE"] = "verify-full"
            all["PGSSLROOTCERT"] = authority
        }
        return all
    }

    /// Unaligned tuples only, so that a test compares values and not their frame.
    func psql(_ arguments: [String], input: String? = nil, deadline: Duration = .seconds(60)) async throws -> Finished {
        try await Shell.run("psql", ["-X", "-A", "-t", "-q"] + arguments, environment: environment, input: input, deadline: deadline)
    }

    func psql(_ sql: String) async throws -> Finished { try await psql(["-c", sql]) }

    func psqlNeed(_ arguments: [String], input: String? = nil) async throws -> String {
        try await Shell.need("psql", ["-X", "-A", "-t", "-q"] + arguments, environment: environment, input: input)
    }

    /// The one value that a statement answers.
    func value(_ sql: String) async throws -> String { try await psqlNeed(["-c", sql]) }

    func pgbench(_ arguments: [String], deadline: Duration = .seconds(120)) async throws -> Finished {
        try await Shell.run("pgbench", arguments, environment: environment, deadline: deadline)
    }

    /// A scenario of Tests/Support/clients.py: what it prints is JSON.
    func python(_ scenario: String, _ arguments: [String] = [], deadline: Duration = .seconds(90)) async throws -> Finished {
        try await Shell.run(
            Project.python, [Project.support("clients.py"), scenario] + arguments, environment: environment, deadline: deadline)
    }
}
