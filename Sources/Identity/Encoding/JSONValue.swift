/// A JSON value (RFC 8259), as strictly read as a security decision needs: see `JSONParser`.
enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// Every number; whole ones up to 2^53 are exact.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var array: [JSONValue]? {
        guard case .array(let items) = self else { return nil }
        return items
    }

    var object: [String: JSONValue]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The items, when all of them are strings.
    var strings: [String]? {
        guard let array else { return nil }
        var texts: [String] = []
        for item in array {
            guard let text = item.string else { return nil }
            texts.append(text)
        }
        return texts
    }
}
