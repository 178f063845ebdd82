import Foundation
import Testing

extension IntegrationTests {
    /// Whatever a peer sends ends one session at most. After each, the gateway serves the next client.
    @Suite struct HostileTests {
        @Test(arguments: [
            "startup-8", "startup-8-in-tls", "startup-huge", "startup-no-user", "startup-version", "plaintext", "huge-password",
            "query-for-password", "oversize", "negative-length", "short-length", "unknown-message", "unterminated", "bind-counts",
        ])
        func malformedInputEndsOneConnection(scenario: String) async throws {
            let bed = try await Bed.shared()
            let facts = try await json(hostile(scenario))
            #expect(facts["closed"]?.bool == true, "\(facts)")
            #expect(bed.gateway.isRunning)
            #expect(try await bed.through().value("SELECT 1") == "1")
        }

        @Test(arguments: ["oversize", "negative-length", "short-length", "unknown-message", "unterminated"])
        func aProtocolErrorIsTold(scenario: String) async throws {
            let facts = try await json(hostile(scenario))
            #expect(facts["error"]?["C"]?.string == "08P01" || facts["error"]?["C"]?.string == "54000", "\(facts)")
            #expect(facts["error"]?["S"]?.string == "FATAL")
        }

        @Test func bytesInClearBeforeTLSDoNotCount() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(hostile("before-tls"))
            #expect(facts["closed"]?.bool == true || facts["answered"]?.bool == false, "\(facts)")
            #expect(try await bed.through().value("SELECT 1") == "1")
        }

        @Test func garbageEndsOnlyItsOwnConnections() async throws {
            let bed = try await Bed.shared()
            let endings = try await json(hostile("garbage")).elements
            #expect(endings.count == 12)
            for ending in endings { #expect(ending["closed"]?.bool == true, "\(ending)") }
            #expect(try await bed.through().value("SELECT 1") == "1")
        }

        @Test func silentClientsAreLetGoAndStallNobody() async throws {
            let bed = try await Bed.shared()
            let silent = Task { try await hostile("silent", ["20"]) }
            let sockets = try (0..<50).map { _ in try RawSocket(port: bed.gateway.configuration.port, timeout: 20) }
            let started = ContinuousClock.now
            #expect(try await bed.through().value("SELECT 1") == "1")
            #expect(ContinuousClock.now - started < .seconds(5), "a session waits for silent clients")
            #expect(try await json(silent.value)["closed"]?.bool == true)
            #expect(sockets[0].readToEnd() != nil, "a silent connection is still open after 20 s")
        }

        @Test func aGSSRequestIsDeclinedPolitely() async throws {
            let bed = try await Bed.shared()
            let socket = try RawSocket(port: bed.gateway.configuration.port)
            // GSSENCRequest: length 8, code 80877104. The answer is N, and SSLRequest may follow.
            socket.send([0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x30])
            #expect(socket.read() == .bytes([UInt8(ascii: "N")]))
            socket.send([0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F])
            #expect(socket.read() == .bytes([UInt8(ascii: "S")]))
        }

        @Test func tlsAtOnceWorks() async throws {
            let facts = try await json(hostile("direct-tls"))
            #expect(facts["rows"] == .array([.string("42")]))
            #expect(facts["alpn"]?.string == "postgresql")
        }

        @Test func functionCallsAreDeniedAndTheSessionGoesOn() async throws {
            let facts = try await json(hostile("function-call"))
            #expect(facts["error"]?["C"]?.string == "42501")
            #expect(facts["error"]?["M"]?.string?.isEmpty == false)
            #expect(facts["ready"]?.bool == true && facts["rows"]?.elements.isEmpty == true)
        }

        @Test(arguments: ["replication=database", "replication=true"])
        func replicationIsDenied(parameter: String) async throws {
            let bed = try await Bed.shared()
            let refused = try await bed.through("writer@orders").psql(["\(parameter) dbname=orders", "-c", "IDENTIFY_SYSTEM"])
            #expect(refused.status != 0)
            #expect(!refused.output.contains("/"), "a WAL position: \(refused.output)")
        }

        /// Statements that cost a parser much. Each is answered or refused in time, and the gateway lives.
        @Test(arguments: [
            ("(", 300_000), ("1+", 100_000), (";", 500_000), ("/*", 400_000), ("'", 800_001), ("NOT ", 200_000),
            ("SELECT 1 UNION ", 50_000),
            ("a.", 300_000), ("- ", 400_000), ("[", 300_000), ("CASE WHEN 1=1 THEN ", 20_000), ("$a$", 300_001),
        ])
        func hostileStatementsAreBounded(piece: String, count: Int) async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("repeated", [piece, String(count)]))
            #expect(facts["seconds"]?.number.map { $0 < 30 } == true, "\(facts)")
            #expect(facts["alive"]?.string == "alive", "\(facts)")
            #expect(bed.gateway.isRunning)
            #expect(try await bed.through().value("SELECT 1") == "1")
        }

        @Test func aPaddedDropIsNotWavedThrough() async throws {
            let bed = try await Bed.shared()
            _ = try await bed.through("writer@orders").value("CREATE TABLE padded (n integer)")
            let padding = String(repeating: "x", count: 9 * 1_048_576)
            let denied = try await bed.through("writer@orders").psql([], input: "DROP TABLE padded /* \(padding) */;\n")
            #expect(denied.errors.contains("ERROR") || denied.errors.contains("FATAL"))
            #expect(try await bed.direct().value("SELECT count(*) FROM padded") == "0")
        }

        private func hostile(_ scenario: String, _ arguments: [String] = []) async throws -> Finished {
            let bed = try await Bed.shared()
            return try await Shell.run(
                Project.python, [Project.support("hostile.py"), scenario] + arguments,
                environment: bed.through("orders").environment, deadline: .seconds(60))
        }
    }
}
