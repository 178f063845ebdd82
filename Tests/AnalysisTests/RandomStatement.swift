/// Statements from a small grammar, with holes for literals that can be filled in more than one way.
struct RandomStatement {
    private static let string: Character = "\u{1}"
    private static let number: Character = "\u{2}"

    private var random: Seeded
    private var depth = 0

    init(_ seed: UInt64) { random = Seeded(seed) }

    private mutating func pick<T>(_ items: [T]) -> T { items[Int(random.next() % UInt64(items.count))] }
    private mutating func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }

    /// The statement with its holes.
    mutating func pattern() -> String {
        depth = 0
        let statement = statement()
        return chance(10) ? statement + "; " + self.statement() : statement
    }

    /// Fills the holes with values of the seed's choice; the spread is chosen to meet what the analyser treats apart.
    static func fill(_ pattern: String, _ seed: UInt64) -> String {
        var random = Seeded(seed)
        let strings = [
            "a", "", "it''s", "t", "true", "off", "role", "search_path", "é", "--", "/*", "drop table t", "$1", "1", "\"", "%",
            "back\\slash", ";",
        ]
        let numbers = ["1", "0", "2", "123", "999999999", "2147483648", "1.5", "0.0", "12345678901234567890"]
        var result = ""
        for character in pattern {
            switch character {
            case string: result += "'" + strings[Int(random.next() % UInt64(strings.count))] + "'"
            case number: result += numbers[Int(random.next() % UInt64(numbers.count))]
            default: result.append(character)
            }
        }
        return result
    }

    private mutating func statement() -> String {
        switch random.next() % 10 {
        case 0: "INSERT INTO \(table()) (a, b) VALUES (\(expression()), \(expression()))\(chance(30) ? " RETURNING " + expression() : "")"
        case 1: "UPDATE \(table()) SET a = \(expression()) WHERE \(condition())"
        case 2: "DELETE FROM \(table()) WHERE \(condition())"
        case 3: "MERGE INTO t USING u ON \(condition()) WHEN MATCHED AND \(condition()) THEN DELETE"
        case 4: "WITH c AS (DELETE FROM t WHERE \(condition()) RETURNING a) \(query())"
        case 5:
            pick([
                "SET x = \u{1}", "SET LOCAL y TO \u{2}", "EXPLAIN (ANALYZE \u{1}) DELETE FROM t", "COPY t TO \u{1}",
                "ALTER ROLE r SET x = \u{1}",
            ])
        default: query()
        }
    }

    private mutating func query() -> String {
        depth += 1
        defer { depth -= 1 }
        var text = "SELECT \(expression())\(chance(30) ? ", " + expression() : "") FROM \(table())"
        if chance(70) { text += " WHERE \(condition())" }
        if chance(20) { text += " ORDER BY \(pick(["a", "1", "\u{2}"]))" }
        if chance(20) { text += " LIMIT \u{2}" }
        if depth < 3, chance(10) { text += " UNION ALL \(query())" }
        return text
    }

    private mutating func table() -> String { pick(["t", "u", "s.t", "\"T\"", "t x", "/* c */ t", "pg_settings"]) }

    private mutating func condition() -> String {
        depth += 1
        defer { depth -= 1 }
        guard depth < 5 else { return pick(["\u{2} = \u{2}", "a = \u{1}", "\u{1} = \u{1}", "true"]) }
        return switch random.next() % 12 {
        case 0: "(\(condition())) AND (\(condition()))"
        case 1: "\(condition()) OR \(condition())"
        case 2: "NOT (\(condition()))"
        case 3: "a IN (\u{2}, \u{2})"
        case 4: "\u{2} < \u{2}"
        case 5: "\u{1}::bool"
        case 6: "\u{1} IS NOT NULL"
        case 7: "EXISTS (\(query()))"
        case 8: "set_config(\u{1}, \u{1}, \u{1}) = \u{1}"
        case 9: "a = -\u{2}"
        default: "\(expression()) = \(expression())"
        }
    }

    private mutating func expression() -> String {
        depth += 1
        defer { depth -= 1 }
        guard depth < 5 else { return pick(["\u{1}", "\u{2}", "a", "*"]) }
        return switch random.next() % 14 {
        case 0: "\u{1}"
        case 1: "\u{2}"
        case 2: "x.a"
        case 3: "$\(random.next() % 3 + 1)"
        case 4: "lower(\(expression()))"
        case 5: "set_config(\u{1}, \(expression()), true)"
        case 6: "query_to_xml(\u{1}, true, true, \u{1})"
        case 7: "CASE WHEN \(condition()) THEN \(expression()) ELSE \u{2} END"
        case 8: "(\(query()))"
        case 9: "\(expression()) || \u{1}"
        case 10: "\u{1}::text"
        case 11: "interval \u{1}"
        case 12: "e\u{1}"
        default: "a"
        }
    }
}
