import Foundation
import GatehouseCore
import Recording

/// What `verify` is asked to look at.
struct VerificationRequest {
    /// The data directory or the store in it.
    var directory: String
    /// Files, or directories of files whose names end in `.pub`; empty: the public keys that lie beside the store.
    var publicKeys: [String] = []
    /// nil: all sessions.
    var session: String?
    /// To open what is sealed, and look at each frame.
    var recipients = RecipientKeys()
    /// A checkpoint of the log that was kept elsewhere.
    var checkpointFile: String?
}

/// Checks a store; the report is JSON of the form that docs/cli.md tells.
func verifyStore(_ request: VerificationRequest) async throws -> JSON {
    let (_, verifier) = try openStore(request)
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

/// The store that a request names, and who checks it: with the public keys given, or those beside the store.
func openStore(_ request: VerificationRequest) throws -> (store: any ObjectStore, verifier: Verifier) {
    let nested = request.directory + "/store"
    let root = FileManager.default.fileExists(atPath: nested) ? nested : request.directory
    let keys = try publicKeys(request, root: root)
    let store = LocalStore(root: root)
    return (store, Verifier(store: store, keys: keys, recipients: request.recipients))
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

private func publicKeys(_ request: VerificationRequest, root: String) throws -> [ManifestPublicKey] {
    let places = request.publicKeys.isEmpty ? [root + "/../keys", request.directory + "/keys", request.directory] : request.publicKeys
    let files = places.flatMap { place -> [String] in
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: place) else { return [place] }
        return names.filter { $0.hasSuffix(".pub") }.map { place + "/" + $0 }
    }
    let keys = files.compactMap { file in
        (try? String(contentsOfFile: file, encoding: .utf8)).flatMap { ManifestPublicKey(line: $0) }
    }
    guard !keys.isEmpty else {
        throw CommandFailure(.usage, "no public key was found; give one with --public-key")
    }
    return keys
}
