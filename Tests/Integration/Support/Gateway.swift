import Foundation

/// The gateway under test, as a program of its own.
struct Gateway: Sendable {
    let configuration: GatewayConfiguration
    private let child: Child
    private let folder: TemporaryDirectory

    /// Writes the configuration and starts it; returns once `/readyz` says so.
    static func start(_ configuration: GatewayConfiguration) async throws -> Gateway {
        guard FileManager.default.isExecutableFile(atPath: Project.gatehouse) else {
            throw HarnessError("no gateway at \(Project.gatehouse): run `swift build` first, or set GATEHOUSE_BINARY")
        }
        let folder = try TemporaryDirectory()
        let file = folder.file("gatehouse.yaml")
        try Data(configuration.yaml.utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o600)
        let child = try Child(
            Project.gatehouse, ["serve", "--config", file],
            environment: [GatewayConfiguration.readerVariable: configuration.readerPassword], directory: folder.path)
        let gateway = Gateway(configuration: configuration, child: child, folder: folder)
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if let status = child.status() { throw HarnessError("the gateway ended with \(status): \(gateway.log.suffix(4000))") }
            if httpGet(port: configuration.adminPort, path: "/readyz")?.status == 200 { return gateway }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw HarnessError("the gateway is not ready after 30 s: \(gateway.log.suffix(4000))")
    }

    var pid: pid_t { child.pid }
    var isRunning: Bool { child.status() == nil }
    /// What it has logged so far.
    var log: String { child.output + child.errors }

    /// SIGTERM, which drains; the exit code.
    func stop() async throws -> Int32 {
        child.signal(SIGTERM)
        guard let status = try await child.wait(upTo: .seconds(30)) else {
            await child.end()
            throw HarnessError("the gateway did not drain in 30 s: \(log.suffix(2000))")
        }
        return status
    }

    /// SIGKILL: nothing is finished, nothing is told.
    func kill() async {
        child.signal(SIGKILL)
        _ = try? await child.wait(upTo: .seconds(10))
    }

    /// The way in for a client: the token goes where a password goes.
    func endpoint(_ login: String, token: String, database: String? = nil) -> Endpoint {
        let target = login.split(separator: "@").last.map(String.init) ?? login
        return Endpoint(
            port: configuration.port, user: login, password: token, database: database ?? target,
            tls: configuration.plaintext == "loopback" ? .disable : .require)
    }

    /// A `gatehouse` command against this gateway's admin API.
    func command(_ arguments: [String], token: String, deadline: Duration = .seconds(60)) async throws -> Finished {
        try await Shell.run(
            Project.gatehouse, arguments,
            environment: [
                "GATEHOUSE_TOKEN": token, "GATEHOUSE_ADDRESS": "http://127.0.0.1:\(configuration.adminPort)",
                "GATEHOUSE_KEY_FILE": configuration.dataDirectory + "/keys/recipient.key",
            ],
            deadline: deadline)
    }

    /// The sessions that the catalog knows, newest first: a session's name begins with its time.
    func sessions(token: String) async throws -> [JSON] {
        let listed = try await command(["sessions", "list", "--format", "json"], token: token)
        guard listed.succeeded else { throw HarnessError("sessions list: \(listed.errors)") }
        return try JSON.parse(listed.output).elements.sorted { ($0["id"]?.string ?? "") > ($1["id"]?.string ?? "") }
    }

    /// One session's recording, as `sessions show --format json` gives it.
    func recording(of session: String, token: String) async throws -> Recording {
        let shown = try await command(["sessions", "show", session, "--format", "json"], token: token)
        guard shown.succeeded else { throw HarnessError("sessions show \(session): \(shown.errors)") }
        return Recording(session: session, events: try JSON.parse(shown.output).elements, text: shown.output)
    }

    /// The newest recording that holds `marker` and, when `ended`, its end: a session is in the catalog a moment after
    /// its client has gone.
    func recording(containing marker: String, ended: Bool = true, token: String) async throws -> Recording {
        let end = ContinuousClock.now + .seconds(15)
        repeat {
            for session in try await sessions(token: token).prefix(12) {
                guard let id = session["id"]?.string else { continue }
                let found = try await recording(of: id, token: token)
                if found.text.contains(marker), !ended || !found.events("end").isEmpty { return found }
            }
            try await Task.sleep(for: .milliseconds(200))
        } while ContinuousClock.now < end
        throw HarnessError("no recording holds \(marker)")
    }

    /// The configuration that it runs with.
    var configurationFile: String { folder.file("gatehouse.yaml") }

    /// The same over the store that the configuration names, a bucket maybe.
    func verifyConfigured() async throws -> Finished {
        try await Shell.run(Project.gatehouse, ["verify", "--format", "json", "--config", configurationFile], deadline: .seconds(300))
    }

    /// `gatehouse verify` over the whole store: needs no gateway.
    func verify() async throws -> Finished {
        try await Shell.run(
            Project.gatehouse, ["verify", "--format", "json", configuration.dataDirectory], deadline: .seconds(120))
    }
}

/// What a session left, event by event.
struct Recording: Sendable {
    let session: String
    let events: [JSON]
    /// As printed: what is not in it was not kept.
    let text: String

    func events(_ type: String) -> [JSON] { events.filter { $0["type"]?.string == type } }

    var statements: [String] { events("statement").compactMap { $0["text"]?.string } }
    var denials: [JSON] { events("verdict").filter { $0["decision"]?.string == "deny" } }
}
