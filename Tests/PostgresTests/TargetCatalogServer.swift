import CLibPQ
import Foundation
import GatehouseCore
import Masking
import NIOCore
import Testing

@testable import Postgres

/// A private PostgreSQL of this test run: a temporary directory, a free port of the loopback address, gone at exit.
final class CatalogServer: Sendable {
    static let password = Secret("catalog-test-password")
    static let shared: Result<CatalogServer, any Error> = Result { try CatalogServer() }

    let directory: String
    let port: Int

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private init() throws {
        directory = "/tmp/gatehouse-catalog-\(UUID().uuidString.prefix(8))"
        port = try Self.freePort()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        try Self.password.reveal().write(toFile: directory + "/password", atomically: false, encoding: .utf8)
        if getuid() == 0 { try Self.run("/usr/bin/chown", ["-R", "postgres", directory]) }
        let data = directory + "/data"
        try postgres(
            "initdb", ["-A", "scram-sha-256", "--pwfile", directory + "/password", "--no-sync", "-E", "UTF8", "-U", "owner", "-D", data])
        let options = "-p \(port) -k \(directory) -c listen_addresses=127.0.0.1 -c fsync=off -c wal_level=logical"
        try postgres("pg_ctl", ["-w", "-D", data, "-l", directory + "/log", "-o", options, "start"])
        CatalogServer.stopAtExit(directory)
    }

    private func postgres(_ tool: String, _ arguments: [String]) throws {
        let folders = (10...20).reversed().map { "/usr/lib/postgresql/\($0)/bin/" } + ["/usr/bin/", "/usr/local/bin/"]
        guard let path = folders.map({ $0 + tool }).first(where: FileManager.default.isExecutableFile) else {
            throw Failure(description: "\(tool) of PostgreSQL is not installed")
        }
        if getuid() == 0 {
            try Self.run("/usr/sbin/runuser", ["-u", "postgres", "--", path] + arguments)
        } else {
            try Self.run(path, arguments)
        }
    }

    /// posix_spawn and waitpid: Foundation's Process waits on a run loop, which test threads have none of.
    private static func run(_ path: String, _ arguments: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in Int32(0)...2 { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
        let alone = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Support/alone").path
        let words = ([alone, path] + arguments).map { strdup($0) }
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        var status: Int32 = 0
        guard posix_spawn(&process, alone, &actions, nil, words + [nil], environ) == 0, waitpid(process, &status, 0) == process, status == 0
        else { throw Failure(description: "\(path) \(arguments) failed") }
    }

    private static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw Failure(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// The postmaster's own file tells its process id; SIGQUIT is its immediate shutdown.
    private static func stopAtExit(_ directory: String) {
        runningDirectory.withLock { $0 = directory }
        atexit {
            let directory = CatalogServer.runningDirectory.withLock { $0 }
            guard !directory.isEmpty else { return }
            let file = try? String(contentsOfFile: directory + "/data/postmaster.pid", encoding: .utf8)
            if let line = file?.split(separator: "\n").first, let process = Int32(line) {
                kill(process, SIGQUIT)
                for _ in 0..<100 where kill(process, 0) == 0 { usleep(20_000) }
            }
            try? FileManager.default.removeItem(atPath: directory)
        }
    }

    private static let runningDirectory = NIOLockedValue("")

    // MARK: For tests

    func connect(database: String = "postgres", user: String = "owner") throws -> ServerSession {
        try ServerSession(
            "host=127.0.0.1 port=\(port) dbname=\(database) user=\(user) password=\(Self.password.reveal()) sslmode=disable options='-c client_min_messages=error'"
        )
    }

    /// A new database of its own, filled by `setup`.
    func database(_ name: String, _ setup: String) throws -> ServerSession {
        try connect().run("CREATE DATABASE \(name)")
        let session = try connect(database: name)
        try session.run(setup)
        return session
    }

    func target(database: String) -> Target {
        Target(
            name: "catalog", protocolName: .postgres, host: "127.0.0.1", port: port, database: database, tls: UpstreamTLS(mode: .disable),
            roles: [role()])
    }

    func role(_ user: String = "owner", password: Secret = CatalogServer.password) -> Target.Role {
        Target.Role(name: "reader", user: user, password: password)
    }

    func snapshot(database: String, user: String = "owner") throws -> CatalogSnapshot {
        let address = CatalogAddress(
            host: "127.0.0.1", port: port, database: database, user: user, password: Self.password, tls: UpstreamTLS(mode: .disable),
            timeout: .seconds(20))
        return CatalogSnapshot(try CatalogReader.read(from: CatalogConnection(to: address), timeout: .seconds(20)))
    }
}

/// A value behind a lock, for a C callback that can capture nothing.
final class NIOLockedValue<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value
    init(_ value: Value) { self.value = value }
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return body(&value)
    }
}

/// A client of the real server, by libpq.
final class ServerSession {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let connection: OpaquePointer

    init(_ settings: String) throws {
        guard let connection = PQconnectdb(settings) else { throw Failure(description: "out of memory") }
        self.connection = connection
        guard PQstatus(connection) == CONNECTION_OK else { throw Failure(description: String(cString: PQerrorMessage(connection))) }
    }

    deinit { PQfinish(connection) }

    private func check(_ result: OpaquePointer?, _ sql: String) throws -> OpaquePointer {
        guard let result, ![PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE].contains(PQresultStatus(result)) else {
            PQclear(result)
            throw Failure(description: "\(String(cString: PQerrorMessage(connection))) in: \(sql.prefix(200))")
        }
        return result
    }

    func run(_ sql: String) throws {
        PQclear(try check(PQexec(connection, sql), sql))
    }

    /// What the server says of the columns of a statement's result.
    func describe(_ sql: String, format: ValueFormat = .text) throws -> [MaskableColumn] {
        PQclear(try check(PQprepare(connection, "", sql, 0, nil), sql))
        let result = try check(PQdescribePrepared(connection, ""), sql)
        defer { PQclear(result) }
        return columns(of: result, format: format)
    }

    private func columns(of result: OpaquePointer, format: ValueFormat) -> [MaskableColumn] {
        (0..<PQnfields(result)).map { index in
            MaskableColumn(
                name: String(cString: PQfname(result, index)), tableOID: PQftable(result, index),
                attnum: Int16(clamping: PQftablecol(result, index)),
                typeOID: PQftype(result, index), format: format)
        }
    }

    /// Columns and rows, with the values in one format.
    func query(_ sql: String, format: ValueFormat = .text) throws -> ([MaskableColumn], [[[UInt8]?]]) {
        let result = try check(PQexecParams(connection, sql, 0, nil, nil, nil, nil, Int32(format.rawValue)), sql)
        defer { PQclear(result) }
        let rows = (0..<PQntuples(result)).map { row in
            (0..<PQnfields(result)).map { column -> [UInt8]? in
                guard PQgetisnull(result, row, column) == 0 else { return nil }
                return Array(UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column))))
            }
        }
        return (columns(of: result, format: format), rows)
    }

    /// One value as text.
    func value(_ sql: String) throws -> String? {
        try query(sql).1.first?.first?.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Sends `value` as the only parameter of `sql`.
    /// The answer as text.
    @discardableResult
    func accept(_ value: [UInt8]?, type: UInt32, format: ValueFormat, in sql: String) throws -> String? {
        let types: [Oid] = [type]
        let formats = [Int32(format.rawValue)]
        // libpq reads a text parameter up to its NUL.
        var bytes = (value ?? []).map { CChar(bitPattern: $0) } + [0]
        let result = bytes.withUnsafeMutableBufferPointer { buffer in
            let values: [UnsafePointer<CChar>?] = [value == nil ? nil : UnsafePointer(buffer.baseAddress)]
            let lengths = [Int32(clamping: value?.count ?? 0)]
            return PQexecParams(connection, sql, 1, types, values, lengths, formats, 0)
        }
        let answer = try check(result, sql)
        defer { PQclear(answer) }
        return PQgetisnull(answer, 0, 0) == 1 ? nil : PQgetvalue(answer, 0, 0).map { String(cString: $0) }
    }

    /// The chunks of a COPY .. TO STDOUT.
    func copyOut(_ sql: String) throws -> [[UInt8]] {
        PQclear(try check(PQexec(connection, sql), sql))
        var chunks: [[UInt8]] = []
        while true {
            var buffer: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(connection, &buffer, 0)
            guard count > 0, let buffer else { break }
            chunks.append(Array(UnsafeRawBufferPointer(start: buffer, count: Int(count))))
            PQfreemem(buffer)
        }
        while let result = PQgetResult(connection) { PQclear(try check(result, sql)) }
        return chunks
    }

    func copyIn(_ sql: String, _ data: [UInt8]) throws {
        PQclear(try check(PQexec(connection, sql), sql))
        _ = data.withUnsafeBytes { PQputCopyData(connection, $0.bindMemory(to: CChar.self).baseAddress, Int32(clamping: data.count)) }
        _ = PQputCopyEnd(connection, nil)
        while let result = PQgetResult(connection) { PQclear(try check(result, sql)) }
    }
}
