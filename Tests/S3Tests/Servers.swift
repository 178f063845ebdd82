import Foundation
import GatehouseCore
import Logging
import Recording
import Synchronization

@testable import S3

let isSoak = ProcessInfo.processInfo.environment["GATEHOUSE_SOAK"] == "1"

/// A real S3 server, run by `Tests/Support/stores.py`; it ends with this process.
final class S3Server: Sendable {
    struct Description: Decodable, Sendable {
        var endpoint: String
        var authority: String?
        var accessKey: String
        var secretKey: String

        var credentials: S3Credentials { S3Credentials(accessKeyID: accessKey, secretAccessKey: Secret(secretKey)) }
    }

    struct Failure: Error { var reason: String }

    static let rclone = Result { try S3Server("rclone") }
    static let rcloneTLS = Result { try S3Server("rclone-tls") }
    static let moto = Result { try S3Server("moto") }

    let description: Description
    private let process: Process

    private init(_ kind: String) throws {
        let support = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Support")
        let python = support.deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build-venv/bin/python3").path
        process = Process()
        process.executableURL = support.appending(path: "alone")
        process.arguments = [python, support.appending(path: "stores.py").path, kind]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        var text = Data()
        while true {
            let part = output.fileHandleForReading.availableData
            guard !part.isEmpty else { throw Failure(reason: "stores.py \(kind) ended without a word") }
            text += part
            if text.last == UInt8(ascii: "\n") { break }
        }
        description = try JSONDecoder().decode(Description.self, from: text)
    }

    /// A configuration with a prefix that no other test has.
    func configuration(bucket: String = "evidence", prefix: String = "t\(UInt64.random(in: .min ... .max))") -> S3Configuration {
        S3Configuration(
            bucket: bucket, region: "us-east-1", credentials: description.credentials, prefix: prefix, endpoint: description.endpoint,
            addressing: description.authority == nil ? .path : .virtualHost, authorityFile: description.authority,
            allowsPlainLoopback: true, partBytes: 5 << 20)
    }
}

/// A clock that moves when something sleeps on it.
final class ManualClock: GatewayClock {
    private let elapsed = Mutex<UInt64>(0)
    private let pauses = Mutex<[Duration]>([])
    /// From the real time on, or no server takes the signatures.
    private let start = SystemClock().wallTime()

    var slept: [Duration] { pauses.withLock(\.self) }

    func advance(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        elapsed.withLock { $0 += UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000) }
    }

    func sleep(_ duration: Duration) {
        pauses.withLock { $0.append(duration) }
        advance(duration)
    }

    func wallTime() -> WallTime { WallTime(nanoseconds: start.nanoseconds + elapsed.withLock(\.self)) }
    func monotonicNanoseconds() -> UInt64 { elapsed.withLock(\.self) }
}

extension S3Store {
    /// Pauses take no time, and are as long as they may be.
    convenience init(testing configuration: S3Configuration, clock: ManualClock = ManualClock(), logger: Logger? = nil) throws {
        try self.init(configuration, surroundings: S3Surroundings(clock: clock, sleep: { clock.sleep($0) }, jitter: { 1 }, logger: logger))
    }

    func put(_ key: String, _ bytes: [UInt8], retainUntil: WallTime? = nil) throws {
        try put(ObjectKey(key), bytes, retainUntil: retainUntil)
    }

    func read(_ key: String) throws -> [UInt8]? {
        guard let object = try open(ObjectKey(key)) else { return nil }
        var bytes = [UInt8](repeating: 0, count: object.size)
        let filled = try bytes.withUnsafeMutableBytes { raw in try object.read(at: 0, into: raw) }
        return Array(bytes.prefix(filled))
    }

    func keys(below folder: String) throws -> [String] {
        var keys: [String] = []
        try forEachKey(below: folder) {
            keys.append($0.path)
            return true
        }
        return keys
    }
}

/// What the body throws, as text; nil when it throws nothing.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}

/// Random numbers that are the same each run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
