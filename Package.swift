// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target of the house compiles in Swift 6 mode with warnings as errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let jwtKit: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// A target of the house and its test target; arrows go one way (docs/architecture.md).
func room(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func suite(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: [.init(stringLiteral: name)] + dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "gatehouse",
    products: [.executable(name: "gatehouse", targets: ["gatehouse"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CPgQuery", pkgConfig: "pg_query"),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CGatehouse", linkerSettings: [.linkedLibrary("crypto")]),
        // RE2 and PCRE2 behind a C header: RE2 is C++.
        .target(name: "CScan", linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("pcre2-8"), .linkedLibrary("stdc++")]),

        room("GatehouseCore", [nioCore]),
        room("Identity", ["GatehouseCore", jwtKit, httpClient, crypto, nioCore, nioSSL, nioHTTP1]),
        room("Analysis", ["GatehouseCore", "CPgQuery"]),
        // The language of MySQL and MariaDB: it knows nothing of the house.
        room("MySQLSyntax", []),
        room("Policy", ["GatehouseCore", crypto]),
        room("Masking", ["GatehouseCore", "CGatehouse", "CScan", crypto, nioCore]),
        room("Recording", ["GatehouseCore", "CGatehouse", "CZstd", crypto, logging, nioCore]),
        room("Secrets", ["GatehouseCore", "CGatehouse", httpClient, nioCore, nioPosix, nioHTTP1, nioSSL]),
        room("Outward", ["GatehouseCore", httpClient, crypto, logging, metrics, nioCore, nioPosix, nioHTTP1, nioSSL]),
        room("S3", ["GatehouseCore", "Recording", httpClient, crypto, logging, nioCore, nioHTTP1, nioSSL]),
        room("Review", ["GatehouseCore", "Policy", "Recording", logging]),
        room("Catalog", ["GatehouseCore", "Identity", "Policy", grdb]),
        room(
            "Relay",
            ["GatehouseCore", "Identity", "Policy", "Masking", "Recording", crypto, nioCore, nioPosix, nioSSL, x509, logging, metrics]),
        room(
            "Postgres",
            [
                "GatehouseCore", "Identity", "Analysis", "Policy", "Masking", "Recording", "Relay", "CLibPQ",
                crypto, cryptoExtras, nioCore, nioPosix, nioSSL, nioTLS, x509, logging, metrics,
            ]),
        room(
            "MySQL",
            [
                "GatehouseCore", "Identity", "MySQLSyntax", "Policy", "Recording", "Relay", "CSodium", crypto, cryptoExtras, nioCore, nioPosix,
                nioSSL, nioTLS, logging, metrics,
            ]),
        room("Settings", ["GatehouseCore", "Policy", "Masking", yams]),
        room(
            "Console",
            [
                "GatehouseCore", "Identity", "Policy", "Catalog", "Recording", "Review", hummingbird, hummingbirdCore, hummingbirdTLS, crypto, nioCore,
                nioSSL, logging, metrics,
            ],
            // docs/openapi.yaml, which the API serves; in the program itself, so that it needs no file beside it.
            resources: [.embedInCode("openapi.yaml")]),
        .executableTarget(
            name: "gatehouse",
            dependencies: [
                "GatehouseCore", "Identity", "Analysis", "Policy", "Masking", "Recording", "Catalog", "Relay",
                "Outward", "MySQL", "Postgres", "Review", "S3", "Secrets", "Settings", "Console", argumentParser, httpClient, jwtKit, x509, crypto, logging, metrics,
                nioCore, nioPosix, nioSSL,
            ],
            swiftSettings: strict),

        // Real OIDC providers for tests, run by the scripts of Tests/Support.
        .target(name: "ProviderSupport", path: "Tests/ProviderSupport", swiftSettings: strict),
        // A web server whose answers a test decides.
        .target(
            name: "ServerSupport", dependencies: ["Console", hummingbird, hummingbirdTLS, crypto, logging, nioCore, nioSSL, x509],
            path: "Tests/ServerSupport", swiftSettings: strict),
        // What every store must do (docs/stores.md).
        .target(
            name: "StoreConformance", dependencies: ["GatehouseCore", "Recording"], path: "Tests/StoreConformance", swiftSettings: strict),
        suite("GatehouseCore", []),
        suite("Identity", ["GatehouseCore", "Console", "ProviderSupport", crypto, cryptoExtras, hummingbird, logging]),
        suite("Analysis", ["GatehouseCore"]),
        suite("MySQLSyntax", []),
        suite("Policy", ["GatehouseCore"]),
        suite("Masking", ["GatehouseCore", "CScan", crypto, nioCore]),
        suite("Recording", ["GatehouseCore", "StoreConformance", crypto, logging, nioCore], exclude: ["reader.py"]),
        suite("S3", ["GatehouseCore", "Recording", "StoreConformance", httpClient, crypto, logging, nioCore, nioHTTP1, nioPosix]),
        suite("Secrets", ["GatehouseCore", "ServerSupport"]),
        suite(
            "Outward", ["GatehouseCore", "ServerSupport", crypto, logging, nioCore, nioPosix, nioSSL],
            exclude: ["ocsf-1.7.0.json", "verify.py"]),
        suite("Review", ["GatehouseCore", "Policy", "Recording", logging]),
        suite("Catalog", ["GatehouseCore", "Identity", "Policy", grdb], exclude: ["Fixtures"]),
        suite("Relay", ["GatehouseCore", "Recording", nioCore, nioEmbedded, nioPosix]),
        suite(
            "Postgres",
            [
                "GatehouseCore", "Analysis", "Policy", "Masking", "Recording", "Identity", "Relay", "CLibPQ", nioCore, nioPosix,
                nioEmbedded, nioSSL, nioTLS,
            ]),
        suite("MySQL", ["GatehouseCore", "MySQLSyntax", crypto, cryptoExtras, nioCore, nioPosix, nioSSL]),
        suite("Settings", ["GatehouseCore", "Policy"]),
        suite(
            "Console",
            [
                "GatehouseCore", "ProviderSupport", "Identity", "Policy", "Catalog", "Recording", "Review", crypto, hummingbird, hummingbirdCore, nioEmbedded, nioSSL, x509, yams, logging, metrics,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        .testTarget(name: "CommandsTests", dependencies: ["gatehouse", "GatehouseCore", "Recording", "Review"], swiftSettings: strict),
        .testTarget(
            name: "PackTests", dependencies: ["GatehouseCore", "Analysis", "Policy", "Settings"], path: "Tests/Packs", exclude: ["Corpus"],
            swiftSettings: strict),
        .testTarget(name: "IntegrationTests", dependencies: ["GatehouseCore"], path: "Tests/Integration", swiftSettings: strict),
        .testTarget(name: "TidyTests", path: "Tests/Tidy", swiftSettings: strict),
    ]
)

// Fuzz targets (Fuzz/README.md) exist only where they are asked for: they link libFuzzer, and instrument all that they reach.
if Context.environment["GATEHOUSE_FUZZ"] == "1" {
    let instrumented: [SwiftSetting] = strict + [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])]
    // The toolchain's libFuzzer without a main of its own (Swift's @main calls it); Fuzz/run finds it.
    let library = Context.environment["GATEHOUSE_LIBFUZZER"] ?? "libclang_rt.fuzzer_no_main.a"

    func fuzz(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name, dependencies: ["CFuzz"] + dependencies, path: path, swiftSettings: instrumented,
            linkerSettings: [.unsafeFlags([library]), .linkedLibrary("stdc++")])
    }

    package.targets += [
        .target(name: "CFuzz", path: "Fuzz/CFuzz"),
        fuzz("FuzzSQL", path: "Fuzz/SQL", ["GatehouseCore", "Analysis"]),
        fuzz("FuzzMySQLSyntax", path: "Fuzz/MySQLSyntax", ["MySQLSyntax"]),
        fuzz("FuzzStartup", path: "Fuzz/Startup", ["GatehouseCore", "Postgres", nioCore]),
        fuzz("FuzzDetectors", path: "Fuzz/Detectors", ["Masking", nioCore]),
        fuzz("FuzzMasks", path: "Fuzz/Masks", ["Masking"]),
        fuzz("FuzzMySQLWire", path: "Fuzz/MySQLWire", ["GatehouseCore", "MySQL", nioCore]),
        fuzz("FuzzRelay", path: "Fuzz/Relay", ["GatehouseCore", "Analysis", "Masking", "Postgres", "Recording", nioCore]),
    ]
    for target in package.targets where ["Analysis", "MySQLSyntax", "Postgres", "MySQL", "Masking"].contains(target.name) {
        target.swiftSettings = strict + [.unsafeFlags(["-sanitize=fuzzer"])]
    }
}
