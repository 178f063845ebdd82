import Foundation
import Testing

extension IntegrationTests {
    /// A client that knows values of a masked column may say them; the recording, and whoever approves, is not told.
    @Suite struct LiteralTests {
        private static let secrets = ["Qz7xkw4m93Lp", "Jv2hTn8cRb61"]

        private struct LiteralBed {
            let gateway: Gateway
            let alice: String
            let carol: String

            func writer() -> Endpoint { gateway.endpoint("writer@orders", token: alice) }
        }

        private func bed(_ table: String) async throws -> LiteralBed {
            let backstage = try await Backstage.shared()
            try await backstage.server.execute(
                """
                SET ROLE app_rw;
                CREATE TABLE \(table) (id integer PRIMARY KEY, label text, card_number text);
                INSERT INTO \(table) VALUES (1, 'one', 'nothing');
                """, in: "orders")
            var configuration = try backstage.configuration()
            configuration.roles = ["approver: [managers]"]
            configuration.rules = [
                """
                  - id: ask-first
                    priority: 1
                    where: { targets: [orders] }
                    what: { kinds: [delete], tables: [public.literal_held] }
                    effect: hold
                    approval: { approvers: [managers], wait: 60s }
                """
            ]
            return LiteralBed(
                gateway: try await Gateway.start(configuration), alice: try backstage.provider.token(for: "alice"),
                carol: try backstage.provider.token(for: "carol"))
        }

        /// Every byte of every recording of the gateway, as it was recorded.
        private func payloads(_ bed: LiteralBed) async throws -> [(session: String, bytes: Data, text: String)] {
            var found: [(session: String, bytes: Data, text: String)] = []
            for session in try await bed.gateway.sessions(token: bed.alice) {
                guard let id = session["id"]?.string else { continue }
                let exported = try await bed.gateway.command(["sessions", "export", id], token: bed.alice)
                guard exported.succeeded else { throw HarnessError(exported.errors) }
                var bytes = Data()
                for line in exported.output.split(separator: "\n") {
                    if let payload = try JSON.parse(String(line))["payload"]?.string { bytes += Data(base64Encoded: payload) ?? Data() }
                }
                found.append((id, bytes, exported.output))
            }
            return found
        }

        private func expectNone(_ bed: LiteralBed, in text: String, sourceLocation: SourceLocation = #_sourceLocation) {
            for secret in Self.secrets {
                for piece in [secret, String(secret.prefix(7)), secret.uppercased(), secret.utf8.map { String($0, radix: 16) }.joined()] {
                    #expect(!text.contains(piece), "\(piece)", sourceLocation: sourceLocation)
                }
            }
        }

        @Test func noRecordingHoldsWhatAClientSaysOfAMaskedColumn() async throws {
            let table = "literal_cards"
            let bed = try await bed(table)
            let ran = try await json(
                Shell.run(
                    Project.python, [Project.support("literals.py"), table], environment: bed.writer().environment,
                    input: Self.secrets.joined(separator: "\n"), deadline: .seconds(120)))
            #expect(ran["failed"]?.elements.isEmpty == true, "\(ran)")
            #expect(ran["ran"]?.number ?? 0 > 200 && ran["stored"]?.number == 20, "\(ran)")

            let secret = Self.secrets[0]
            let told = try await bed.writer().psql(
                [],
                input: """
                    SELECT id FROM \(table) WHERE card_number = '\(secret)'; -- \(secret)
                    UPDATE \(table) SET card_number = '\(secret)' WHERE id = 1 \\; SELECT 'beside';
                    PREPARE q AS SELECT id FROM \(table) WHERE card_number = $1 AND id = $2;
                    EXECUTE q ('\(secret)', 5);
                    COPY \(table) FROM STDIN;
                    5001\tpsql\t\(secret)
                    \\.
                    \\copy \(table) FROM STDIN (FORMAT csv)
                    5002,psql,"\(secret)"
                    \\.
                    UPDATE \(table) SET card_number = '\(secret)' WHERE ('x\(secret)' || card_number)::integer = 1;
                    COPY nowhere FROM STDIN;
                    5003\tfailed\t\(secret)
                    ;
                    SELECT label, 'psql-end' FROM \(table) WHERE id = 5002;
                    """)
            #expect(told.output.contains("psql|psql-end"), "\(told.output) \(told.errors)")
            #expect(
                try await bed.writer().value("SELECT count(*) FROM \(table) WHERE id IN (5001, 5002) AND card_number = '\(secret)'")
                    == "2")

            _ = try await bed.gateway.recording(containing: "psql-end", token: bed.alice)
            let recordings = try await payloads(bed)
            #expect(recordings.count >= 3)
            for recording in recordings {
                expectNone(bed, in: String(decoding: recording.bytes, as: UTF8.self))
                expectNone(bed, in: recording.text)
            }
            let everything = recordings.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
            // What says nothing of the column is there, and the form of what does.
            for kept in [
                "kept-\(table)", "parameter-\(table)", "SET label = 'label-\(table)'", "SET card_number = '****' WHERE id = 1", "beside",
            ] {
                #expect(everything.contains(kept), "\(kept)")
            }
            let script = try await bed.gateway.command(
                ["sessions", "export", recordings[0].session, "--format", "sql"], token: bed.alice)
            #expect(script.succeeded, "\(script.errors)")
            #expect(try await bed.gateway.stop() == 0)
            let verified = try await bed.gateway.verify()
            #expect(verified.succeeded && !verified.output.contains("accounting"), "\(verified.output)\(verified.errors)")
        }

        @Test func noApproverIsShownIt() async throws {
            let table = "literal_held"
            let bed = try await bed(table)
            let secret = Self.secrets[0]
            // As text, and with parameters.
            async let first = bed.writer().psql("DELETE FROM \(table) WHERE card_number = '\(secret)' AND id = 1")
            async let second = bed.writer().python("held", ["DELETE FROM \(table) WHERE card_number = %s AND id = %s", secret, "1"])
            var shown: [JSON] = []
            let end = ContinuousClock.now + .seconds(40)
            while shown.count < 2, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(100))
                shown = try await call(bed, "GET", "/approvals?state=pending")["approvals"]?.elements ?? []
            }
            #expect(shown.count == 2)
            for approval in shown {
                let id = try #require(approval["id"]?.string)
                let whole = try await call(bed, "GET", "/approvals/\(id)")
                expectNone(bed, in: "\(approval) \(whole)")
                #expect(whole["statement"]?.string?.hasPrefix("DELETE FROM \(table)") == true, "\(whole)")
                if whole["parameters"]?.elements.isEmpty == false {
                    #expect(whole["parameters"]?.elements.map(\.string) == ["****", "1"], "\(whole)")
                } else {
                    #expect(whole["statement"]?.string == "DELETE FROM \(table) WHERE card_number = '****' AND id = 1")
                }
                _ = try await call(bed, "POST", "/approvals/\(id)/approve", "{}")
            }
            #expect(try await first.succeeded)
            #expect(try await json(second)["answer"]?["ok"]?.number == 0)
            _ = try await bed.writer().value("SELECT 'held-end'")
            _ = try await bed.gateway.recording(containing: "held-end", token: bed.alice)
            for recording in try await payloads(bed) { expectNone(bed, in: String(decoding: recording.bytes, as: UTF8.self)) }
            #expect(try await bed.gateway.stop() == 0)
            let verified = try await bed.gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
        }

        /// As carol, who approves.
        private func call(_ bed: LiteralBed, _ method: String, _ path: String, _ body: String? = nil) async throws -> JSON {
            let told = try await Shell.run(
                "curl",
                ["-sS", "-X", method, "-H", "@-", "-H", "Content-Type: application/json"] + (body.map { ["-d", $0] } ?? [])
                    + ["http://127.0.0.1:\(bed.gateway.configuration.adminPort)/api/v1\(path)"],
                input: "Authorization: Bearer \(bed.carol)\n")
            return try JSON.parse(told.output)
        }
    }

    /// To whom a mask does not apply, and for whom it was lifted, is recorded as they spoke.
    @Suite struct ClearLiteralTests {
        @Test func whoIsExceptedIsRecordedAsHeSpoke() async throws {
            let bed = try await Bed.shared()
            let marker = "clear-\(UUID().uuidString)"
            _ = try await bed.through("orders").value("SELECT count(*) FROM customers WHERE ssn = '\(marker)'")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            #expect(recording.statements.contains { $0.contains("ssn = '\(marker)'") })
        }
    }
}
