import Foundation
import Testing

extension IntegrationTests {
    /// Every strategy on every type, through real clients, against the real server's own reading of what comes out.
    @Suite struct MaskedValueTests {
        @Test func noStrategyShowsAValueOfAnyTypeAndTheServerAcceptsWhatItShows() async throws {
            let bed = try await ValueBed.shared()
            let sql = "SELECT * FROM masked_values"
            let masked = try await json(bed.reader().python("raw", [sql]))
            let direct = try await json(bed.backstage.direct().python("raw", [sql]))
            var question: [[Any]] = []
            var expected: [String] = []
            for format in 0...1 {
                let (seen, truth) = (masked["\(format) \(sql)"], direct["\(format) \(sql)"])
                for (index, type) in ValueBed.types.enumerated() {
                    let value = try #require(truth?["clear_\(index)"]?.elements.first?.string)
                    #expect(seen?["clear_\(index)"]?.elements.first?.string == value, "\(type.name)")
                    for strategy in ValueBed.strategies {
                        let name = "\(strategy)_\(index)"
                        let shown = seen?[name]?.elements.first?.string
                        #expect(truth?[name]?.elements.first?.string == value)
                        #expect(shown != value, "\(name) \(type.name) in format \(format)")
                        let isWithheld = !(type.kept[strategy] ?? false)
                        #expect((shown == nil) == isWithheld, "\(name) \(type.name) in format \(format): \(shown ?? "NULL")")
                        if let shown {
                            #expect(!String(decoding: bytes(shown), as: UTF8.self).contains("Secret"), "\(name)")
                            question.append([type.name, format, shown])
                            expected.append("\(strategy) \(index)")
                        }
                    }
                }
            }
            let input = String(decoding: try JSONSerialization.data(withJSONObject: question), as: UTF8.self)
            let answers = try await json(
                Shell.run(
                    Project.python, [Project.support("clients.py"), "accepted"], environment: bed.backstage.direct().environment,
                    input: input))
            #expect(answers.elements.count == question.count)
            // A value is the same whatever format it is shown in.
            var first: [String: JSON] = [:]
            for (name, answer) in zip(expected, answers.elements) {
                if let other = first.updateValue(answer, forKey: name) { #expect(other == answer, "\(name): \(other) and \(answer)") }
            }
        }

        @Test(arguments: ["", " (FORMAT csv)", " (FORMAT binary)"])
        func copiesShowNoneEither(options: String) async throws {
            let bed = try await ValueBed.shared()
            let sql = "COPY masked_values TO STDOUT" + options
            let masked = try await json(bed.reader().python("raw", [sql]))[sql]?.string ?? ""
            let direct = try await json(bed.backstage.direct().python("raw", [sql]))[sql]?.string ?? ""
            let marker = "Secret"
            // One of each type that has it is clear.
            let values = ValueBed.types.count { $0.value.contains(marker) }
            #expect(occurrences(of: marker, in: direct) >= values * (ValueBed.strategies.count + 1))
            #expect(occurrences(of: marker, in: masked) == occurrences(of: marker, in: direct) / (ValueBed.strategies.count + 1))
        }

        @Test func psqlShowsTheSame() async throws {
            let bed = try await ValueBed.shared()
            let seen = try await bed.reader().value("SELECT partial_0, token_0, redact_1, round_4 FROM masked_values")
            let fields = seen.dropLast(seen.hasSuffix("\n") ? 1 : 0).split(separator: "|", omittingEmptySubsequences: false)
            try #require(fields.count == 4)
            #expect(fields[0] == "Se****99")
            #expect(fields[1].count == "Secret-4711-Value99".count && fields[1].split(separator: "-").count == 3)
            #expect(fields[2] == "****")
            #expect(fields[3] == "1234600")
        }

        /// Tokens of one domain join; those of a column of its own do not.
        @Test func tokensOfADomainJoinInTheClient() async throws {
            let bed = try await ValueBed.shared()
            let reader = bed.reader()
            let one = try await reader.value("SELECT joined FROM masked_one")
            #expect(one == (try await reader.value("SELECT joined FROM masked_two")))
            #expect(try await reader.value("SELECT alone FROM masked_one") != (try await reader.value("SELECT alone FROM masked_two")))
            #expect(!one.contains("4711"))
        }

        @Test func replacementsAreTheSameAfterARestartAndOnAnotherNodeWithTheSameKey() async throws {
            let backstage = try await Backstage.shared()
            let folder = try TemporaryDirectory()
            let key = folder.file("mask.key")
            try Data("0123456789abcdef0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: key))
            chmod(key, 0o600)
            _ = try await ValueBed.shared()
            let bob = try backstage.provider.token(for: "bob")
            func hashes(_ configuration: GatewayConfiguration) async throws -> String {
                let gateway = try await Gateway.start(configuration)
                let seen = try await gateway.endpoint("orders", token: bob).value("SELECT hash_0, token_0, date_shift_8 FROM masked_values")
                _ = try await gateway.stop()
                return seen
            }
            var own = try backstage.configuration()
            own.sections = [ValueBed.masks]
            let first = try await hashes(own)
            #expect(try await hashes(own) == first)
            let made = try FileManager.default.attributesOfItem(atPath: own.dataDirectory + "/mask.key")
            #expect((made[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            var one = try backstage.configuration()
            one.sections = [ValueBed.masks, "mask_key_file: \(key)"]
            var two = try backstage.configuration()
            two.sections = one.sections
            let shared = try await hashes(one)
            #expect(try await hashes(two) == shared)
            #expect(shared != first)
        }

        private func bytes(_ hex: String) -> [UInt8] {
            stride(from: 0, to: hex.utf8.count, by: 2).compactMap { offset in
                UInt8(hex.dropFirst(offset).prefix(2), radix: 16)
            }
        }

        private func occurrences(of text: String, in hex: String) -> Int {
            let wanted = text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            return hex.ranges(of: wanted).count
        }
    }

    /// Clear values for those who were allowed them, for as long as they were.
    @Suite struct UnmaskTests {
        @Test func anApprovalShowsClearValuesToOneSessionUntilItIsGivenBack() async throws {
            let bed = try await ValueBed.shared()
            async let told = bed.reader().psql(
                [],
                input: """
                    SELECT lifted FROM masked_one;
                    SET gatehouse.unmask = 'lifted: ticket 4711';
                    SELECT lifted FROM masked_one;
                    COPY masked_one (lifted) TO STDOUT;
                    SELECT count(*) FROM masked_one WHERE lifted = 'said-while-lifted';
                    SET gatehouse.unmask = '';
                    SELECT count(*) FROM masked_one WHERE lifted = 'said-while-masked';
                    SELECT lifted FROM masked_one;
                    """)
            let approval = try await bed.pending(reason: "ticket 4711")
            #expect(approval["rule"]?.string == "lifted")
            let id = try #require(approval["id"]?.string)
            // Nobody else sees more because of it.
            #expect(try await bed.reader().value("SELECT lifted FROM masked_one") == "****")
            _ = try await bed.call("POST", "/approvals/\(id)/approve", #"{"comment":"fine"}"#)
            let finished = try await told
            let clear = "clear-value-of-masked-one"
            #expect(finished.output == "****\n\(clear)\n\(clear)\n0\n0\n****\n", "\(finished.output) \(finished.errors)")
            let recording = try await bed.gateway.recording(containing: "ticket 4711", token: bed.alice)
            #expect(recording.events("approval").compactMap { $0["event"]?.string } == ["requested", "granted", "unmasked", "masked"])
            #expect(recording.events("approval").last?["masks"]?.strings == ["lifted"])
            #expect(recording.text.contains(clear))
            // What the client says is recorded as its masks are.
            #expect(recording.text.contains("said-while-lifted") && !recording.text.contains("said-while-masked"))
        }

        @Test func aDenialLeavesTheMaskAndTheSession() async throws {
            let bed = try await ValueBed.shared()
            async let told = bed.reader().psql(
                [], input: "SET gatehouse.unmask = 'lifted: curious';\nSELECT lifted FROM masked_one;\n")
            let id = try #require(try await bed.pending(reason: "curious")["id"]?.string)
            _ = try await bed.call("POST", "/approvals/\(id)/deny", #"{"comment":"no need"}"#)
            let finished = try await told
            #expect(finished.output == "****\n" && finished.errors.contains("no need"), "\(finished.output) \(finished.errors)")
        }

        @Test func theMaskIsBackWhenTheApprovalEnds() async throws {
            let bed = try await ValueBed.shared()
            async let told = bed.reader().psql(
                [],
                input: """
                    SET gatehouse.unmask = 'lifted-briefly: a short look';
                    SELECT brief FROM masked_two;
                    SELECT pg_sleep(12);
                    SELECT brief FROM masked_two;
                    SELECT lifted FROM masked_one;
                    """)
            let id = try #require(try await bed.pending(reason: "a short look")["id"]?.string)
            _ = try await bed.call("POST", "/approvals/\(id)/approve", "{}")
            let finished = try await told
            #expect(finished.output == "brief-value\n\n****\n****\n", "\(finished.output) \(finished.errors)")
        }

        @Test func whatIsNotClearlyAskedForIsRefused() async throws {
            let bed = try await ValueBed.shared()
            // Two masks, decided on by different terms.
            let several = try await bed.gateway.endpoint("orders", token: bed.alice).psql("SET gatehouse.unmask = 'why not'")
            #expect(several.errors.contains("lifted-briefly") && several.errors.contains("Different people"), "\(several.errors)")
            let together = try await bed.reader().psql("SET gatehouse.unmask = 'lifted: x'; SELECT lifted FROM masked_one")
            #expect(together.errors.contains("by itself") && !together.output.contains("clear"), "\(together.errors)")
            let plain = try await Self.plain().psql("SET gatehouse.unmask = 'please'")
            #expect(plain.errors.contains("No mask that applies to you can be lifted"), "\(plain.errors)")
        }

        private static func plain() async throws -> Endpoint {
            let bed = try await Bed.shared()
            return bed.through("orders", as: bed.bob)
        }

        @Test func theRecordingSaysWhoSeesClearValuesByRight() async throws {
            let bed = try await Bed.shared()
            let marker = "by-right-\(UUID().uuidString)"
            _ = try await bed.through("orders").value("SELECT ssn, '\(marker)' FROM customers LIMIT 1")
            let recording = try await bed.gateway.recording(containing: marker, token: bed.alice)
            #expect(recording.events("identity").first?["clear_masks"]?.strings == ["customer-ssn"])
        }
    }
}

/// A gateway with a mask of each strategy on a table with a column of each type for each of them.
private struct ValueBed: Sendable {
    struct TypeCase: Sendable {
        var name: String
        var value: String
        /// Which strategies show something else than NULL.
        var kept: [String: Bool]

        init(_ name: String, _ value: String, _ kept: String) {
            self.name = name
            self.value = value
            self.kept = Dictionary(kept.split(separator: " ").map { (String($0), true) }, uniquingKeysWith: { first, _ in first })
        }
    }

    static let strategies = ["redact", "partial", "hash", "token", "date_shift", "round", "null"]

    static let types = [
        TypeCase("text", "Secret-4711-Value99", "redact partial hash token"),
        TypeCase("varchar", "Secret-4711-Value99", "redact partial hash token"),
        TypeCase("int2", "12345", "redact hash token round"), TypeCase("int4", "1234567", "redact hash token round"),
        TypeCase("int8", "1234567", "redact hash token round"), TypeCase("numeric", "12345.6789", "redact hash token round"),
        TypeCase("float4", "1234.5", "redact hash token round"), TypeCase("float8", "12345.6789", "redact hash token round"),
        TypeCase("date", "1984-05-06", "redact hash date_shift"), TypeCase("timestamp", "1984-05-06 07:08:09.1", "redact hash date_shift"),
        TypeCase("timestamptz", "1984-05-06 07:08:09+00", "redact hash date_shift"), TypeCase("time", "07:08:09", "redact"),
        TypeCase("timetz", "07:08:09+02", "redact"), TypeCase("interval", "3 days", "redact"), TypeCase("bool", "t", "redact"),
        TypeCase("uuid", "6f8a2b50-1122-4333-8444-5566778899aa", "redact hash token"),
        TypeCase("inet", "192.168.7.8/24", "redact hash token"),
        TypeCase("cidr", "192.168.7.0/24", "redact hash token"), TypeCase("macaddr", "08:00:2b:01:02:03", "redact hash token"),
        TypeCase("macaddr8", "08:00:2b:01:02:03:04:05", "redact hash token"),
        TypeCase("bytea", "\\x536563726574001122", "redact partial hash token"),
        TypeCase("json", #"{"k": ["Secret-4711-Value99", 4711, true, null]}"#, "redact partial hash token date_shift round"),
        TypeCase("jsonb", #"{"k": ["Secret-4711-Value99", 4711, true, null]}"#, "redact partial hash token date_shift round"),
        TypeCase("text[]", #"[0:1]={"Secret-4711, Value99",NULL}"#, "redact partial hash token date_shift round"),
        TypeCase("int4[]", "{{1234567,2},{3,NULL}}", "redact partial hash token date_shift round"),
        TypeCase("date[]", "{1984-05-06,infinity}", "redact partial hash token date_shift round"),
        TypeCase("int4range", "[123,456)", "redact round"), TypeCase("daterange", "[1984-05-06,1985-05-06)", "redact date_shift"),
        TypeCase("nummultirange", "{[1.5,2.5),[333.3,)}", "redact round"),
        TypeCase("masked_pair", #"(1234567,"Secret-4711 Value99")"#, "redact partial hash token date_shift round"),
        TypeCase("masked_domain", "Secret-4711-Value99", "redact partial hash token"), TypeCase("money", "$12.34", ""),
        TypeCase("point", "(1,2)", ""),
        TypeCase("bit varying", "1010", ""), TypeCase("masked_mood", "happy", ""), TypeCase("xml", "<a>Secret</a>", "redact partial hash"),
        TypeCase("char(30)", "Secret-4711-Value99", "redact partial hash token"),
        TypeCase("name", "Secret-4711-Value99", "redact partial hash token"),
    ]

    static let masks = """
          - { id: typed-redact, columns: [public.masked_values.redact_*], strategy: redact }
          - { id: typed-partial, columns: [public.masked_values.partial_*], strategy: partial, keep_first: 2, keep_last: 2 }
          - { id: typed-hash, columns: [public.masked_values.hash_*], strategy: hash }
          - { id: typed-token, columns: [public.masked_values.token_*], strategy: token }
          - { id: typed-shift, columns: [public.masked_values.date_shift_*], strategy: date_shift, days: 30 }
          - { id: typed-round, columns: [public.masked_values.round_*], strategy: round, to: 100 }
          - { id: typed-null, columns: [public.masked_values.null_*], strategy: "null" }
          - { id: joined, columns: ["public.masked_*.joined"], strategy: token, domain: customers }
          - { id: alone, columns: ["public.masked_*.alone"], strategy: token }
          - { id: lifted, columns: [public.masked_one.lifted], strategy: redact, unmask: { approvers: [managers], wait: 60s } }
          - id: lifted-briefly
            columns: [public.masked_two.brief]
            strategy: redact
            unmask: { approvers: [managers], wait: 10s, valid: 10s }
        """

    let gateway: Gateway
    let backstage: Backstage
    let alice: String
    let bob: String
    let carol: String

    private actor Keeper {
        static let shared = Keeper()
        private var made: Task<ValueBed, any Error>?

        func bed() async throws -> ValueBed {
            let task = made ?? Task { try await ValueBed.make() }
            made = task
            return try await task.value
        }
    }

    static func shared() async throws -> ValueBed { try await Keeper.shared.bed() }

    private static func make() async throws -> ValueBed {
        let backstage = try await Backstage.shared()
        var sql = """
            CREATE TYPE masked_pair AS (n int4, t text);
            CREATE TYPE masked_mood AS ENUM ('happy', 'sad');
            CREATE DOMAIN masked_domain AS varchar CHECK (length(VALUE) > 2);

            """
        let columns = types.enumerated().flatMap { index, type in
            (["clear"] + strategies).map { ("\($0)_\(index)", type.name, type.value.replacingOccurrences(of: "'", with: "''")) }
        }
        sql += "CREATE TABLE masked_values (\(columns.map { "\($0.0) \($0.1)" }.joined(separator: ", ")));\n"
        sql += "INSERT INTO masked_values VALUES (\(columns.map { "'\($0.2)'::\($0.1)" }.joined(separator: ", ")));\n"
        sql += """
            CREATE TABLE masked_one AS SELECT 'customer-4711'::text AS joined, 'customer-4711'::text AS alone,
                'clear-value-of-masked-one'::text AS lifted;
            CREATE TABLE masked_two AS SELECT 'customer-4711'::text AS joined, 'customer-4711'::text AS alone, 'brief-value'::text AS brief;
            GRANT SELECT ON masked_values, masked_one, masked_two TO app_ro, app_rw;
            """
        try await backstage.server.execute(sql, in: "orders")
        var configuration = try backstage.configuration()
        configuration.roles = ["approver: [managers]"]
        configuration.sections = [masks]
        return ValueBed(
            gateway: try await Gateway.start(configuration), backstage: backstage, alice: try backstage.provider.token(for: "alice"),
            bob: try backstage.provider.token(for: "bob"), carol: try backstage.provider.token(for: "carol"))
    }

    func reader() -> Endpoint { gateway.endpoint("orders", token: bob) }

    /// The pending approval that was asked for with this reason.
    func pending(reason: String) async throws -> JSON {
        let end = ContinuousClock.now + .seconds(40)
        repeat {
            let listed = try await call("GET", "/approvals?state=pending")
            if let found = listed["approvals"]?.elements.first(where: { $0["reason"]?.string?.contains(reason) == true }) { return found }
            try await Task.sleep(for: .milliseconds(50))
        } while ContinuousClock.now < end
        throw HarnessError("nobody asked: \(reason)")
    }

    /// As carol, who approves. The token travels through standard input: it is nobody's business on this machine.
    func call(_ method: String, _ path: String, _ body: String? = nil) async throws -> JSON {
        let told = try await Shell.run(
            "curl",
            ["-sS", "-X", method, "-H", "@-", "-H", "Content-Type: application/json"] + (body.map { ["-d", $0] } ?? [])
                + ["http://127.0.0.1:\(gateway.configuration.adminPort)/api/v1\(path)"],
            input: "Authorization: Bearer \(carol)\n")
        return try JSON.parse(told.output)
    }
}
