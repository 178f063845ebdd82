import Foundation
import GatehouseCore
import Synchronization

@testable import Secrets

/// A clock that stands still until a test moves it.
final class StillClock: GatewayClock {
    private let elapsed = Mutex<UInt64>(0)

    func advance(_ seconds: Double) { elapsed.withLock { $0 += UInt64(seconds * 1e9) } }
    func wallTime() -> WallTime { WallTime(nanoseconds: 1_767_225_600_000_000_000 + elapsed.withLock(\.self)) }
    func monotonicNanoseconds() -> UInt64 { 5_000_000_000 + elapsed.withLock(\.self) }
}

/// A folder that is gone with the test.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-secrets-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    func read(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path + "/" + name) ?? Data(), as: UTF8.self)
    }

    /// A shell script that is run as a program. Another process writes it: a file that this one has open for writing is, for a moment,
    /// open in whatever a test beside this one just started, and then it is busy.
    func program(_ body: String, named name: String = "program") throws -> String {
        let text = try write("#!/bin/sh\n" + body + "\n", to: name + ".text", mode: 0o600)
        let program = String(text.dropLast(5))
        let install = try Process.run(
            URL(fileURLWithPath: "/usr/bin/install"), arguments: ["-m", "700", text, program])
        install.waitUntilExit()
        guard install.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
        return program
    }
}

/// The secret, or what was said instead.
func outcome(_ keeper: SecretKeeper, _ source: SecretSource) async -> String {
    do throws(SecretFailure) {
        return try await keeper.secret(from: source).reveal()
    } catch {
        return "\(error)"
    }
}
