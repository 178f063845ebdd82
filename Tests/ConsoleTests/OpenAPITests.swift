import Foundation
import Hummingbird
import HummingbirdTesting
import Testing
import Yams

@testable import Console

/// docs/openapi.yaml tells of what there is, and of nothing else.
@Suite struct OpenAPITests {
    private static let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/openapi.yaml")
    private static let methods: Set<String> = ["get", "put", "post", "delete", "patch", "head", "options"]

    private func document() throws -> [String: Any] {
        try #require(try Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) as? [String: Any])
    }

    @Test func everyRouteIsDescribedAndEveryDescriptionIsARoute() async throws {
        let bench = try await Bench()
        let routes = Set(
            bench.server.router().routes.map { route in
                // `:id` of the router is `{id}` of the document.
                let path = route.path.description.split(separator: "/").map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }
                return "\(route.method.rawValue) /\(path.joined(separator: "/"))"
            })
        let paths = try #require(try document()["paths"] as? [String: [String: Any]])
        let described = Set(paths.flatMap { path, item in item.keys.filter(Self.methods.contains).map { "\($0.uppercased()) \(path)" } })
        #expect(routes == described)
        #expect(routes.count > 25)
    }

    /// What needs no token says so, and only that.
    @Test func whatNeedsNoTokenSaysSo() async throws {
        let bench = try await Bench()
        let paths = try #require(try document()["paths"] as? [String: [String: Any]])
        let operations = paths.flatMap { path, item in
            item.filter { Self.methods.contains($0.key) }.map { method, operation in
                (path, method.uppercased(), ((operation as? [String: Any])?["security"] as? [Any])?.isEmpty ?? false)
            }
        }
        try await bench.test { (client: Client) async throws in
            for (path, method, isOpen) in operations {
                let asked = try #require(HTTPRequest.Method(method))
                let status = try await client.status(path.replacing("{id}", with: "x"), asked)
                #expect((status == 401) != isOpen, "\(method) \(path): \(status)")
            }
        }
    }

    @Test func theServerServesIt() async throws {
        let bench = try await Bench()
        try await bench.test { (client: Client) async throws in
            let answer = try await client.ask("/api/v1/openapi.yaml")
            #expect(answer.status == 200 && answer.headers[.contentType] == "application/yaml")
            #expect(try answer.text == String(contentsOf: Self.file, encoding: .utf8))
        }
    }

    /// By the specification's own schema, and with every reference followed.
    @Test func itIsValid() throws {
        let root = Self.file.deletingLastPathComponent().deletingLastPathComponent()
        let process = Process()
        process.executableURL = root.appending(path: ".build-venv/bin/openapi-spec-validator")
        process.arguments = [Self.file.path]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
    }
}
