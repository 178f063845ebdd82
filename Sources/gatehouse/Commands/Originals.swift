import ArgumentParser
import Foundation
import GatehouseCore
import Recording

extension Sessions {
    struct Original: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a session as it was without masks: opens what they took out. Needs the break-glass key, and leaves an event.",
            discussion: """
                Masks with `keep_original: sealed` keep what they replace, sealed to recording.break_glass_recipients. Here it stands in the
                place of what the session's client got. It takes two keys: one that opens the recording, and a break-glass key. Give both with
                --key-file, or the second in GATEHOUSE_BREAK_GLASS_KEY_FILE (or the key itself in GATEHOUSE_BREAK_GLASS_KEY). Neither
                leaves this machine.

                The gateway is asked for leave, which an auditor has for sessions that are not his own. It writes the reason into the audit
                log and the log of evidence before it sends anything. With --store no gateway is asked, and nobody knows.

                EXAMPLES
                  gatehouse sessions original ID --reason "case 4711" --key-file auditor.key --key-file break-glass.key
                  gatehouse sessions original ID --reason "case 4711" --format json        the events, as an array
                  gatehouse sessions original ID --store /backup/store --public-key keys/ --key-file auditor.key --key-file break-glass.key
                """)

        @Argument(help: "The session's id.")
        var id: String

        @Option(help: "Why: it is kept in both logs.")
        var reason: String?

        @Flag(help: "Print long values whole.")
        var full = false

        @Option(help: ArgumentHelp("The gateway's data directory, or a copy of the store in it: no gateway is asked.", valueName: "dir"))
        var store: String?

        @Option(
            help: ArgumentHelp(
                "With --store: public keys kept elsewhere, a file or a directory of .pub files; may be given again.", valueName: "file"))
        var publicKey: [String] = []

        @OptionGroup var remote: RemoteOptions
        @OptionGroup var keys: KeyOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            try checkID(id, "a session")
            if store == nil {
                guard publicKey.isEmpty else { throw ValidationError("--public-key goes with --store") }
                guard let reason, !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("say why: --reason TEXT") }
            }
        }

        func run() async throws {
            let keys = try keys.keysWithBreakGlass()
            guard !keys.isEmpty else {
                throw CommandFailure(
                    .usage, "give the private keys with --key-file: one that opens the recording, and one of a break-glass recipient")
            }
            var printer = EventPrinter(renderer: EventRenderer(cellWidth: full ? nil : 60), format: output.format)
            var transcript = AnyTranscript()
            let show = { (frame: Frame) in
                for event in try transcript.read(frame) { try printer.print(Data(try event.line())) }
            }
            let count = try await store == nil ? remoteOriginals(keys, show) : storedOriginals(keys, show)
            printer.finish()
            printNote(
                count == 0
                    ? "There is no original in this recording: no mask that keeps one replaced anything."
                    : "\(count) original\(count == 1 ? " stands" : "s stand") in the place of what was masked.")
        }

        private func remoteOriginals(_ keys: RecipientKeys, _ show: (Frame) throws -> Void) async throws -> Int {
            let reason = reason ?? ""
            return try await remote.withClient { try await $0.originals(of: id, reason: reason, keys: keys, show) }
        }

        private func storedOriginals(_ keys: RecipientKeys, _ show: (Frame) throws -> Void) throws -> Int {
            guard let session = SessionID(id) else { throw CommandFailure(.usage, "'\(forTerminal(id))' is not a session's id") }
            let request = VerificationRequest(directory: store, publicKeys: publicKey, session: id, recipients: keys)
            let wrapped = try Manifest.load(session, from: try request.open().store)?.originalKeys ?? []
            var opening = OpeningOriginals(session: session, keys: keys)
            _ = try storedFrames(request) { frame in
                if let frame = try opening.read(frame, wrapped) { try show(frame) }
            }
            printNote("No gateway was asked: that this was opened is on no record.")
            return opening.count
        }
    }
}

/// Prints events as they come: for people, or as one array.
struct EventPrinter {
    let renderer: EventRenderer
    let format: OutputFormat
    private var isFirst = true

    init(renderer: EventRenderer, format: OutputFormat) {
        self.renderer = renderer
        self.format = format
    }

    mutating func print(_ line: Data) throws {
        switch format {
        case .text: try events(in: line).flatMap(renderer.lines).forEach { Swift.print($0) }
        case .json:
            // As they came, so that no number is read and written anew.
            Swift.print(isFirst ? "[" : ",", terminator: isFirst ? "" : "\n ")
            Swift.print(String(decoding: line, as: UTF8.self), terminator: "")
            isFirst = false
        }
    }

    mutating func finish() {
        if format == .json { Swift.print(isFirst ? "[]" : "]") }
    }
}
