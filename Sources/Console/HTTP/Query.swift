import GatehouseCore
import Hummingbird

/// The query of a request, strictly: what is not known is an error, and so is what comes twice.
struct Query {
    private var values: [String: String] = [:]

    init(_ request: Request, known: Set<String>) throws {
        for (key, value) in request.uri.queryParameters {
            let name = String(key)
            guard known.contains(name) else {
                throw Problem(
                    .badRequest, "unknown query parameter; there are: \(known.sorted().joined(separator: ", "))", code: "unknown_parameter")
            }
            guard value.utf8.count <= 512, values.updateValue(String(value), forKey: name) == nil else {
                throw Problem(.badRequest, "the parameter \(name) is given twice or is too long", code: "bad_parameter")
            }
        }
    }

    func text(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    func value<Value>(_ name: String, _ what: String, _ read: (String) -> Value?) throws -> Value? {
        guard let text = text(name) else { return nil }
        guard let value = read(text) else { throw Problem(.badRequest, "the parameter \(name) must be \(what)", code: "bad_parameter") }
        return value
    }

    /// Items a page: 100 unless asked otherwise; a list of more is cut.
    func limit() throws -> Int {
        let asked = try value("limit", "a number from 1") { Int($0).flatMap { $0 >= 1 ? $0 : nil } }
        return min(asked ?? 100, 999)
    }
}

/// One page of a list, cut from one item more than was asked for.
struct Page<Item> {
    var items: [Item]
    var hasMore: Bool

    init(_ found: [Item], limit: Int) {
        items = Array(found.prefix(limit))
        hasMore = found.count > limit
    }
}
