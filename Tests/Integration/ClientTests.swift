import Foundation
import Testing

extension IntegrationTests {
    /// Unmodified clients do through the gateway what they do without it.
    @Suite struct ClientTests {
        @Test(arguments: ["simple", "extended", "prepared"])
        func pgbenchRuns(mode: String) async throws {
            let bed = try await Bed.shared()
            let before = try await bed.direct("bench").value("SELECT count(*) FROM pgbench_history")
            let ran = try await bed.through("bench").pgbench(["-n", "-M", mode, "-c", "4", "-j", "2", "-t", "25"])
            #expect(ran.succeeded, "\(ran.errors)")
            #expect(ran.output.contains("number of transactions actually processed: 100/100"))
            #expect(!ran.output.contains("number of failed transactions: 1"))
            let after = try await bed.direct("bench").value("SELECT count(*) FROM pgbench_history")
            #expect((Int(after) ?? 0) - (Int(before) ?? 0) == 100)
        }

        @Test func pgbenchFillsAndVacuums() async throws {
            let bed = try await Bed.shared()
            try await bed.server.execute("CREATE SCHEMA AUTHORIZATION app_rw", in: "bench")
            let filled = try await Shell.run(
                "pgbench", ["-i", "-s", "1", "-q"],
                environment: bed.through("bench").environment.merging(["PGOPTIONS": "-c search_path=app_rw"]) { $1 })
            #expect(filled.succeeded, "\(filled.errors)")
            #expect(try await bed.direct("bench").value("SELECT count(*) FROM app_rw.pgbench_accounts") == "100000")
        }

        @Test func pgDumpIsTheSame() async throws {
            let bed = try await Bed.shared()
            func dump(_ endpoint: Endpoint) async throws -> String {
                try await Shell.need(
                    "pg_dump", ["--schema=public", "--restrict-key=compared"], environment: endpoint.environment, deadline: .seconds(120))
            }
            let through = try await dump(bed.through("bench"))
            #expect(through.contains("COPY public.pgbench_accounts"))
            #expect(try await dump(bed.direct("bench")) == through)
        }

        @Test func psqlDescribes() async throws {
            let bed = try await Bed.shared()
            for command in ["\\d", "\\d+ customers", "\\dv", "\\df pg_catalog.abs", "\\l", "\\du", "\\dn+", "\\sv revenue"] {
                let through = try await bed.through("writer@orders").psql(["-c", command])
                #expect(through.succeeded, "\(command): \(through.errors)")
                #expect(try await bed.direct().psql(["-c", command]).output == through.output, "\(command)")
            }
        }

        @Test func asyncpgWorks() async throws {
            let bed = try await Bed.shared()
            var through = try await json(bed.through("writer@orders").python("asyncpg", ["t_asyncpg"]))
            let direct = try await json(bed.direct().python("asyncpg", ["t_asyncpg_direct"]))
            #expect(through["dropped"]?.string == "42501" && direct["dropped"] == .null)
            guard case .object(var facts) = through else { throw HarnessError("\(through)") }
            facts["dropped"] = .null
            through = .object(facts)
            #expect(through == direct)
        }

        @Test func jdbcWorks() async throws {
            let bed = try await Bed.shared()
            func java(_ endpoint: Endpoint, _ table: String) async throws -> [String] {
                try await Shell.need(
                    "java", ["-cp", Project.jdbcDriver, Project.support("JDBCClient.java"), table], environment: endpoint.environment,
                    deadline: .seconds(120)
                ).split(separator: "\n").map(String.init)
            }
            let through = try await java(bed.through("writer@orders"), "t_jdbc")
            let direct = try await java(bed.direct(), "t_jdbc_direct")
            #expect(through.contains("denied 42501") && direct.contains("dropped"))
            #expect(through.filter { !$0.hasPrefix("denied") } == direct.filter { $0 != "dropped" })
            #expect(direct.contains("inserted 300") && direct.contains("pieces 44850") && direct.contains("kept 300"))
        }

        @Test(arguments: ["text", "binary"])
        func copyIn(mode: String) async throws {
            let bed = try await Bed.shared()
            let loaded = try await json(bed.through("writer@orders").python("copy-in", ["t_copy_\(mode)", "20000", mode]))
            #expect(loaded == .array([.number(20000), .number(199_990_000), .number(20000)]))
        }

        @Test func aDeniedCopyInLeavesTheSessionUsable() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("copy-in-denied", ["COPY products FROM PROGRAM 'seq 10'"]))
            #expect(facts["copy"]?["sqlstate"]?.string == "42501")
            #expect(facts["after"]?.number == 1)
        }

        @Test func aDeniedCopyFromStdinLeavesTheSessionUsable() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(
                bed.gateway.endpoint("closed", token: bed.alice, database: "orders").python(
                    "copy-in-denied", ["COPY products (id) FROM STDIN"]))
            #expect(facts["copy"]?["sqlstate"]?.string == "42501")
            #expect(facts["after"]?.number == 1 || facts["after"] == nil)
        }

        @Test func startupSettingsArePassedOn() async throws {
            let bed = try await Bed.shared()
            let facts = try await json(
                bed.through("writer@orders").python("startup", ["application_name=my app", "options=-c search_path=pg_catalog,public"]))
            #expect(facts["ok"]?["application_name"]?.string == "my app")
            #expect(facts["ok"]?["search_path"]?.string == "pg_catalog,public")
        }
    }
}
