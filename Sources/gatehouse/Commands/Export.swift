import ArgumentParser
import Foundation
import GatehouseCore
import Recording
import Review

extension Sessions {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a session's recording out in a form that other programs read.",
            discussion: """
                With --store or --config no gateway is needed, and the recording is verified before a byte of it is written. Without, the gateway
                sends it, and what can be checked is its hash chain and its seals.

                EXAMPLES
                  gatehouse sessions export ID --store /backup/store --public-key keys/ --key-file auditor.key --output session.jsonl
                  gatehouse sessions export ID --format sql --no-results --output session.sql
                  gatehouse sessions export ID --format asciicast --output session.cast
                  gatehouse sessions export ID --format text | less
                """)

        @Argument(help: "The session's id.")
        var id: String

        @Option(help: "What to write: jsonl, every frame and what it says; text, for people; sql, a script for psql; asciicast, to play.")
        var format = ExportFormat.jsonl

        @Flag(inversion: .prefixedNo, help: "Whether what the server answered is written, too.")
        var results = true

        @Option(
            help: ArgumentHelp(
                "Write this file (mode 0600), once all of the recording is verified; else standard output.", valueName: "file"))
        var output: String?

        @Option(help: ArgumentHelp("The gateway's data directory, or a copy of the store in it: no gateway is asked.", valueName: "dir"))
        var store: String?

        @Option(
            help: ArgumentHelp("A gateway's configuration: its store, a bucket maybe, is read, and no gateway is asked.", valueName: "file")
        )
        var config: String?

        @Option(
            help: ArgumentHelp(
                "With --store: public keys kept elsewhere, a file or a directory of .pub files; may be given again.", valueName: "file"))
        var publicKey: [String] = []

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var keys: KeyOptions

        func validate() throws {
            try checkID(id, "a session")
            if isRemote, !publicKey.isEmpty { throw ValidationError("--public-key goes with --store or --config") }
            if store != nil, config != nil { throw ValidationError("give either --store or --config") }
        }

        private var isRemote: Bool { store == nil && config == nil }

        func run() async throws {
            let file = try output.map { try ExportFile(path: $0) }
            var export = RunningExport(format: format, results: results) { bytes in
                if let file { try file.write(bytes) } else { try FileHandle.standardOutput.write(contentsOf: bytes) }
            }
            do {
                var summary = ExportSummary(check: isRemote ? .chain : .signature)
                summary.gaps = try await frames { frame in
                    summary.frames += 1
                    summary.hasEnd = summary.hasEnd || frame.kind == .end
                    try export.write(frame)
                }
                guard summary.frames > 0 else { throw CommandFailure(.failure, "nothing is recorded of session \(id)") }
                try export.finish(summary)
                try file?.commit()
                tell(summary)
            } catch let failure as CommandFailure {
                guard failure.status == .verificationFailed || failure.status == .unreachable, file == nil, export.hasWritten else {
                    throw failure
                }
                throw CommandFailure(failure.status, "\(failure.message)\nWhat was written up to here is not all, and is not verified.")
            } catch let error as ExportError {
                throw CommandFailure(.failure, forTerminal(error.description))
            }
        }

        /// Hands on the frames, wherever they come from.
        /// - Returns: places at which frames are missing.
        private func frames(_ body: (Frame) throws -> Void) async throws -> [Manifest.Gap] {
            let keys = try keys.keys()
            guard !isRemote else {
                return try await remote.withClient { try await $0.frames(of: id, follow: false, keys: keys, body) }
            }
            return try storedFrames(
                VerificationRequest(directory: store, configuration: config, publicKeys: publicKey, session: id, recipients: keys), body)
        }

        private func tell(_ summary: ExportSummary) {
            for gap in summary.gaps {
                printNote(
                    "frames are missing between \(gap.after) and \(gap.before.map { "\($0)" } ?? "the end"): \(forTerminal(gap.reason))")
            }
            if !summary.hasEnd { printNote("the session's end is not in the recording: it goes on, or was cut off") }
            if summary.check == .chain {
                printNote("checked: hash chain and seals. The gateway's signature is checked where the store is at hand (--store).")
            }
        }
    }
}

/// The frames of a session in a store, read once all of it has been verified.
/// - Returns: places at which frames are missing, as the manifest declares.
/// - Throws: `CommandFailure` when something is not whole, or cannot be opened.
func storedFrames(_ request: VerificationRequest, _ body: (Frame) throws -> Void) throws -> [Manifest.Gap] {
    guard let session = request.session.flatMap({ SessionID($0) }) else {
        throw CommandFailure(.usage, "'\(forTerminal(request.session ?? ""))' is not a session's id")
    }
    let (store, keys) = try request.open()
    let verifier = Verifier(store: store, keys: keys, recipients: request.recipients)
    let report = verifier.verify(session)
    if report.segments == 0, report.status == .incomplete { throw CommandFailure(.failure, "the store has nothing of session \(session)") }
    guard report.status == .verified else {
        let faults = report.findings.filter(\.kind.isFault).map { forTerminal("\($0)") }
        throw CommandFailure(.verificationFailed, (faults + ["nothing was written: the evidence is not whole"]).joined(separator: "\n"))
    }
    do {
        let reader = try SessionReader(session: session, store: store, keys: request.recipients)
        var frames: UInt64 = 0
        while let frame = try reader.next() {
            frames += 1
            try body(frame)
        }
        // The store may be written to by others between one reading and the other.
        guard frames == report.frames, verifier.verify(session) == report else {
            throw CommandFailure(.verificationFailed, "session \(session) was changed while it was read")
        }
        return reader.gaps
    } catch let finding as Finding {
        throw CommandFailure(finding.kind == .sealed ? .refused : .verificationFailed, forTerminal("\(finding)"))
    }
}
