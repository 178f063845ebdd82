import ArgumentParser
import Console
import Logging

struct DevelopmentIssuerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "development-issuer",
        abstract: "An OIDC issuer that gives tokens to anybody who asks. For trying Gatehouse out; never for anything real.",
        discussion: """
            Listens on loopback addresses only, and its key is gone when it stops.

            EXAMPLES
              gatehouse development-issuer --listen 127.0.0.1:8400 --user agent:agents --user auditor:audit
            """)

    @Option(help: ArgumentHelp("A loopback address; port 0 takes a free one.", valueName: "host:port"))
    var listen = "127.0.0.1:0"

    @Option(help: ArgumentHelp("Somebody whom it knows, with their groups; may be repeated.", valueName: "name:group,group"))
    var user: [String] = []

    @Option(help: "The audience of its tokens.")
    var audience = "gatehouse"

    func run() async throws {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]), (0...65_535).contains(port)
        else {
            throw CommandFailure(.usage, "--listen takes host:port, not '\(listen)'")
        }
        var users: [String: [String]] = [:]
        for entry in user {
            let parts = entry.split(separator: ":", maxSplits: 1)
            guard let name = parts.first else { throw CommandFailure(.usage, "--user takes name:group,group") }
            users[String(name)] = parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : []
        }
        var logger = Logger(label: "gatehouse.development-issuer")
        logger.logLevel = .warning
        let issuer = try DevelopmentIssuer(
            users: users, audience: audience, host: String(listen[..<colon]), port: port, logger: logger)
        try await issuer.run { url in print("READY \(url)") }
    }
}
