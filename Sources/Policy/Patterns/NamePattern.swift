public import GatehouseCore

/// A pattern that cannot be read; the message is for the person who wrote it.
public struct PatternError: Error, Hashable, CustomStringConvertible {
    public let description: String
}

/// A pattern over tables or functions: `name` or `qualifier.name`, each part a ``Glob``.
///
/// Parts are folded as PostgreSQL folds names: `Customers` means `customers`, and a part in double quotes means exactly
/// itself (`"Customers"`, with `""` for a quote in it). A pattern without a qualifier stands for the name in any schema.
public struct NamePattern: Sendable, Hashable, Codable, CustomStringConvertible {
    public let description: String
    public let qualifier: Glob?
    public let name: Glob

    public init(_ text: String) throws(PatternError) {
        let parts = try patternParts(text)
        guard parts.count <= 2, let last = parts.last else {
            throw PatternError(description: "`\(text)` has \(parts.count) parts; write name or schema.name")
        }
        description = text
        qualifier = parts.count == 2 ? parts.first : nil
        name = last
    }

    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public func matches(_ relation: Relation) -> Bool {
        (qualifier?.matches(relation.schema) ?? true) && name.matches(relation.name)
    }

    /// Whether `reference` could mean something that the pattern stands for: a missing schema may be any.
    func mayMatch(_ reference: QualifiedName) -> Bool {
        guard name.matches(reference.name) else { return false }
        guard let qualifier, let schema = reference.schema else { return true }
        return qualifier.matches(schema)
    }

    /// Whether whatever `reference` means, the pattern stands for it: a missing schema must not matter.
    func surelyMatches(_ reference: QualifiedName) -> Bool {
        guard name.matches(reference.name) else { return false }
        guard let qualifier, !qualifier.matchesAnything else { return true }
        return reference.schema.map(qualifier.matches) ?? false
    }
}

/// A pattern over columns: `schema.table.column`, each part a ``Glob``, folded as in ``NamePattern``.
public struct ColumnPattern: Sendable, Hashable, Codable, CustomStringConvertible {
    public let description: String
    public let schema: Glob
    public let table: Glob
    public let column: Glob

    public init(_ text: String) throws(PatternError) {
        let parts = try patternParts(text)
        guard parts.count == 3 else {
            throw PatternError(description: "`\(text)` is not schema.table.column (`*` stands for any of the three)")
        }
        description = text
        schema = parts[0]
        table = parts[1]
        column = parts[2]
    }

    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public func matches(_ relation: Relation, column name: String) -> Bool {
        matches(schema: relation.schema, table: relation.name, column: name)
    }

    public func matches(schema: String, table: String, column: String) -> Bool {
        self.column.matches(column) && self.table.matches(table) && self.schema.matches(schema)
    }
}

/// Splits at the dots that are not inside double quotes and folds what is not quoted.
private func patternParts(_ text: String) throws(PatternError) -> [Glob] {
    var parts: [Glob] = []
    var rest = Substring(text)
    while true {
        let part: Glob
        if rest.first == "\"" {
            part = Glob(literal: try takeQuoted(&rest, of: text))
        } else {
            let plain = rest.prefix { $0 != "." }
            guard !plain.isEmpty else { throw PatternError(description: "`\(text)` has an empty part") }
            guard !plain.contains("\"") else {
                throw PatternError(description: "`\(text)` has a double quote inside a part; quote the whole part")
            }
            part = Glob(foldedAsServer(plain))
            rest = rest.dropFirst(plain.count)
        }
        parts.append(part)
        if rest.isEmpty { return parts }
        guard rest.first == "." else {
            throw PatternError(description: "`\(text)` goes on after a closing quote; a dot must follow it")
        }
        rest = rest.dropFirst()
    }
}

/// Takes `"..."` from the front of `rest`; two quotes inside stand for one.
private func takeQuoted(_ rest: inout Substring, of text: String) throws(PatternError) -> String {
    var value = ""
    rest = rest.dropFirst()
    while let character = rest.first {
        rest = rest.dropFirst()
        if character != "\"" {
            value.append(character)
        } else if rest.first == "\"" {
            value.append("\"")
            rest = rest.dropFirst()
        } else if value.isEmpty {
            throw PatternError(description: "`\(text)` has an empty part")
        } else {
            return value
        }
    }
    throw PatternError(description: "`\(text)` has a double quote that is not closed")
}

/// PostgreSQL folds A to Z only in multi-byte encodings (`downcase_identifier`).
private func foldedAsServer(_ text: Substring) -> String {
    String(decoding: text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
}
