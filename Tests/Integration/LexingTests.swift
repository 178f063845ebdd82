import Foundation
import Testing

extension IntegrationTests {
    /// The server must read a text as the gateway's parser read it. Settings that change that are closed by every route.
    @Suite struct LexingTests {
        /// With standard_conforming_strings off, the backslash hides the first quote and the DROP is live.
        static let trap = #"SELECT 'a\' ; DROP TABLE trapped; --'"#

        /// Ways to turn it off inside a session, each as statements sent one after another.
        @Test(arguments: [
            ["SET standard_conforming_strings = off"], ["SET SESSION standard_conforming_strings TO 'off'"],
            ["BEGIN", "SET LOCAL standard_conforming_strings = off"], ["set STANDARD_CONFORMING_STRINGS = 0"],
            ["SET \"standard_conforming_strings\" = 'false'"], ["SELECT set_config('standard_conforming_strings', 'off', false)"],
            ["SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false)"],
            ["SELECT set_config('standard_' || 'conforming_strings', 'off', false)"],
            ["SELECT set_config(name, 'off', false) FROM pg_settings WHERE name LIKE 'standard_conf%'"],
            ["UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'"],
            ["SELECT 1; SET standard_conforming_strings = off"],
            ["DO $$ BEGIN PERFORM set_config('standard_conforming_strings', 'off', false); END $$"],
            ["PREPARE s AS SELECT set_config('standard_conforming_strings', 'off', false)", "EXECUTE s"],
            ["CREATE FUNCTION off_1() RETURNS void LANGUAGE sql AS 'SELECT' SET standard_conforming_strings = off"],
            ["ALTER ROLE CURRENT_USER SET standard_conforming_strings = off"],
            ["SELECT 1", "SET standard_conforming_strings FROM CURRENT"],
        ])
        func standardStringsStayOn(statements: [String]) async throws {
            let answers = try await session(statements + ["ROLLBACK", "SHOW standard_conforming_strings"])
            #expect(answers.last?["ok"] == .array([.array([.string("on")])]), "\(answers)")
        }

        @Test(arguments: [
            ["SET client_encoding = 'LATIN1'"], ["SET NAMES 'SJIS'"], ["SET client_encoding TO BIG5"],
            ["SELECT set_config('client_encoding', 'GBK', false)"], ["SELECT set_config('client_' || 'encoding', 'SJIS', false)"],
            ["UPDATE pg_settings SET setting = 'SJIS' WHERE name = 'client_encoding'"], ["SELECT 1; SET client_encoding = 'SQL_ASCII'"],
            ["BEGIN", "SET LOCAL client_encoding = 'GB18030'"],
        ])
        func encodingStaysUTF8(statements: [String]) async throws {
            let answers = try await session(statements + ["ROLLBACK", "SHOW client_encoding"])
            #expect(answers.last?["ok"] == .array([.array([.string("UTF8")])]), "\(answers)")
        }

        @Test(arguments: [
            "SET client_encoding = 'UTF8'", "SET NAMES 'utf-8'", "SET standard_conforming_strings = on", "RESET client_encoding",
        ])
        func whatChangesNothingPasses(sql: String) async throws {
            #expect(try await session([sql]).first?["ok"] != nil)
        }

        /// Startup parameters, options and the client's environment. Refused, or without effect.
        @Test(arguments: [
            "options=-c standard_conforming_strings=off", "options=-cstandard_conforming_strings=off",
            "options=--standard-conforming-strings=off", "options=-c client_encoding=SJIS", "options=--client_encoding=LATIN1",
            "client_encoding=SJIS", "client_encoding=LATIN1", "client_encoding=SQL_ASCII",
            #"options=-c standard_conforming_strings=\off"#, "options=-c search_path=public -c standard_conforming_strings=off",
        ])
        func startupParametersCannotTurnThemOff(parameter: String) async throws {
            let bed = try await Bed.shared()
            let facts = try await json(bed.through("writer@orders").python("startup", [parameter]))
            if let settings = facts["ok"] {
                #expect(settings["standard_conforming_strings"]?.string == "on")
                #expect(settings["client_encoding"]?.string == "UTF8")
            } else {
                #expect(facts["message"]?.string?.isEmpty == false)
            }
        }

        @Test func theTrapDropsNothing() async throws {
            let bed = try await Bed.shared()
            _ = try await session(["CREATE TABLE trapped (n integer)"])
            // In one text, and pipelined behind the setting before any answer.
            for first in ["SET standard_conforming_strings = off; \(Self.trap)", "SET standard_conforming_strings = off"] {
                _ = try await session([first, Self.trap])
            }
            #expect(try await bed.direct().value("SELECT count(*) FROM trapped") == "0")
        }

        @Test(arguments: [
            #"SELECT E'it\'s'"#, #"SELECT 'back\slash'"#, #"SELECT U&'d\0061t\+000061'"#, "SELECT $tag$ 'quoted' $tag$", "SELECT 'a''b'",
            "SELECT 'one'\n'two'", "SELECT x'1F', b'101'", "SELECT 'naïve — 日本'",
        ])
        func literalsMeanTheSameBehindTheGateway(sql: String) async throws {
            let bed = try await Bed.shared()
            #expect(try await bed.through("orders").value(sql) == bed.direct(writer: false).value(sql))
        }

        private func session(_ statements: [String]) async throws -> [JSON] {
            let bed = try await Bed.shared()
            let input = String(decoding: try JSONEncoder().encode(statements), as: UTF8.self)
            let finished = try await Shell.run(
                Project.python, [Project.support("clients.py"), "script"], environment: bed.through("writer@orders").environment,
                input: input)
            return try json(finished)["answers"]?.elements ?? []
        }
    }
}
