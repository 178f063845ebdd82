import ArgumentParser
import Foundation
import GatehouseCore
import Recording

struct Proofs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Proofs about the log of all sessions, to be given to somebody who has neither the store nor the gateway.",
        discussion: """
            A proof is JSON of a few hundred bytes that is checked with the log's public key alone.
            """,
        subcommands: [Inclusion.self, Consistency.self, Check.self])

    /// Where the log is, and who signed it.
    struct LogOptions: ParsableArguments {
        @Argument(help: "The gateway's data directory, or a copy of the store in it.")
        var directory: String?

        @Option(
            help: ArgumentHelp(
                "A gateway's configuration, in place of the directory: its store, a bucket maybe, is read.", valueName: "file"))
        var config: String?

        @Option(
            help: ArgumentHelp(
                "Public keys kept elsewhere: a file, or a directory of .pub files; may be given again. Else those beside the store.",
                valueName: "file"))
        var publicKey: [String] = []

        func prover() throws -> LogProver {
            let (store, keys) = try VerificationRequest(directory: directory, configuration: config, publicKeys: publicKey).open()
            return LogProver(store: store, keys: keys)
        }
    }

    struct Inclusion: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prove that a session's start, end or tombstone is in the log: an array of proofs.",
            discussion: """
                EXAMPLE
                  gatehouse proofs inclusion /var/lib/gatehouse --session ID > proof.json
                """)

        @OptionGroup var log: LogOptions

        @Option(help: ArgumentHelp("The session.", valueName: "id"))
        var session: String

        func run() async throws {
            guard let id = SessionID(session) else { throw CommandFailure(.usage, "`\(forTerminal(session))` is not a session's id") }
            let proofs = try proven { try log.prover().inclusions(of: id) }
            guard !proofs.isEmpty else { throw CommandFailure(.failure, "no log of the store has this session") }
            try printJSON(proofs)
        }
    }

    struct Consistency: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prove that the log goes on from a checkpoint that was kept elsewhere.",
            discussion: """
                EXAMPLE
                  gatehouse proofs consistency /var/lib/gatehouse --checkpoint checkpoint-of-yesterday > proof.json
                """)

        @OptionGroup var log: LogOptions

        @Option(help: ArgumentHelp("The earlier checkpoint.", valueName: "file"))
        var checkpoint: String

        func run() async throws {
            let note = try contents(checkpoint)
            try printJSON([try proven { try log.prover().consistency(from: note) }])
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check proofs. Needs neither store nor gateway.",
            discussion: """
                Exit status 0: every one holds; 4: one does not.

                EXAMPLE
                  gatehouse proofs check proof.json --public-key log.pub
                """)

        @Argument(help: "A file that `proofs inclusion` or `proofs consistency` made.")
        var file: String

        @Option(help: ArgumentHelp("The log's public key: a file, or a directory of .pub files; may be given again.", valueName: "file"))
        var publicKey: [String]

        func run() async throws {
            let keys = try VerificationRequest(publicKeys: publicKey).keys()
            guard let proofs = try? JSONDecoder().decode([LogProof].self, from: Data(try contents(file))), !proofs.isEmpty else {
                throw CommandFailure(.usage, "\(file) holds no proofs")
            }
            for proof in proofs {
                do {
                    print(forTerminal(try proof.check(keys: keys)))
                } catch let error as CheckpointError {
                    throw CommandFailure(.verificationFailed, "not proven: \(forTerminal(error.message))")
                }
            }
        }
    }
}

private func contents(_ file: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure(.usage, "\(file) cannot be read") }
    return Array(data)
}

private func printJSON(_ proofs: [LogProof]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    print(String(decoding: try encoder.encode(proofs), as: UTF8.self))
}

private func proven<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as CheckpointError {
        throw CommandFailure(.verificationFailed, forTerminal(error.message))
    } catch let finding as Finding {
        throw CommandFailure(.verificationFailed, forTerminal("\(finding)"))
    }
}
