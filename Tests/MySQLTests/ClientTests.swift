import Foundation
import Testing

@testable import MySQL

/// The client side against clients as people have them. Each is told the secret in the way that it has for one.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientTests {
    private static let token = "eyJ" + String(repeating: "x", count: 3_000) + ".sig"
    private static let long = "eyJ" + String(repeating: "y", count: 20_000) + ".sig"

    /// Certificates of the machine's own making, once.
    private static let folder: Result<String, any Error> = Result {
        let folder = NSTemporaryDirectory() + "/gatehouse-clients-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let commands = """
            cd "$1"
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.crt -subj "/CN=test authority"
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj "/CN=localhost"
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >server.ext
            openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.crt
            """
        _ = try runProgram("/bin/bash", ["-ec", commands, "bash", folder], output: folder + "/out")
        return folder
    }

    private static func serve(
        _ family: ServerFamily, plugin: AuthenticationPlugin = .cachingSHA2, secret: String = token,
        _ body: (SmallServer, String) throws -> Void
    ) throws {
        let folder = try Self.folder.get()
        let server = try SmallServer(family, plugin: plugin, secret: secret, folder: folder)
        defer { server.stop() }
        try body(server, folder + "/out-\(UUID().uuidString.prefix(8))")
    }

    static let ways: [(ServerFamily, AuthenticationPlugin)] = [
        (.mysql, .cachingSHA2), (.mariadb, .cachingSHA2), (.mysql, .clear), (.mariadb, .clear),
    ]

    @Test(arguments: ways)
    func theMariaDBClient(way: (ServerFamily, AuthenticationPlugin)) throws {
        try Self.serve(way.0, plugin: way.1) { server, output in
            let told = try runProgram(
                "/usr/bin/mariadb",
                [
                    "--no-defaults", "-h", "127.0.0.1", "-P", "\(server.port)", "-u", "writer@orders", "--ssl-ca=\(server.authority)",
                    "--ssl-verify-server-cert",
                    "-D", "shop", "-N", "-e", "SELECT 1; SET @a = 1; SELECT 2",
                ],
                output: output, environment: ["MYSQL_PWD": Self.token])
            #expect(told.contains("writer@orders\tSELECT 1") && told.contains("SELECT 2"), "\(told)")
            let login = try #require(server.logins.first)
            #expect(login.user == "writer@orders" && login.database == "shop")
            #expect(login.attributes.contains { $0.name == "_client_name" }, "\(login.attributes)")
        }
    }

    @Test func withoutTLSClientsHearWhatToDo() throws {
        try Self.serve(.mariadb) { server, output in
            let failure = #expect(throws: TestFailure.self) {
                try runProgram(
                    "/usr/bin/mariadb",
                    ["--no-defaults", "--skip-ssl", "-h", "127.0.0.1", "-P", "\(server.port)", "-u", "orders", "-e", "SELECT 1"],
                    output: output, environment: ["MYSQL_PWD": Self.token])
            }
            #expect(failure?.description.contains("3159") == true && failure?.description.contains("TLS") == true)
            #expect(server.logins.isEmpty)
        }
    }

    @Test func aWrongSecretIsRefusedNatively() throws {
        try Self.serve(.mariadb) { server, output in
            let failure = #expect(throws: TestFailure.self) {
                try runProgram(
                    "/usr/bin/mariadb",
                    [
                        "--no-defaults", "-h", "127.0.0.1", "-P", "\(server.port)", "-u", "orders", "--ssl-ca=\(server.authority)", "-e",
                        "SELECT 1",
                    ],
                    output: output, environment: ["MYSQL_PWD": "wrong"])
            }
            #expect(failure?.description.contains("ERROR 1045 (28000)") == true, "\(failure?.description ?? "")")
        }
    }

    /// PyMySQL, mysql-connector-python (its own implementation and the C one) and mysqlclient, text and prepared, with long tokens.
    @Test(arguments: ["pymysql", "connector", "connector-c", "mysqlclient"], [ServerFamily.mysql, .mariadb])
    func pythonClients(client: String, family: ServerFamily) throws {
        for secret in [Self.token, Self.long] {
            try Self.serve(family, secret: secret) { server, output in
                let told = try runProgram(
                    LiveServer.tests.deletingLastPathComponent().appending(path: ".build-venv/bin/python").path,
                    [LiveServer.tests.appending(path: "Support/mysql_clients.py").path, client, "\(server.port)", server.authority],
                    output: output, environment: ["TOKEN": secret])
                #expect(told.contains("ok"), "\(told)")
                if told.contains("without the C extension") { return }
                #expect(server.logins.first?.user == "orders", "\(server.failures)")
            }
        }
    }

    /// Oracle's own client, from the chroot of MySQL.
    @Test(.enabled(if: LiveServer.hasMySQL), arguments: [AuthenticationPlugin.cachingSHA2, .clear])
    func theMySQLClient(plugin: AuthenticationPlugin) throws {
        let root = ProcessInfo.processInfo.environment["GATEHOUSE_MYSQL_ROOT"] ?? ""
        try Self.serve(.mysql, plugin: plugin, secret: Self.long) { server, output in
            let told = try runProgram(
                "/usr/sbin/chroot",
                [
                    root, "mysql", "--no-defaults", "-h", "127.0.0.1", "-P", "\(server.port)", "-u", "orders", "--ssl-mode=REQUIRED",
                    "--enable-cleartext-plugin", "-N", "-e", "SELECT 1; SELECT 2",
                ],
                output: output, environment: ["MYSQL_PWD": Self.long])
            #expect(told.contains("orders\tSELECT 1"), "\(told)")
            #expect(server.logins.first?.secret.reveal() == Self.long)
        }
    }

    /// MariaDB Connector/J, run from its source file by the JDK's launcher.
    @Test(arguments: [ServerFamily.mariadb])
    func connectorJ(family: ServerFamily) throws {
        try Self.serve(family) { server, output in
            let told = try runProgram(
                "/usr/bin/java",
                [
                    "-Xshare:auto", "-cp", "/usr/share/java/mariadb-java-client.jar",
                    LiveServer.tests.appending(path: "Support/MariaDBClient.java").path,
                    "\(server.port)", server.authority,
                ],
                output: output, environment: ["TOKEN": Self.token])
            #expect(told.contains("ok"), "\(told) \(server.failures)")
        }
    }
}
