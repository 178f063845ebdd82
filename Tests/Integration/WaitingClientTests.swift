import Foundation
import Testing

extension IntegrationTests {
    /// Every client in every end that a wait can have.
    @Suite struct WaitingClientTests {
        @Test(arguments: WaitingClient.allCases)
        func isApprovedAndTheStatementRuns(client: WaitingClient) async throws {
            let bed = try await HoldBed.shared()
            let position = try bed.server.logPosition()
            let marker = "\(client)_succeeds"
            async let told = client.run(marker, through: bed.writer())
            let id = try #require(try await bed.pending(marker)["id"]?.string)
            #expect(try !bed.server.logged(since: position).contains(marker))
            _ = try await bed.decide(id, "approve", "", as: bed.carol)
            let waited = try await told
            #expect(waited.sqlstate == nil && waited.goesOn, "\(waited)")
            #expect(waited.notices.contains("waits for an approval (\(id))"), "\(waited)")
            #expect(waited.notices.contains("/approvals/\(id)"), "\(waited)")
            #expect(try bed.server.logged(since: position).contains(marker))
        }

        @Test(arguments: WaitingClient.allCases)
        func isDeniedByNameAndGoesOn(client: WaitingClient) async throws {
            let bed = try await HoldBed.shared()
            let position = try bed.server.logPosition()
            let marker = "\(client)_denied"
            async let told = client.run(marker, through: bed.writer())
            let id = try #require(try await bed.pending(marker)["id"]?.string)
            _ = try await bed.decide(id, "deny", "not on a Friday", as: bed.carol)
            let waited = try await told
            #expect(waited.sqlstate == "42501" && waited.goesOn, "\(waited)")
            #expect(waited.message.contains("carol") && waited.message.contains("not on a Friday"), "\(waited)")
            #expect(try !bed.server.logged(since: position).contains(marker))
        }

        @Test(arguments: WaitingClient.allCases)
        func isToldThatNobodyDecidedInTime(client: WaitingClient) async throws {
            let bed = try await HoldBed.shared()
            let position = try bed.server.logPosition()
            let marker = "\(client)_late"
            let waited = try await client.run(marker, of: "order_items", through: bed.writer())
            #expect(waited.sqlstate == "42501" && waited.goesOn, "\(waited)")
            #expect(waited.message.contains("Nobody decided on it in time"), "\(waited)")
            #expect(try await bed.state(of: marker) == "expired")
            #expect(try !bed.server.logged(since: position).contains(marker))
        }

        @Test(arguments: WaitingClient.allCases)
        func cancelsAndNothingRuns(client: WaitingClient) async throws {
            let bed = try await HoldBed.shared()
            let position = try bed.server.logPosition()
            let marker = "\(client)_cancelled"
            let waited = try await client.run(marker, through: bed.writer(), onceTold: .cancel)
            #expect(waited.sqlstate == "57014" && waited.goesOn, "\(waited)")
            #expect(try await bed.state(of: marker) == "withdrawn")
            #expect(try !bed.server.logged(since: position).contains(marker))
        }

        @Test(arguments: WaitingClient.allCases)
        func goesAwayAndItsRequestIsWithdrawn(client: WaitingClient) async throws {
            let bed = try await HoldBed.shared()
            let position = try bed.server.logPosition()
            let marker = "\(client)_gone"
            let waited = try await client.run(marker, through: bed.writer(), onceTold: .leave)
            #expect(waited.sqlstate == nil && !waited.goesOn, "\(waited)")
            let end = ContinuousClock.now + .seconds(20)
            while try await bed.state(of: marker) == "pending", ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await bed.state(of: marker) == "withdrawn")
            #expect(try !bed.server.logged(since: position).contains(marker))
        }
    }
}

/// A client that may have to wait, and what it can do about it.
enum WaitingClient: String, CaseIterable, CustomStringConvertible {
    case psql, psycopg, jdbc

    enum Act: String {
        case cancel, leave
    }

    /// What the client saw.
    struct Waited {
        /// Of the error that it got; nil without one.
        var sqlstate: String?
        var message = ""
        var notices = ""
        /// The session answered the next statement.
        var goesOn: Bool
    }

    var description: String { rawValue }

    /// Runs an UPDATE of no row that `marker` tells from all others, and then another statement. `act` is done once the client
    /// has been told that it waits.
    func run(
        _ marker: String, of table: String = "products", through endpoint: Endpoint, onceTold act: Act? = nil
    ) async throws -> Waited {
        let (column, number) = table == "products" ? ("title", "id") : ("quantity", "order_id")
        let update = "UPDATE \(table) AS \(marker) SET \(column) = \(column) WHERE \(number) < "
        return switch self {
        case .psql: try await psql(update + "-7", endpoint, act)
        case .psycopg: try await psycopg(update + "-7", endpoint, act)
        case .jdbc: try await jdbc(update + "?", endpoint, act)
        }
    }

    /// A person's Ctrl-C, or the end of his terminal. After a Ctrl-C psql shows no rows any more, so that what became of the next
    /// statement is asked of its variables.
    private func psql(_ sql: String, _ endpoint: Endpoint, _ act: Act?) async throws -> Waited {
        let folder = try TemporaryDirectory()
        defer { folder.remove() }
        let child = try Child(
            "psql",
            ["-X", "-A", "-t", "-q", "-v", "VERBOSITY=verbose", "-c", sql, "-c", "SELECT 1", "-c", #"\warn after :ERROR :ROW_COUNT"#],
            environment: endpoint.environment, directory: folder.path)
        if let act {
            let end = ContinuousClock.now + .seconds(40)
            while !child.errors.contains("waits for an approval"), ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(10))
            }
            child.signal(act == .cancel ? SIGINT : SIGKILL)
        }
        guard try await child.wait(upTo: .seconds(60)) != nil else {
            await child.end()
            throw HarnessError("psql still waits: \(child.errors)")
        }
        let errors = child.errors
        let error = errors.firstMatch(of: /ERROR: +([0-9A-Z]{5}): ([^\n]*)/)
        return Waited(
            sqlstate: error.map { String($0.1) }, message: error.map { String($0.2) } ?? "", notices: errors,
            goesOn: errors.contains("after false 1\n"))
    }

    private func psycopg(_ sql: String, _ endpoint: Endpoint, _ act: Act?) async throws -> Waited {
        let scenario =
            switch act {
            case nil: "held"
            case .cancel: "held-cancel"
            case .leave: "held-leave"
            }
        let told = try await endpoint.python(scenario, [sql])
        guard told.succeeded else { throw HarnessError("psycopg: \(told.errors)") }
        guard act != .leave else { return Waited(notices: told.output, goesOn: false) }
        let answer = try JSON.parse(told.output)
        return Waited(
            sqlstate: answer["answer"]?["sqlstate"]?.string, message: answer["answer"]?["message"]?.string ?? "",
            notices: answer["notices"]?.elements.compactMap(\.string).joined(separator: "\n") ?? "", goesOn: answer["after"]?.number == 1)
    }

    private func jdbc(_ sql: String, _ endpoint: Endpoint, _ act: Act?) async throws -> Waited {
        let told = try await Shell.run(
            "java", ["-cp", Project.jdbcDriver, Project.support("JDBCHold.java"), sql, "-7"] + (act.map { [$0.rawValue] } ?? []),
            environment: endpoint.environment, deadline: .seconds(120))
        guard told.succeeded else { throw HarnessError("JDBC: \(told.errors)\(told.output)") }
        let error = told.output.firstMatch(of: /error ([0-9A-Z]{5}) ([^\n]*)/)
        return Waited(
            sqlstate: error.map { String($0.1) }, message: error.map { String($0.2) } ?? "", notices: told.output,
            goesOn: told.output.contains("after 1"))
    }
}
