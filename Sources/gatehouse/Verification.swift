import Foundation
import GatehouseCore
import Recording
import Settings

/// Which store to read, and whom to believe.
struct VerificationRequest {
    /// The data directory or the store in it.
    var directory: String?
    /// A gateway's configuration, in place of `directory`: its store, wherever that is.
    var configuration: String?
    /// Files, or directories of files whose names end in `.pub`; empty: the public keys that lie beside the store.
    var publicKeys: [String] = []
    /// nil: all sessions.
    var session: String?
    /// To open what is sealed, and look at each frame.
    var recipients = RecipientKeys()
    /// A checkpoint of the log that was kept elsewhere.
    var checkpointFile: String?

    /// - Throws: `CommandFailure` when it cannot be told which store is meant, or there is no public key.
    func open() throws -> (store: any ObjectStore, keys: [ManifestPublicKey]) {
        if let configuration {
            do {
                let (store, data) = try GatehouseSettings.loadStore(file: configuration)
                return (
                    try makeStore(store, dataDirectory: data ?? "", SystemClock()), try keys(beside: data.map { [$0 + "/keys"] } ?? [])
                )
            } catch let error as SettingsError {
                throw CommandFailure(.usage, "the configuration cannot be used:\n\(error.description)")
            }
        }
        guard let directory else { throw CommandFailure(.usage, "give the gateway's data directory, or --config with its configuration") }
        let nested = directory + "/store"
        let root = FileManager.default.fileExists(atPath: nested) ? nested : directory
        return (LocalStore(root: root), try keys(beside: [root + "/../keys", directory + "/keys", directory]))
    }

    /// - Throws: `CommandFailure` when there is none.
    func keys(beside places: [String] = []) throws -> [ManifestPublicKey] {
        let files = (publicKeys.isEmpty ? places : publicKeys).flatMap { place -> [String] in
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: place) else { return [place] }
            return names.filter { $0.hasSuffix(".pub") }.map { place + "/" + $0 }
        }
        let keys = files.compactMap { file in
            (try? String(contentsOfFile: file, encoding: .utf8)).flatMap { ManifestPublicKey(line: $0) }
        }
        guard !keys.isEmpty else { throw CommandFailure(.usage, "no public key was found; give one with --public-key") }
        return keys
    }
}

/// Checks a store; the report is JSON of the form that docs/cli.md tells.
func verifyStore(_ request: VerificationRequest) async throws -> JSON {
    let (store, keys) = try request.open()
    let verifier = Verifier(store: store, keys: keys, recipients: request.recipients)
    if let text = request.session {
        guard let session = SessionID(text) else { throw CommandFailure(.usage, "'\(text)' is not a session's id") }
        return try JSON.parse(verificationReport([verifier.verify(session)]))
    }
    let checkpoint = try request.checkpointFile.map { file in
        guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure(.usage, "\(file) cannot be read") }
        return Array(data)
    }
    do {
        let report = try verifier.verifyAll(checkpoint: checkpoint)
        return try JSON.parse(verificationReport(report.sessions, log: report.log, rollback: report.rollback))
    } catch let error as CheckpointError {
        throw CommandFailure(.usage, "\(request.checkpointFile ?? "the checkpoint"): \(error)")
    }
}

/// The report as JSON bytes.
func verificationReport(_ reports: [SessionReport], log: [Finding] = [], rollback: String? = nil) throws -> [UInt8] {
    struct Row: Encodable {
        var session: String?
        var kind: String
        var detail: String
        var file: String?
        var offset: UInt64?
    }
    struct Report: Encodable {
        var findings: [Row]
        var sessions: [SessionReport]
        var rollback: String
    }
    let findings = (log + reports.flatMap(\.findings)).filter(\.kind.isFault).map {
        Row(session: $0.session?.description, kind: $0.kind.rawValue, detail: $0.message, file: $0.file, offset: $0.offset)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(Report(findings: findings, sessions: reports, rollback: rollback ?? "not checked")))
}
