import Foundation
import Testing

extension IntegrationTests {
    /// What waits for a person, as real clients see it: they wait, and then go on, are denied, or give up.
    @Suite struct HoldTests {
        // MARK: Waiting

        @Test func anApprovedStatementRunsAndTheClientWasTold() async throws {
            let bed = try await HoldBed.shared()
            let sql = "UPDATE products AS approved SET title = title WHERE title = 'none-1'"
            async let told = bed.writer().psql([], input: "\(sql);\nSELECT 'after';\n")
            let approval = try await bed.pending("approved")
            #expect(approval["statement"]?.string?.contains("'none-1'") == true)
            #expect(approval["user"]?.string == "alice@example.com" || approval["user"]?.string?.hasPrefix("alice") == true)
            #expect(approval["rule"]?.string == "ask-first")
            let id = try #require(approval["id"]?.string)
            #expect(try await bed.decide(id, "approve", "fine", as: bed.carol)["state"]?.string == "approved")
            let finished = try await told
            #expect(finished.output == "after\n", "\(finished.errors)")
            #expect(finished.errors.contains("waits for an approval (\(id))"))
            #expect(finished.errors.contains("/approvals/\(id)"))
            let recording = try await bed.gateway.recording(containing: "none-1", token: bed.alice)
            let decisions = recording.events("verdict").filter { $0["rule"]?.string == "ask-first" }.compactMap { $0["decision"]?.string }
            #expect(decisions == ["hold", "allow"])
            #expect(recording.events("approval").compactMap { $0["event"]?.string } == ["requested", "granted"])
            let verified = try await bed.call("GET", "/sessions/\(recording.session)/verification", as: bed.alice)
            #expect(verified["findings"]?.elements.isEmpty == true, "\(verified)")
            #expect(verified["sessions"]?.elements.count == 1)
        }

        @Test func aDeniedStatementNamesWhoAndWhyAndTheSessionGoesOn() async throws {
            let bed = try await HoldBed.shared()
            async let told = bed.writer().python("held", ["UPDATE products AS refused SET title = 'x' WHERE title = 'none-2'"])
            let id = try #require(try await bed.pending("refused")["id"]?.string)
            _ = try await bed.decide(id, "deny", "not on a Friday", as: bed.carol)
            let answer = try JSON.parse(try await told.output)
            #expect(answer["answer"]?["sqlstate"]?.string == "42501")
            #expect(answer["answer"]?["message"]?.string?.contains("carol") == true)
            #expect(answer["answer"]?["message"]?.string?.contains("not on a Friday") == true)
            let detail = try JSON.parse(answer["answer"]?["detail"]?.string ?? "")
            #expect(detail["gatehouse"]?["approval"]?.string == id)
            #expect(detail["gatehouse"]?["category"]?.string == "approval")
            #expect(answer["after"]?.number == 1)
        }

        // MARK: Exactly that

        @Test func anApproverSeesTheParametersAndTheStatementRunsWithThem() async throws {
            let bed = try await HoldBed.shared()
            async let told = bed.writer().python(
                "held", ["UPDATE products AS bound SET title = %s WHERE title = %s", "a new name", "none-5"])
            let approval = try await bed.pending("bound")
            #expect(approval["parameters"]?.elements.compactMap(\.string) == ["a new name", "none-5"])
            let id = try #require(approval["id"]?.string)
            _ = try await bed.decide(id, "approve", "", as: bed.carol)
            let answer = try JSON.parse(try await told.output)
            #expect(answer["answer"]?["ok"]?.number == 0, "\(answer)")
            #expect(answer["notices"]?.elements.first?.string?.contains(id) == true)
        }

        @Test func insideATransactionTheWaitIsShortAndARetryRunsOnce() async throws {
            let bed = try await HoldBed.shared()
            let sql = "UPDATE products AS retried SET title = title WHERE title = 'none-6'"
            let script = """
                BEGIN;
                UPDATE customers SET name = name WHERE id = -1;
                \(sql);
                ROLLBACK;
                SELECT 'outside';
                """
            let first = try await bed.writer().psql([], input: script)
            #expect(first.output == "outside\n")
            #expect(first.errors.contains("stays open"), "\(first.errors)")
            let id = try #require(try await bed.pending("retried")["id"]?.string)
            _ = try await bed.decide(id, "approve", "", as: bed.carol)
            let again = try await bed.writer().psql(sql)
            #expect(again.succeeded && !again.errors.contains("waits for"), "\(again.errors)")
            // Used up: the next is asked for anew, and so is anything else.
            #expect(try await bed.approval(id)["uses"]?.number == 1)
            async let other = bed.writer().psql(sql)
            let next = try #require(try await bed.pending("retried")["id"]?.string)
            #expect(next != id)
            _ = try await bed.decide(next, "deny", "once is enough", as: bed.carol)
            #expect(try await other.errors.contains("once is enough"))
        }

        @Test func whatIsDeniedInAPipelineTakesItsTransactionWithIt() async throws {
            let bed = try await HoldBed.shared()
            let table = "hold_pipeline_\(UInt32.random(in: 0 ... .max))"
            _ = try await bed.direct().psqlNeed(["-c", "CREATE TABLE \(table) (n int)"])
            async let told = bed.writer().python(
                "held-pipeline", [table, "UPDATE orders AS piped SET status = status WHERE id = -7"])
            let id = try #require(try await bed.pending("piped")["id"]?.string)
            _ = try await bed.decide(id, "deny", "no", as: bed.carol)
            let answer = try JSON.parse(try await told.output)
            #expect(answer["answer"]?["sqlstate"]?.string == "42501", "\(answer)")
            #expect(answer["rows"]?.elements.isEmpty == true)
            async let again = bed.writer().python(
                "held-pipeline", [table, "UPDATE orders AS piped_again SET status = status WHERE id = -7"])
            let second = try #require(try await bed.pending("piped_again")["id"]?.string)
            _ = try await bed.decide(second, "approve", "", as: bed.carol)
            let approved = try JSON.parse(try await again.output)
            #expect(approved["rows"]?.elements.compactMap(\.number) == [1, 2], "\(approved)")
            _ = try await bed.direct().psqlNeed(["-c", "DROP TABLE \(table)"])
        }

        // MARK: Who

        @Test func nobodyApprovesForHimselfAndOthersCannotAtAll() async throws {
            let bed = try await HoldBed.shared()
            async let told = bed.writer().psql("UPDATE products AS own SET title = title WHERE title = 'none-8'")
            let id = try #require(try await bed.pending("own")["id"]?.string)
            // alice has the approver's role and is in the rule's group, but it is her own.
            #expect(try await bed.decide(id, "approve", "", as: bed.alice)["code"]?.string == "own_request")
            // bob has no role.
            #expect(try await bed.decide(id, "approve", "", as: bed.bob)["status"]?.number == 404)
            #expect(try await bed.state(of: "own") == "pending")
            _ = try await bed.decide(id, "deny", "seen enough", as: bed.carol)
            _ = try await told
        }

        @Test func aReasonIsGivenInTheSession() async throws {
            let bed = try await HoldBed.shared()
            async let told = bed.writer().psql(
                [], input: "SET gatehouse.reason = 'ticket 4711';\nUPDATE products AS reasoned SET title = title WHERE title = 'none-9';\n")
            let approval = try await bed.pending("reasoned")
            #expect(approval["reason"]?.string == "ticket 4711")
            _ = try await bed.decide(try #require(approval["id"]?.string), "approve", "", as: bed.carol)
            #expect(try await told.succeeded)
        }

        @Test func aHeldSessionWaitsBeforeItsFirstStatement() async throws {
            let bed = try await HoldBed.shared()
            async let told = bed.gateway.endpoint("closed", token: bed.alice).psql(
                [], input: "SELECT count(*) > 0 FROM products;\nSELECT count(*) > 0 FROM products;\n")
            let approval = try await bed.pending("session")
            #expect(approval["kind"]?.string == "session")
            _ = try await bed.decide(try #require(approval["id"]?.string), "approve", "", as: bed.carol)
            #expect(try await told.output == "t\nt\n")
            async let refused = bed.gateway.endpoint("closed", token: bed.alice).psql("SELECT 1")
            let next = try await bed.pending("session")
            _ = try await bed.decide(try #require(next["id"]?.string), "deny", "not today", as: bed.carol)
            #expect(try await refused.errors.contains("not today"))
        }
    }

    /// Numbers of rows, as the server estimates them, in front of real statements.
    @Suite struct EstimateTests {
        @Test func aRuleAboutRowsIsDecidedByTheServersEstimate() async throws {
            let backstage = try await Backstage.shared()
            var configuration = try backstage.configuration()
            configuration.rules = [
                """
                  - id: too-many
                    where: { targets: [bench] }
                    what: { kinds: [select, update], estimated_rows: ">10000" }
                    effect: deny
                    reason: That is too much for one statement.
                """
            ]
            configuration.benchLines = ["estimates: { role: writer, timeout: 5s }"]
            let gateway = try await Gateway.start(configuration)
            let alice = try backstage.provider.token(for: "alice")
            let bench = gateway.endpoint("bench", token: alice)
            let many = try await bench.psql("SELECT * FROM pgbench_accounts")
            #expect(many.errors.contains("too-many"), "\(many.output.prefix(200)) \(many.errors)")
            #expect(try await bench.psql("SELECT * FROM pgbench_accounts WHERE aid = 1").succeeded)
            #expect(try await bench.psql("SELECT count(*) FROM pgbench_accounts").succeeded)
            let write = try await bench.psql("UPDATE pgbench_accounts SET abalance = 1 WHERE aid > 5")
            #expect(write.errors.contains("too-many"))
            // With parameters, and what they are: the same text, once few rows and once many.
            let few = try JSON.parse(try await bench.python("held", ["SELECT aid FROM pgbench_accounts WHERE aid < %s", "5"]).output)
            #expect(few["answer"]?["ok"]?.number == 4, "\(few)")
            let more = try JSON.parse(
                try await bench.python("held", ["SELECT aid FROM pgbench_accounts WHERE aid < %s", "150000"]).output)
            #expect(more["answer"]?["sqlstate"]?.string == "42501", "\(more)")
            // Inside a transaction it is not known.
            let inside = try await bench.psql([], input: "BEGIN;\nSELECT * FROM pgbench_accounts WHERE aid = 1;\nROLLBACK;\n")
            #expect(inside.errors.contains("gatehouse.unknown-estimate"), "\(inside.errors)")
            // Nothing was run to find out.
            #expect(try await backstage.direct("bench").value("SELECT count(*) FROM pgbench_accounts WHERE abalance = 1") == "0")
            _ = try await gateway.stop()
        }
    }

    /// What is spent is spent, whatever one does to one's connection.
    @Suite struct BudgetTests {
        @Test func rowsBeyondTheBudgetAreNotSentAndReconnectingDoesNotHelp() async throws {
            let backstage = try await Backstage.shared()
            var configuration = try backstage.configuration()
            configuration.sections = [
                """
                budgets:
                  - { id: few-rows, where: { targets: [bench] }, window: 1h, rows: 1000, effect: deny, reason: Ask for an export. }
                """
            ]
            let gateway = try await Gateway.start(configuration)
            let alice = try backstage.provider.token(for: "alice")
            let whole = try await gateway.endpoint("bench", token: alice).psql(["-c", "SELECT * FROM pgbench_accounts"])
            #expect(whole.errors.contains("few-rows") && whole.errors.contains("Ask for an export."), "\(whole.errors.suffix(500))")
            let again = try await gateway.endpoint("bench", token: alice).psql("SELECT 1")
            #expect(again.errors.contains("few-rows"))
            // Not of this budget.
            #expect(try await gateway.endpoint("orders", token: alice).psql("SELECT 1").succeeded)
            #expect(try await gateway.stop() == 0)
            let second = try await Gateway.start(configuration)
            let later = try await second.endpoint("bench", token: alice).psql("SELECT 1")
            #expect(later.errors.contains("few-rows"), "\(later.output)\(later.errors)")
            _ = try await second.stop()
        }

        @Test func deniedTriesEndTheSession() async throws {
            let backstage = try await Backstage.shared()
            var configuration = try backstage.configuration()
            configuration.sections = [
                "budgets:\n  - { id: tries, window: 1h, denied: 3, effect: end }"
            ]
            let gateway = try await Gateway.start(configuration)
            let alice = try backstage.provider.token(for: "alice")
            let told = try await gateway.endpoint("orders", token: alice).psql(
                [], input: String(repeating: "DROP TABLE payments;\n", count: 3) + "SELECT 'never';\n")
            #expect(!told.output.contains("never"))
            #expect(told.errors.contains("FATAL") && told.errors.contains("denied statements"), "\(told.errors)")
            _ = try await gateway.stop()
        }
    }
}
