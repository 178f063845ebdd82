import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import MySQL

struct TestFailure: Error, CustomStringConvertible {
    var description: String
}

/// A private MariaDB or MySQL of this test run (scripts/private-mysql), gone at exit.
final class LiveServer: Sendable {
    static let mariadb: Result<LiveServer, any Error> = Result {
        try LiveServer(.mariadb, options: ["--plugin-maturity=unknown"], init: mariadbSetUp)
    }
    /// Only where GATEHOUSE_MYSQL_ROOT names a chroot that holds one.
    static let mysql: Result<LiveServer, any Error> = Result { try LiveServer(.mysql, options: [], init: mysqlSetUp) }
    static var hasMySQL: Bool { !(ProcessInfo.processInfo.environment["GATEHOUSE_MYSQL_ROOT"] ?? "").isEmpty }

    static let password = "test-password of 20"

    let family: ServerFamily
    let port: Int
    let authority: String
    /// PEM.
    let publicKey: String
    private let folder: String

    private static let tables = """
        CREATE DATABASE shop;
        CREATE TABLE shop.customers (id INT PRIMARY KEY, name VARCHAR(50), ssn CHAR(11), balance DECIMAL(10,2), born DATE, seen DATETIME(6));
        INSERT INTO shop.customers VALUES (1, 'Ann', '078-05-1120', 12.50, '1980-02-29', '2026-01-02 03:04:05.000006'), (2, 'Bob', NULL, -1, NULL, NULL), (3, 'Cy', '219-09-9999', 0, '2000-01-01', '2026-01-01');
        CREATE TABLE shop.blobs (id INT PRIMARY KEY, data LONGBLOB);
        CREATE TABLE shop.loaded (a VARCHAR(50), b VARCHAR(50));
        CREATE DEFINER = root@localhost PROCEDURE shop.two() SQL SECURITY INVOKER SELECT 1 AS a UNION SELECT 2;
        """

    private static let mariadbSetUp =
        tables + """

            CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('\(password)');
            CREATE USER edward@'%' IDENTIFIED VIA ed25519 USING PASSWORD('\(password)');
            CREATE USER either@'%' IDENTIFIED VIA ed25519 USING PASSWORD('another') OR mysql_native_password USING PASSWORD('\(password)');
            CREATE USER empty@'%' IDENTIFIED BY '';
            CREATE USER socket@'%' IDENTIFIED VIA unix_socket;
            CREATE USER encrypted@'%' IDENTIFIED BY '\(password)' REQUIRE SSL;
            GRANT ALL ON *.* TO native@'%', edward@'%', either@'%', empty@'%', encrypted@'%';
            """

    private static let mysqlSetUp =
        tables + """

            CREATE USER caching@'%' IDENTIFIED WITH caching_sha2_password BY '\(password)';
            CREATE USER caching2@'%' IDENTIFIED WITH caching_sha2_password BY '\(password)';
            CREATE USER caching3@'%' IDENTIFIED WITH caching_sha2_password BY '\(password)';
            CREATE USER caching4@'%' IDENTIFIED WITH caching_sha2_password BY '\(password)';
            CREATE USER old@'%' IDENTIFIED WITH sha256_password BY '\(password)';
            GRANT ALL ON *.* TO caching@'%', caching2@'%', caching3@'%', caching4@'%', old@'%';
            """

    private init(_ family: ServerFamily, options: [String], init statements: String) throws {
        self.family = family
        folder = NSTemporaryDirectory() + "/gatehouse-\(family == .mysql ? "mysql" : "mariadb")-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // One statement a line is what an init file takes.
        try statements.write(toFile: folder + "/init.sql", atomically: false, encoding: .utf8)
        let output = try Self.script(
            ["start", folder, "--server", family == .mysql ? "mysql" : "mariadb", "--init", folder + "/init.sql"] + options,
            output: folder + "/told")
        var told: [String: String] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { told[String(parts[0])] = String(parts[1]) }
        }
        guard let port = told["port"].flatMap(Int.init), let authority = told["ca"], let key = told["key"] else {
            throw TestFailure(description: "private-mysql said \(output)")
        }
        self.port = port
        self.authority = authority
        publicKey = try String(contentsOfFile: key, encoding: .utf8)
        Self.running.withLock { $0.append(folder) }
        atexit {
            for folder in LiveServer.running.withLock({ $0 }) {
                _ = try? LiveServer.script(["stop", folder], output: folder + "/told")
                try? FileManager.default.removeItem(atPath: folder)
            }
        }
    }

    private static let running = Mutex<[String]>([])
    static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    private static func script(_ arguments: [String], output: String) throws -> String {
        try runProgram(tests.deletingLastPathComponent().appending(path: "scripts/private-mysql").path, arguments, output: output)
    }

    var context: NIOSSLContext {
        get throws {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
            configuration.certificateVerification = .fullVerification
            return try NIOSSLContext(configuration: configuration)
        }
    }
}

/// Runs a program to its end with its output in a file; what it printed. Not by Foundation's Process: see Support/alone.
func runProgram(_ path: String, _ arguments: [String], output: String, environment: [String: String] = [:]) throws -> String {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let alone = LiveServer.tests.appending(path: "Support/alone").path
    let words = ([alone, path] + arguments).map { strdup($0) }
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { strdup("\($0)=\($1)") }
    defer { for text in words + variables { free(text) } }
    var process: pid_t = 0
    guard posix_spawn(&process, alone, &actions, nil, words + [nil], variables + [nil]) == 0 else {
        throw TestFailure(description: "\(path) could not be started")
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 { guard errno == EINTR else { throw TestFailure(description: "lost \(path)") } }
    let text = try String(contentsOfFile: output, encoding: .utf8)
    guard status == 0 else { throw TestFailure(description: "\(path) \(arguments.first ?? "") ended with \(status): \(text)") }
    return text
}
