import Testing

/// The arrows of the house (docs/architecture.md): Core <- stages <- Relay <- protocols <- program. No protocol imports
/// another; only the program names them all.
@Suite struct ArrowTests {
    /// What each of our modules may import of the others.
    static let allowed: [String: Set<String>] = [
        "GatehouseCore": [],
        "CGatehouse": [],
        "CLibPQ": [],
        "CPgQuery": [],
        "CScan": [],
        "CSodium": [],
        "CZstd": [],
        "Identity": ["GatehouseCore"],
        "Analysis": ["GatehouseCore", "CPgQuery"],
        "MySQLSyntax": [],
        "Policy": ["GatehouseCore"],
        "Masking": ["GatehouseCore", "CGatehouse", "CScan"],
        "Recording": ["GatehouseCore", "CGatehouse", "CZstd"],
        "S3": ["GatehouseCore", "Recording"],
        "Secrets": ["GatehouseCore", "CGatehouse"],
        "Outward": ["GatehouseCore"],
        "Catalog": ["GatehouseCore", "Identity", "Policy"],
        "Settings": ["GatehouseCore", "Policy", "Masking"],
        "Relay": ["GatehouseCore", "Identity", "Policy", "Masking", "Recording"],
        "Postgres": ["GatehouseCore", "Identity", "Analysis", "Policy", "Masking", "Recording", "Relay", "CLibPQ"],
        "MySQL": ["GatehouseCore", "Identity", "MySQLSyntax", "Policy", "Recording", "Relay", "CSodium"],
        "Review": ["GatehouseCore", "Policy", "Recording"],
        "Console": ["GatehouseCore", "Identity", "Policy", "Catalog", "Recording", "Review"],
        "gatehouse": [
            "GatehouseCore", "Identity", "Analysis", "Policy", "Masking", "Recording", "Catalog", "Relay", "MySQL", "Postgres", "Settings",
            "Review", "S3", "Secrets", "Outward", "Console",
        ],
    ]

    static let sources = Repository.files(under: "Sources/", ending: ".swift")

    @Test func everyModuleIsInTheTable() {
        let modules = Set(Repository.files(under: "Sources/", ending: ".swift", ".c", ".h", ".modulemap").map { Self.module(of: $0.path) })
        #expect(modules == Set(Self.allowed.keys))
    }

    @Test func everyImportFollowsAnArrow() {
        #expect(!Self.sources.isEmpty)
        for file in Self.sources {
            let allowed = Self.allowed[Self.module(of: file.path)] ?? []
            for (number, line) in SwiftText.codeLines(of: file.text).enumerated() {
                guard let name = Self.importedModule(line), Self.allowed[name] != nil else { continue }
                #expect(allowed.contains(name), "\(file.path):\(number + 1): imports \(name), against the arrows of the house")
            }
        }
    }

    /// The stages decide over values: no sockets, no event loops, no HTTP.
    @Test func pureStagesTouchNoInputOrOutput() {
        let banned: Set<String> = ["NIOPosix", "NIOSSL", "AsyncHTTPClient", "Hummingbird", "FoundationNetworking"]
        for file in Self.sources
        where ["GatehouseCore", "Analysis", "MySQLSyntax", "Policy", "Masking"].contains(Self.module(of: file.path)) {
            for line in SwiftText.codeLines(of: file.text) {
                guard let name = Self.importedModule(line) else { continue }
                #expect(!banned.contains(name), "\(file.path) imports \(name)")
            }
        }
    }

    @Test func importsAreReadInEveryForm() {
        #expect(Self.importedModule("import NIOCore") == "NIOCore")
        #expect(Self.importedModule("public import struct NIOCore.ByteBuffer") == "NIOCore")
        #expect(Self.importedModule("@testable import Policy") == "Policy")
        #expect(Self.importedModule("@preconcurrency internal import class Foundation.Thread") == "Foundation")
        #expect(Self.importedModule("let important = 1") == nil)
    }

    static func module(of path: String) -> String {
        path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
    }

    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ").map(String.init)
        guard let at = words.firstIndex(of: "import") else { return nil }
        let before: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
        guard words[..<at].allSatisfy({ $0.hasPrefix("@") || before.contains($0) }) else { return nil }
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "typealias", "let", "var"]
        let names = words[(at + 1)...].drop { kinds.contains($0) }
        return names.first?.split(separator: ".").first.map(String.init)
    }
}
