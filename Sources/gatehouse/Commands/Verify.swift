import ArgumentParser

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that recordings are whole and unchanged. Needs no gateway: a store and public keys are enough.",
        discussion: """
            Exit status 0: everything checked is whole; 4: something is not.

            EXAMPLES
              gatehouse verify /var/lib/gatehouse
              gatehouse verify /backup/store --public-key keys/
              gatehouse verify --config gatehouse.yaml    its store may be a bucket
              gatehouse verify /backup/store --checkpoint checkpoint-of-yesterday
              gatehouse verify /var/lib/gatehouse --session ID --format json
              gatehouse verify /backup/store --public-key keys/ --key-file auditor.key    opens and counts every frame, too
            """)

    @Argument(help: "The gateway's data directory, or a copy of the store in it.")
    var directory: String?

    @Option(
        help: ArgumentHelp("A gateway's configuration, in place of the directory: its store, a bucket maybe, is read.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Public keys kept elsewhere (those that sign manifests and the log): a file, or a directory of .pub files; may be given again. Else those beside the store, which proves less.",
            valueName: "file"))
    var publicKey: [String] = []

    @Option(help: ArgumentHelp("Check one session only.", valueName: "id"))
    var session: String?

    @Option(
        help: ArgumentHelp(
            "A signed checkpoint of the log that was kept elsewhere: without one, a log that was rolled back cannot be noticed.",
            valueName: "file"))
    var checkpoint: String?

    @OptionGroup var keys: KeyOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let session { try checkID(session, "a session") }
        guard (directory == nil) != (config == nil) else { throw ValidationError("give either a directory or --config") }
    }

    func run() async throws {
        let report = try await verifyStore(
            VerificationRequest(
                directory: directory, configuration: config, publicKeys: publicKey, session: session, recipients: try keys.keys(),
                checkpointFile: checkpoint))
        let findings = report["findings"]?.elements ?? []
        switch output.format {
        case .json: print(try report.text(pretty: true))
        case .text: printText(report, findings)
        }
        guard findings.isEmpty else {
            throw CommandFailure(
                .verificationFailed, output.format == .json ? "" : "\(count(findings.count, "finding")): the evidence is not whole")
        }
    }

    private func printText(_ report: JSON, _ findings: [JSON]) {
        for finding in findings {
            let place = [finding["file"]?.string, finding["offset"]?.string.map { "byte \($0)" }].compactMap { $0 }.joined(separator: ", ")
            let text = finding["detail"]?.string ?? finding["message"]?.string ?? ""
            print(
                forTerminal(
                    "\(finding["session"]?.string ?? "log"): \(finding["kind"]?.string ?? "finding"): \(text)\(place.isEmpty ? "" : " (\(place))")"
                ))
        }
        let sessions = report["sessions"]?.integer ?? report["sessions"]?.elements.count ?? 0
        if sessions == 0 {
            print("No session is in the store: nothing was checked.")
        } else if findings.isEmpty {
            print("\(count(sessions, "session")) checked: whole and unchanged.")
        }
        if let rollback = report["rollback"]?.string { print("rollback: \(forTerminal(rollback))") }
    }
}
