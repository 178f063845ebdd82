import Crypto
import Foundation
public import GatehouseCore

/// What a node's log was at some time: a checkpoint in a signed note, both of the forms that C2SP's tlog-checkpoint and signed-note
/// describe, so that other tools can keep and compare it.
public struct Checkpoint: Sendable, Hashable {
    public var node: String
    public var size: UInt64
    /// The tree's root.
    public var root: [UInt8]
    public var time: WallTime

    public static func origin(of node: String) -> String { "gatehouse/log/\(node)" }

    /// What is signed.
    var text: String {
        "\(Self.origin(of: node))\n\(size)\n\(Data(root).base64EncodedString())\ntime \(time.nanoseconds)\n"
    }

    private static func keyHash(_ name: String, _ key: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array("\(name)\n".utf8) + [1] + key).prefix(4))
    }

    func signed(by signer: ManifestSigner) throws -> [UInt8] {
        let name = Self.origin(of: node)
        let signature = Self.keyHash(name, signer.publicKey.raw) + (try signer.sign(Array(text.utf8)))
        return Array("\(text)\n\u{2014} \(name) \(Data(signature).base64EncodedString())\n".utf8)
    }

    /// Reads a checkpoint and checks that one of `keys` signed it.
    /// - Throws: `CheckpointError`.
    public init(_ note: [UInt8], keys: [ManifestPublicKey]) throws(CheckpointError) {
        guard note.count <= 4096, let whole = String(validating: note, as: UTF8.self), let gap = whole.range(of: "\n\n") else {
            throw CheckpointError(message: "it is no signed note")
        }
        let lines = whole[..<gap.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[0].hasPrefix("gatehouse/log/"), let size = UInt64(lines[1]), String(size) == lines[1],
            let root = Data(base64Encoded: String(lines[2])), root.count == 32, lines[3].hasPrefix("time "),
            let time = UInt64(lines[3].dropFirst(5))
        else { throw CheckpointError(message: "it is no checkpoint of a Gatehouse log") }
        node = String(lines[0].dropFirst("gatehouse/log/".count))
        self.size = size
        self.root = Array(root)
        self.time = WallTime(nanoseconds: time)
        guard text == whole[..<gap.lowerBound] + "\n" else { throw CheckpointError(message: "it is not in its one form") }
        let name = Self.origin(of: node)
        for line in whole[gap.upperBound...].split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "\u{2014}", words[1] == name, let bytes = Data(base64Encoded: String(words[2])),
                bytes.count == 68, bytes.base64EncodedString() == words[2]
            else { continue }
            for key in keys where Self.keyHash(name, key.raw) == Array(bytes.prefix(4)) {
                if key.isSigned(Array(bytes.dropFirst(4)), Array(text.utf8)) { return }
            }
        }
        throw CheckpointError(message: "none of the \(keys.count) public keys given has signed it")
    }

    init(node: String, size: UInt64, root: [UInt8], time: WallTime) {
        self.node = node
        self.size = size
        self.root = root
        self.time = time
    }
}

/// A checkpoint that cannot be trusted.
public struct CheckpointError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    public var description: String { message }
}

/// Where a node's log is in a store.
enum LogName {
    static func folder(_ node: String) -> String { "log/\(node)" }
    static func entries(_ node: String, first: UInt64, count: Int) -> ObjectKey {
        ObjectKey("\(folder(node))/entries/\(padded(first))-\(count)")
    }
    static func checkpoint(_ node: String, size: UInt64) -> ObjectKey { ObjectKey("\(folder(node))/checkpoints/\(padded(size))") }

    static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }
}
