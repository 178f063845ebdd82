import Foundation
import GatehouseCore
import Hummingbird

/// An answer that says what is wrong (RFC 9457).
struct Problem: Error, HTTPResponseError, Sendable {
    var status: HTTPResponse.Status
    /// What is wrong with this request and what to do, for the person or agent who asked.
    var detail: String
    /// The stable word for programs, where there is more to tell apart than the status does.
    var code: String?
    var headers = HTTPFields()

    init(_ status: HTTPResponse.Status, _ detail: String, code: String? = nil) {
        self.status = status
        self.detail = detail
        self.code = code
    }

    static func notFound(_ what: String) -> Problem { Problem(.notFound, "there is no \(what) that you may see") }

    private struct Document: Encodable {
        var type = "about:blank"
        var title: String
        var status: Int
        var detail: String
        var code: String?
    }

    var response: Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        let document = Document(title: status.reasonPhrase, status: status.code, detail: detail, code: code)
        let bytes = (try? API.encoder.encode(document)) ?? Data("{}".utf8)
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    func response(from request: Request, context: some RequestContext) throws -> Response { response }
}

/// JSON as the API writes it.
enum API {
    static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()

    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }

    /// RFC 3339 with milliseconds.
    static func time(_ time: WallTime) -> String {
        Date(timeIntervalSince1970: Double(time.nanoseconds / 1_000_000) / 1000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// Reads RFC 3339, with or without a fraction of a second.
    static func parseTime(_ text: String) -> WallTime? {
        for fraction in [false, true] {
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: fraction)
            guard let date = try? style.parse(text), date.timeIntervalSince1970 >= 0 else { continue }
            guard let milliseconds = UInt64(exactly: (date.timeIntervalSince1970 * 1000).rounded()), milliseconds < 18_446_744_073_709
            else {
                return nil
            }
            return WallTime(nanoseconds: milliseconds * 1_000_000)
        }
        return nil
    }
}
