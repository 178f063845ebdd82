import Foundation
import Testing

/// A private MariaDB 10.11 with a small shop, shared by the tests, and gateways in front of it.
struct MariaDB: Sendable {
    let port: Int
    let socket: String

    private static let setUp = """
        CREATE DATABASE shop;
        CREATE TABLE shop.customers (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), ssn CHAR(11), balance DECIMAL(10,2), born DATE);
        INSERT INTO shop.customers VALUES (1, 'Ann', '078-05-1120', 12.50, '1980-02-29'), (2, 'Bob', NULL, -1, NULL);
        CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50));
        CREATE VIEW shop.names AS SELECT name FROM shop.customers;
        """

    private actor Keeper {
        static let shared = Keeper()
        private var made: Task<MariaDB, any Error>?

        func server() async throws -> MariaDB {
            let task = made ?? Task { try await MariaDB.start() }
            made = task
            return try await task.value
        }
    }

    static func shared() async throws -> MariaDB { try await Keeper.shared.server() }

    private static func start() async throws -> MariaDB {
        let folder = try TemporaryDirectory()
        // The server may run as an account of its own.
        chmod(folder.path, 0o755)
        let file = folder.file("init.sql")
        let password = try await Backstage.shared().configuration().readerPassword
        let sql = Self.setUp + "\nCREATE USER app@'%' IDENTIFIED BY '\(password)';\nGRANT ALL ON *.* TO app@'%';\n"
        try Data(sql.replacingOccurrences(of: "\n        ", with: "\n").utf8).write(to: URL(fileURLWithPath: file))
        let report = try await Shell.need(
            Project.script("private-mysql"), ["start", folder.file("server"), "--server", "mariadb", "--init", file],
            deadline: .seconds(120))
        var facts: [String: String] = [:]
        for line in report.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = String(parts[1]) }
        }
        guard let port = facts["port"].flatMap(Int.init), let socket = facts["socket"], let pid = facts["pid"].flatMap({ pid_t($0) }) else {
            throw HarnessError("private-mysql said: \(report)")
        }
        Teardown.shared.add(postmaster: pid)
        return MariaDB(port: port, socket: socket)
    }

    /// Straight to the server.
    func direct(_ sql: String) async throws -> String {
        try await Shell.need("mariadb", ["--no-defaults", "-uroot", "-S", socket, "-N", "-B", "-e", sql])
    }

    /// A gateway with a target `shop`, whose rules are in front of the others.
    func gateway(rules: [String] = [], masks: [String] = []) async throws -> ShopGateway {
        let backstage = try await Backstage.shared()
        var configuration = try backstage.configuration()
        let listen = try freePort()
        configuration.listeners = ["  - { name: maria, protocol: mysql, family: mariadb, listen: 127.0.0.1:\(listen) }"]
        configuration.targets = [
            """
              - name: shop
                protocol: mysql
                address: 127.0.0.1:\(port)
                database: shop
                default: allow
                tls: { mode: disable }
                roles:
                  - { name: app, user: app, password: "${env:\(GatewayConfiguration.readerVariable)}" }
            """
        ]
        configuration.access = ["  - { groups: [dba, deploy-bots], targets: [shop], roles: [app] }"]
        configuration.roles = ["approver: [managers, dba]"]
        configuration.rules = rules
        configuration.sections = masks
        return ShopGateway(
            gateway: try await Gateway.start(configuration), port: listen, alice: try backstage.provider.token(for: "alice"),
            bob: try backstage.provider.token(for: "bob"))
    }
}

/// A gateway in front of the shop.
struct ShopGateway: Sendable {
    let gateway: Gateway
    let port: Int
    /// Of auditors and approvers.
    let alice: String
    let bob: String

    /// The `mariadb` client, which sends each statement by itself; behind an error it goes on with the next line.
    func mariadb(_ sql: String, token: String? = nil, user: String = "app@shop", options: [String] = []) async throws -> Finished {
        try await Shell.run(
            "mariadb",
            ["--no-defaults", "-h127.0.0.1", "-P\(port)", "-u", user, "--ssl", "-N", "-B", "--force"] + options,
            environment: ["MYSQL_PWD": token ?? bob], input: sql.replacingOccurrences(of: "; ", with: ";\n") + ";\n", deadline: .seconds(60)
        )
    }

    /// Python with `connect(module)` at hand.
    func python(_ script: String) async throws -> Finished {
        let prelude = """
            import os, ssl
            token, port = os.environ["TOKEN"], int(os.environ["PORT"])
            def pymysql_connect(**more):
                import pymysql
                return pymysql.connect(host="127.0.0.1", port=port, user="app@shop", password=token, database="shop", autocommit=True,
                    ssl={"check_hostname": False, "verify_mode": ssl.CERT_NONE}, **more)
            def connector_connect(**more):
                import mysql.connector
                return mysql.connector.connect(host="127.0.0.1", port=port, user="app@shop", password=token, database="shop", **more)

            """
        return try await Shell.run(
            Project.python, ["-c", prelude + script], environment: ["TOKEN": bob, "PORT": String(port)], deadline: .seconds(90))
    }
}
