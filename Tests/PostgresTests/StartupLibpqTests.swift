import Foundation
import GatehouseCore
import NIOCore
import Testing

@testable import Postgres
@testable import Relay

/// The client's side of the machines against clients as they are: psql with the system's libpq, and libpq 18.
@Suite("Startup with libpq")
struct StartupLibpqTests {
    private struct FixedClock: GatewayClock {
        func wallTime() -> WallTime { SystemClock().wallTime() }
        func monotonicNanoseconds() -> UInt64 { 0 }
    }

    /// Runs `body` beside a server with a self-signed certificate of its own.
    private func withServer(
        method: ClientAuthentication.Method = .password, verify: @escaping @Sendable (Secret) -> HandshakeError? = { _ in nil },
        _ body: (StartupServer, ServerTLS) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tls = try ServerTLS.selfSigned(in: directory, clock: FixedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
        let server = try await StartupServer.start(tls: tls, method: method, verify: verify)
        try await body(server, tls)
        try await server.stop()
    }

    private func psql(_ conninfo: String, environment: [String: String] = [:]) async throws -> Ended {
        try await run("/usr/bin/psql", ["-X", "-w", conninfo, "-c", "SELECT 1"], environment: environment)
    }

    @Test("psql trusts the self-signed certificate by its file, and gets in with its token as the password")
    func password() async throws {
        try await withServer(verify: { $0 == "a.token" ? nil : HandshakeError(sqlState: "28P01", message: "no") }) { server, tls in
            for host in ["localhost", "127.0.0.1"] {
                let conninfo =
                    "host=\(host) hostaddr=127.0.0.1 port=\(server.port) user=writer@orders dbname=orders sslmode=verify-full "
                    + "sslrootcert=\(tls.certificateFile) options='-c statement_timeout=5s'"
                let ended = try await psql(conninfo, environment: ["PGPASSWORD": "a.token", "PGCLIENTENCODING": "utf-8"])
                #expect(ended.status == 0, "\(ended.errors)")
            }
            let seen = try #require(server.connections.last)
            #expect(seen.isTLS && seen.isDone)
            #expect(seen.startup?.user == "writer@orders")
            #expect(seen.startup?.database == "orders")
            #expect(seen.startup?.applicationName == "psql")
            #expect(seen.startup?.settings.contains(SettingChange(name: "statement_timeout", value: "5s", isLocal: false)) == true)

            let wrong = try await psql(
                "host=127.0.0.1 port=\(server.port) user=u sslmode=require", environment: ["PGPASSWORD": "another"])
            #expect(wrong.status == 2 && wrong.errors.contains("FATAL:  no"))
        }
    }

    @Test("psql is told why it may not come with another encoding")
    func encoding() async throws {
        try await withServer { server, _ in
            let ended = try await psql(
                "host=127.0.0.1 port=\(server.port) user=u sslmode=require", environment: ["PGPASSWORD": "x", "PGCLIENTENCODING": "LATIN1"])
            #expect(ended.status == 2 && ended.errors.contains("client_encoding \"LATIN1\" is not supported through Gatehouse"))
        }
    }

    @Test("psql refuses a certificate that is another's")
    func otherCertificate() async throws {
        try await withServer { server, _ in
            let directory = try temporaryDirectory()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let other = try ServerTLS.selfSigned(
                in: directory, clock: FixedClock(), applicationProtocols: [PostgresTLS.applicationProtocol])
            let ended = try await psql(
                "host=127.0.0.1 port=\(server.port) user=u sslmode=verify-ca sslrootcert=\(other.certificateFile)",
                environment: ["PGPASSWORD": "x"])
            #expect(ended.status == 2 && ended.errors.contains("certificate verify failed"))
        }
    }

    /// Connects with libpq 18 and prints how each attempt ended. The token comes through libpq's own hook
    /// (`PQsetAuthDataHook`), as in a program that gets its tokens itself.
    private static let libpq18 = """
        import ctypes as c, glob, os, sys, psycopg, psycopg_binary
        folder = os.path.join(os.path.dirname(os.path.dirname(psycopg_binary.__file__)), "psycopg_binary.libs")
        pq = c.CDLL(glob.glob(os.path.join(folder, "libpq-*.so*"))[0])
        assert pq.PQlibVersion() >= 180000, pq.PQlibVersion()
        class Request(c.Structure):
            _fields_ = [("openid_configuration", c.c_char_p), ("scope", c.c_char_p), ("async_", c.c_void_p), ("cleanup", c.c_void_p),
                        ("token", c.c_char_p), ("user", c.c_void_p)]
        token, asked = os.environ.get("TOKEN", "").encode(), []
        @c.CFUNCTYPE(c.c_int, c.c_int, c.c_void_p, c.POINTER(Request))
        def hook(kind, connection, request):
            if kind != 1: return 0
            asked.append((request[0].openid_configuration, request[0].scope))
            request[0].token = token
            return 1
        pq.PQsetAuthDataHook(hook)
        pq.PQconnectdb.restype = c.c_void_p
        pq.PQerrorMessage.argtypes = pq.PQstatus.argtypes = pq.PQfinish.argtypes = [c.c_void_p]
        pq.PQerrorMessage.restype = c.c_char_p
        connection = pq.PQconnectdb(sys.argv[1].encode())
        print(pq.PQstatus(connection))
        print(asked)
        print(pq.PQerrorMessage(connection).decode())
        pq.PQfinish(connection)
        """

    private func libpq18(_ conninfo: String, token: String) async throws -> Ended {
        try await run("/usr/bin/env", ["python3", "-c", Self.libpq18, conninfo], environment: ["TOKEN": token])
    }

    private static let issuer = "https://login.example.com"
    private static let oauth = ClientAuthentication.Method.oauth(.init(issuer: issuer, scope: "openid groups"))

    @Test("libpq 18: asks where to get a token, comes again with one, over TLS and direct TLS")
    func oauth() async throws {
        try await withServer(method: Self.oauth, verify: { $0 == "a.token" ? nil : HandshakeError(sqlState: "28000", message: "no") }) {
            server, tls in
            for negotiation in ["postgres", "direct"] {
                let ended = try await libpq18(
                    "host=localhost hostaddr=127.0.0.1 port=\(server.port) user=orders dbname=orders sslmode=verify-full "
                        + "sslrootcert=\(tls.certificateFile) sslnegotiation=\(negotiation) "
                        + "oauth_issuer=\(Self.issuer) oauth_client_id=x max_protocol_version=latest", token: "a.token")
                #expect(ended.status == 0, "\(ended.errors)")
                #expect(ended.text.hasPrefix("0\n"), "\(ended.text)")
                #expect(ended.text.contains("(b'\(Self.issuer)/.well-known/openid-configuration', b'openid groups')"))
            }
            let seen = server.connections
            #expect(seen.map(\.isDiscovery) == [true, false, true, false])
            #expect(seen.map(\.isDone) == [false, true, false, true])
            #expect(seen.map(\.isDirect) == [false, false, true, true])
            #expect(seen.allSatisfy { $0.isTLS })
            // It remembers what was negotiated when it comes again.
            #expect(seen.map { $0.startup?.version.minor } == [2, 0, 2, 0])
        }
    }

    @Test("libpq 18: a token refused ends with the reason")
    func oauthRefused() async throws {
        try await withServer(method: Self.oauth, verify: { _ in HandshakeError(sqlState: "28000", message: "the token has expired") }) {
            server, _ in
            let ended = try await libpq18(
                "host=127.0.0.1 port=\(server.port) user=orders sslmode=require "
                    + "oauth_issuer=\(Self.issuer)/.well-known/openid-configuration oauth_client_id=x", token: "old")
            #expect(ended.text.hasPrefix("1\n") && ended.text.contains("the token has expired"), "\(ended.text)\(ended.errors)")
            #expect(server.connections.last?.failure?.message == "the token has expired")
            #expect(server.connections.allSatisfy { !$0.isDone })
        }
    }
}
