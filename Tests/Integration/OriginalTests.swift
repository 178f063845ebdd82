import Foundation
import Testing

extension IntegrationTests {
    /// What a mask took out is kept for break-glass recipients, and nobody else has it.
    @Suite struct OriginalTests {
        private static let sql = "SELECT id, name, ssn FROM customers ORDER BY id LIMIT 20"
        private static let copy = "COPY (SELECT id, name, ssn FROM customers ORDER BY id) TO STDOUT"
        private static let both =
            "SELECT c.ssn, p.card_number FROM customers c JOIN orders o ON o.customer_id = c.id JOIN payments p ON p.order_id = o.id WHERE p.id = 3"

        private struct Rig {
            let gateway: Gateway
            let alice: String
            let bob: String
            let folder: TemporaryDirectory

            var data: String { gateway.configuration.dataDirectory }
            var glass: String { folder.file("glass.key") }
            var keys: [String] { ["--key-file", data + "/keys/recipient.key", "--key-file", glass] }
        }

        private func start(allKeep: Bool = false) async throws -> Rig {
            let backstage = try await Backstage.shared()
            let folder = try TemporaryDirectory()
            let made = try await Shell.run(Project.gatehouse, ["keys", "generate", "glass", "--directory", folder.path])
            #expect(made.succeeded && made.output.contains("recording.break_glass_recipients"), "\(made.errors)")
            var configuration = try backstage.configuration()
            configuration.sections = ["recording:\n  break_glass_recipients: [\(folder.file("glass.pub"))]"]
            configuration.maskLines = ["keep_original: sealed"]
            if allKeep { configuration.cardMaskLines = ["keep_original: sealed"] }
            return Rig(
                gateway: try await Gateway.start(configuration), alice: try backstage.provider.token(for: "alice"),
                bob: try backstage.provider.token(for: "bob"), folder: folder)
        }

        /// The values in clear, straight from the server.
        private func clear() async throws -> [String] {
            try await Backstage.shared().direct().value("SELECT ssn FROM customers").split(separator: "\n").map(String.init)
        }

        @Test func theBreakGlassKeyOpensWhatTheServerSaid() async throws {
            let rig = try await start()
            defer { rig.folder.remove() }
            let secrets = try await clear()
            let marker = "original-\(UUID().uuidString)"
            let endpoint = rig.gateway.endpoint("reader@orders", token: rig.bob)
            _ = try await endpoint.psql(["-c", Self.sql, "-c", Self.both, "-c", Self.copy, "-c", "SELECT '\(marker)'"])
            let recording = try await rig.gateway.recording(containing: marker, token: rig.alice)
            let session = recording.session

            // The recording says that there is something, and to whom.
            #expect(secrets.allSatisfy { !recording.text.contains($0) })
            let key = try String(contentsOfFile: rig.folder.file("glass.pub"), encoding: .utf8).split(separator: " ")[1]
            #expect(recording.events("original").count >= 3)
            #expect(recording.events("original").allSatisfy { $0["recipients"]?.strings == [String(key)] })
            let shown = try await rig.gateway.command(["sessions", "show", session], token: rig.alice)
            #expect(shown.output.contains("what was masked here is sealed") && shown.output.contains(key.prefix(16)))

            try await whoMayNotIsRefused(session, rig)
            let opening = ["sessions", "original", session, "--reason", "case 4711", "--format", "json"]
            let opened = try await rig.gateway.command(opening + rig.keys, token: rig.alice)
            #expect(opened.succeeded, "\(opened.errors)")
            let events = try JSON.parse(opened.output).elements
            let rows = events.filter { $0["type"]?.string == "rows" }
            let direct = try await Backstage.shared().direct(writer: false)
            let truth = try await direct.value(Self.sql).split(separator: "\n").map(String.init)
            #expect(rows.first?["rows"]?.elements.map { $0.strings.joined(separator: "|") } == truth)
            // The other mask keeps nothing, so its column is masked here, too.
            let pair = rows.dropFirst().first?["rows"]?.elements.first?.strings ?? []
            let wanted = try await direct.value(Self.both).split(separator: "|").map(String.init)
            #expect(pair.first == wanted[0])
            #expect(pair.count == 2 && pair[1] != wanted[1] && pair[1].hasSuffix(String(wanted[1].suffix(4))), "\(pair)")
            #expect(!events.contains { $0["type"]?.string == "original" })

            try await itIsOnRecord(session, rig)
            #expect(try await rig.gateway.stop() == 0)
            let verified = try await rig.gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
            try await theStoreHasNothingInTheClear(secrets, rig)
            try await everyByteIsTheServers(session, rig)
            let offline = try await Shell.run(
                Project.gatehouse, ["sessions", "original", session, "--store", rig.data] + rig.keys)
            #expect(
                offline.succeeded && offline.output.contains(secrets[0]) && offline.errors.contains("on no record"), "\(offline.errors)")
            let log = try Shell.text(of: rig.data + "/log", suffix: ".entries")
            #expect(log.contains("admin.originals.opened") && log.contains("case 4711"))
        }

        private func whoMayNotIsRefused(_ session: String, _ rig: Rig) async throws {
            let opening = ["sessions", "original", session, "--reason", "curious"]
            // His own session, and no auditor.
            #expect(try await rig.gateway.command(opening + rig.keys, token: rig.bob).status == 3)
            let auditor = try await rig.gateway.command(
                opening + ["--key-file", rig.data + "/keys/recipient.key"], token: rig.alice)
            #expect(auditor.status == 3 && auditor.errors.contains("sealed to break-glass recipients"), "\(auditor.errors)")
            let glass = try await rig.gateway.command(opening + ["--key-file", rig.glass], token: rig.alice)
            #expect(glass.status == 3 && glass.errors.contains("recording is sealed"), "\(glass.errors)")
            let silent = try await rig.gateway.command(["sessions", "original", session] + rig.keys, token: rig.alice)
            #expect(silent.status != 0 && silent.errors.contains("--reason"), "\(silent.errors)")
        }

        private func itIsOnRecord(_ session: String, _ rig: Rig) async throws {
            let answer = try #require(
                httpGet(port: rig.gateway.configuration.adminPort, path: "/api/v1/audit?kind=originals", bearer: rig.alice))
            let entry = try #require(try JSON.parse(answer.body)["entries"]?.elements.first)
            #expect(entry["kind"]?.string == "originals.opened" && entry["detail"]?["session"]?.string == session)
            #expect(entry["detail"]?["reason"]?.string == "case 4711" && entry["actor"]?.string == "alice@example.com")
        }

        private func theStoreHasNothingInTheClear(_ secrets: [String], _ rig: Rig) async throws {
            let file = rig.folder.file("secrets")
            try Data(secrets.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: file))
            let found = try await Shell.run("grep", ["-r", "-l", "-a", "-F", "-f", file, rig.data])
            #expect(found.status == 1, "\(found.output)")
        }

        /// Read by a program that shares nothing with this one.
        private func everyByteIsTheServers(_ session: String, _ rig: Rig) async throws {
            let folder = try await Shell.need("find", [rig.data + "/store", "-type", "d", "-name", session])
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let read = try await Shell.need(
                Project.python,
                [
                    Project.root + "/Tests/RecordingTests/reader.py", folder, rig.data + "/keys/manifest.pub",
                    rig.data + "/keys/recipient.key", rig.glass,
                ])
            var stream = Data()
            var skip = 0
            for line in read.split(separator: "\n") {
                let words = line.split(separator: " ", omittingEmptySubsequences: false)
                if words[0] == "16" {
                    stream += bytes(words[7])
                    skip += Int(words[6]) ?? 0
                } else if words[0] == "4" {
                    let payload = bytes(words[4])
                    stream += payload.dropFirst(skip)
                    skip -= min(skip, payload.count)
                }
            }
            var copied = Data()
            var position = stream.startIndex
            while stream.endIndex - position >= 5 {
                let length = stream[position + 1..<position + 5].reduce(0) { $0 << 8 | Int($1) }
                try #require(length >= 4 && position + 1 + length <= stream.endIndex)
                if stream[position] == UInt8(ascii: "d") { copied += stream[position + 5..<position + 1 + length] }
                position += 1 + length
            }
            let direct = try await json(Backstage.shared().direct(writer: false).python("copy-out", [Self.copy]))
            #expect(!copied.isEmpty && String(decoding: copied, as: UTF8.self) == direct["data"]?.string)
        }

        private func bytes(_ text: Substring) -> Data {
            var data = Data()
            var rest = text.utf8[...]
            while rest.count >= 2 {
                if let byte = UInt8(String(Substring(rest.prefix(2))), radix: 16) { data.append(byte) }
                rest = rest.dropFirst(2)
            }
            return data
        }

        /// Where all masks keep what they replace, so does what is hidden of the client's own words.
        @Test func whatTheClientSaidIsKept() async throws {
            let rig = try await start(allKeep: true)
            defer { rig.folder.remove() }
            let endpoint = rig.gateway.endpoint("reader@orders", token: rig.bob)
            let secret = "987-65-4329"
            let marker = "kept-\(UUID().uuidString)"
            let asked = "SELECT id FROM customers WHERE ssn = "
            #expect(try await endpoint.psql(["-c", "\(asked)'\(secret)' -- \(secret)", "-c", "SELECT '\(marker)'"]).succeeded)
            #expect(try await endpoint.python("select", [asked + "%s AND '\(marker)' = '\(marker)'", "text", secret]).succeeded)
            let said = try await rig.gateway.recording(containing: marker, token: rig.alice)
            let bound = try await rig.gateway.recording(containing: "\(asked)$1", token: rig.alice)
            for recording in [said, bound] {
                #expect(!recording.text.contains(secret) && recording.text.contains("****"))
                let opened = try await rig.gateway.command(
                    ["sessions", "original", recording.session, "--full", "--reason", "case 4712"] + rig.keys, token: rig.alice)
                #expect(opened.succeeded && opened.output.contains(secret), "\(opened.output) \(opened.errors)")
            }
            #expect(try await rig.gateway.stop() == 0)
            let verified = try await rig.gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
            try await theStoreHasNothingInTheClear([secret], rig)
        }

        /// A client of its own format, and rows in binary.
        @Test func psycopgInBinary() async throws {
            let rig = try await start()
            defer { rig.folder.remove() }
            let seen = try await json(
                rig.gateway.endpoint("reader@orders", token: rig.bob).python("select", [Self.sql, "binary"]))
            let secrets = try await clear()
            #expect(seen["rows"]?.elements.count == 20)
            #expect(secrets.allSatisfy { seen["rows"]?.elements.map(\.strings).joined().contains($0) == false })
            let session = try await rig.gateway.recording(containing: "customers", token: rig.alice).session
            let opened = try await rig.gateway.command(
                ["sessions", "original", session, "--full", "--reason", "case 4711"] + rig.keys, token: rig.alice)
            let truth = try await Backstage.shared().direct().value(Self.sql).split(separator: "\n").map { $0.split(separator: "|") }
            #expect(opened.succeeded && truth.count == 20)
            // The transcript shows values in binary in hexadecimal.
            for row in truth {
                let shown = row[2].utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                #expect(opened.output.contains("\\x" + shown), "\(row)")
            }
        }
    }
}

extension Shell {
    /// All files of a folder whose names end so, as text.
    static func text(of folder: String, suffix: String) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(suffix) }.sorted()
        return try names.map { String(decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0)), as: UTF8.self) }.joined()
    }
}
