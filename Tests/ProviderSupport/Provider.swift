import Foundation

/// A real OIDC provider, run by a script in `Tests/Support`.
public final class Provider: Sendable {
    /// What the script says of it.
    public struct Description: Decodable, Sendable {
        public var issuer: String
        public var client: String
        /// By name: `id_token`, and `access_token` where there is one.
        public var users: [String: [String: String]]
    }

    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    public let description: Description
    private let process: Process
    private let directory: URL

    /// Runs `body` with the provider up, and takes the provider down after.
    public static func with(_ script: String, _ body: (Description) async throws -> Void) async throws {
        let provider = try await launch(script)
        do {
            try await body(provider.description)
        } catch {
            await provider.stop()
            throw error
        }
        await provider.stop()
    }

    /// A provider for all tests of a process; its script ends with that.
    public static func shared(_ script: String) async throws -> Description {
        try await kept.provider(script).description
    }

    private static let kept = Kept()

    private actor Kept {
        private var providers: [String: Task<Provider, any Error>] = [:]

        func provider(_ script: String) async throws -> Provider {
            let task = providers[script] ?? Task { try await Provider.launch(script) }
            providers[script] = task
            return try await task.value
        }
    }

    /// It reads a pipe until the provider is ready: not on a thread that tasks share.
    private static func launch(_ script: String) async throws -> Provider {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        // A port that was free when it was chosen may be another's by the time that it is listened on.
                        for _ in 0..<3 {
                            if let provider = try? start(script) { return provider }
                        }
                        return try start(script)
                    })
            }
        }
    }

    private static func start(_ script: String) throws -> Provider {
        let support = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Support")
        let root = support.deletingLastPathComponent().deletingLastPathComponent()
        let python = root.appending(path: ".build-venv/bin/python3").path
        let directory = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = support.appending(path: "alone")
        process.arguments = [
            FileManager.default.isExecutableFile(atPath: python) ? python : "python3", support.appending(path: script).path, directory.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        var text = Data()
        while true {
            let part = output.fileHandleForReading.availableData
            text += part
            for line in text.split(separator: UInt8(ascii: "\n")) where line.first == UInt8(ascii: "{") {
                guard let description = try? JSONDecoder().decode(Description.self, from: line) else { continue }
                return Provider(description: description, process: process, directory: directory)
            }
            guard !part.isEmpty else { throw Failure(description: "\(script) ended without a word") }
        }
    }

    private init(description: Description, process: Process, directory: URL) {
        self.description = description
        self.process = process
        self.directory = directory
    }

    private func stop() async {
        process.terminate()
        for _ in 0..<100 where process.isRunning { try? await Task.sleep(for: .milliseconds(50)) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: directory)
    }
}
