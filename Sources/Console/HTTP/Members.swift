import Foundation
import Hummingbird

/// A body that is a JSON object of texts, strictly: a member that is not known is an error, so that a slip of the pen in a
/// request that ends or decides something is found.
struct Members {
    private let values: [String: String]

    /// What people write to each other: reasons and comments.
    static let maximumTextLength = 2_000

    init(_ request: Request, _ context: ConsoleContext, known: Set<String>) async throws {
        let bytes = try await request.body.collect(upTo: context.maxUploadSize)
        let names = known.sorted().joined(separator: ", ")
        guard bytes.readableBytes > 0 else {
            values = [:]
            return
        }
        guard let values = try? JSONDecoder().decode([String: String?].self, from: Data(bytes.readableBytesView)),
            values.keys.allSatisfy(known.contains)
        else { throw Problem(.badRequest, "the body must be a JSON object with \(names) (text)", code: "bad_body") }
        self.values = values.compactMapValues { $0 }
    }

    /// A name to look for; nil when it is left out or empty.
    func name(_ member: String) throws -> String? {
        guard let text = values[member], !text.isEmpty else { return nil }
        guard text.utf8.count <= 1_024 else { throw Problem(.badRequest, "\(member) is too long", code: "bad_body") }
        return text
    }

    /// What somebody has written; empty when it is left out. It is shown on terminals and in errors of databases.
    func text(_ member: String) throws -> String {
        let text = values[member] ?? ""
        guard text.count <= Self.maximumTextLength else {
            throw Problem(.unprocessableContent, "\(member) is longer than \(Self.maximumTextLength) characters", code: "too_long")
        }
        guard text.unicodeScalars.allSatisfy({ $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control }) else {
            throw Problem(.unprocessableContent, "\(member) holds control characters", code: "bad_text")
        }
        return text
    }
}
