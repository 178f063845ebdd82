/// What can be said of a condition without knowing a row.
///
/// Claimed is only what follows from the text: constants, comparisons of constants, NOT, AND, OR, IS tests, and
/// `x IS NOT DISTINCT FROM x`. `x = x` may hold for all (it is null where x is). Nothing is claimed of arithmetic over columns. A condition
/// that mentions no column at all has one answer for every row, so unless it is known to be false it may hold for all.
enum Truth {
    case isTrue
    case isFalse
    case isNull
    /// The same for every row, but not known: a parameter, `now() > '2020-01-01'`.
    case sameForAll
    /// May differ from row to row.
    case dependsOnRow

    /// A write under this condition may touch every row.
    var canHoldForAll: Bool {
        switch self {
        case .isTrue, .sameForAll: true
        case .isFalse, .isNull, .dependsOnRow: false
        }
    }

    static prefix func ! (value: Truth) -> Truth {
        switch value {
        case .isTrue: .isFalse
        case .isFalse: .isTrue
        case .isNull: .isNull
        case .sameForAll: .sameForAll
        case .dependsOnRow: .dependsOnRow
        }
    }

    static func all(_ values: [Truth]) -> Truth {
        if values.contains(.isFalse) { return .isFalse }
        if values.contains(.dependsOnRow) { return .dependsOnRow }
        if values.contains(.sameForAll) { return .sameForAll }
        return values.contains(.isNull) ? .isNull : .isTrue
    }

    /// One part that may hold for all rows makes the whole do so.
    static func any(_ values: [Truth]) -> Truth {
        if values.contains(.isTrue) { return .isTrue }
        if values.contains(.sameForAll) { return .sameForAll }
        if values.contains(.dependsOnRow) { return .dependsOnRow }
        return values.contains(.isNull) ? .isNull : .isFalse
    }
}

/// A constant whose value is understood.
private enum Constant: Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case text(String)
}

extension Walker {
    mutating func truth(of node: Message) throws -> Truth {
        switch node.kind {
        case .constant, .typeCast:
            if let value = try constant(node) { return truth(of: value) }
        case .boolExpression:
            var parts: [Truth] = []
            for argument in try node.messages(Fields.Expression.boolArguments) { parts.append(try truth(of: argument)) }
            let kind = Schema.enumName("BoolExprType", try node.number(Fields.Expression.boolOperator), dropping: "")
            if kind == "and_expr" { return Truth.all(parts) }
            if kind == "or_expr" { return try coversNull(node) ? .isTrue : Truth.any(parts) }
            return parts.first.map { !$0 } ?? .dependsOnRow
        case .booleanTest: return try booleanTest(node)
        case .nullTest:
            if let argument = try node.message(Fields.Expression.nullArgument), let value = try constant(argument) {
                let isNull = Schema.enumName("NullTestType", try node.number(Fields.Expression.nullTest), dropping: "") == "is_null"
                return (value == .null) == isNull ? .isTrue : .isFalse
            }
        case .operatorExpression:
            if let known = try comparison(node) { return known }
        default: break
        }
        return try mentionsRow(node) ? .dependsOnRow : .sameForAll
    }

    private func truth(of value: Constant) -> Truth {
        switch value {
        case .null: return .isNull
        case .boolean(let value): return value ? .isTrue : .isFalse
        case .integer: return .sameForAll  // Not a boolean: the server refuses it.
        case .text(let text):
            // bool's input: any prefix of these that is not ambiguous, in any case, blanks around it ignored.
            let word = text.filter { !$0.isWhitespace }.asciiLowercased
            if word == "1" || word == "on" || (!word.isEmpty && ("true".hasPrefix(word) || "yes".hasPrefix(word))) { return .isTrue }
            let isFalse = word == "0" || word == "of" || word == "off" || "false".hasPrefix(word) || "no".hasPrefix(word)
            return isFalse && !word.isEmpty ? .isFalse : .sameForAll
        }
    }

    /// Whether `constant` could know its value, without a look at it.
    private func mayBeConstant(_ node: Message) -> Bool { node.kind == .constant || node.kind == .typeCast }

    /// What a constant is. Having looked ties the facts to this literal, even where nothing is concluded from it: from
    /// another one something might be.
    private mutating func constant(_ node: Message) throws -> Constant? {
        if node.kind == .typeCast {
            // Of the casts only that to boolean, which is also how TRUE was once written, keeps its meaning here.
            guard let type = try node.message(Fields.Expression.castType), let inner = try node.message(Fields.Expression.castArgument),
                qualified(try strings(try type.messages(Fields.Common.typeNames)))?.name == "bool", let value = try constant(inner)
            else { return nil }
            if case .integer(let number) = value { return .boolean(number != 0) }
            switch truth(of: value) {
            case .isTrue: return .boolean(true)
            case .isFalse: return .boolean(false)
            case .isNull: return .null
            case .sameForAll, .dependsOnRow: return nil
            }
        }
        guard node.kind == .constant else { return nil }
        facts.readLiteral = true
        if try node.flag(Fields.Constant.isNull) { return .null }
        if let boolean = try node.message(Fields.Constant.boolean) { return .boolean(try boolean.flag(Fields.Constant.booleanValue)) }
        if let integer = try node.message(Fields.Constant.integer) { return .integer(try integer.number(Fields.Constant.integerValue)) }
        if let string = try node.message(Fields.Constant.string) { return .text(try string.text(Fields.Common.string) ?? "") }
        return nil
    }

    private mutating func booleanTest(_ node: Message) throws -> Truth {
        guard let argument = try node.message(Fields.Expression.booleanArgument) else { return .dependsOnRow }
        let value = try truth(of: argument)
        let test = Schema.enumName("BoolTestType", try node.number(Fields.Expression.booleanTest), dropping: "IS_")
        let isNegated = test.hasPrefix("not_")
        let wanted: Truth =
            switch isNegated ? String(test.dropFirst(4)) : test {
            case "true": .isTrue
            case "false": .isFalse
            default: .isNull
            }
        switch value {
        case .isTrue, .isFalse, .isNull: return (value == wanted) != isNegated ? .isTrue : .isFalse
        case .sameForAll: return .sameForAll
        case .dependsOnRow: return .dependsOnRow
        }
    }

    private mutating func comparison(_ node: Message) throws -> Truth? {
        guard let left = try node.message(Fields.Expression.left), let right = try node.message(Fields.Expression.right) else { return nil }
        let kind = Schema.enumName("A_Expr_Kind", try node.number(Fields.Expression.kind), dropping: "AEXPR_")
        if kind == "distinct" || kind == "not_distinct" {
            let isSame: Bool
            if let name = try columnPath(left), try name == columnPath(right) {
                isSame = true
            } else if mayBeConstant(left), mayBeConstant(right), let a = try constant(left), let b = try constant(right) {
                isSame = a == b
            } else {
                return nil
            }
            return isSame == (kind == "not_distinct") ? .isTrue : .isFalse
        }
        let name = qualified(try strings(try node.messages(Fields.Expression.name)))
        // True but where the column is null: no condition that anybody means.
        if kind == "op", let name, ["=", "<=", ">="].contains(name.name), let column = try columnPath(left), try column == columnPath(right)
        {
            return .sameForAll
        }
        guard kind == "op", let operation = name, operation.schema == nil || operation.schema == "pg_catalog",
            mayBeConstant(left), mayBeConstant(right), let a = try constant(left), let b = try constant(right)
        else { return nil }
        if a == .null || b == .null { return Builtins.operators.contains(operation.name) ? .isNull : nil }
        let order: Int
        switch (a, b) {
        case (.integer(let a), .integer(let b)): order = a < b ? -1 : a > b ? 1 : 0
        case (.boolean(let a), .boolean(let b)): order = a == b ? 0 : b ? -1 : 1
        // Collations differ over order, and never call unequal texts equal by default; equality alone is claimed.
        case (.text(let a), .text(let b)): order = a.utf8.elementsEqual(b.utf8) ? 0 : 2
        default: return nil
        }
        switch operation.name {
        case "=": return order == 0 ? .isTrue : .isFalse
        case "<>", "!=": return order != 0 ? .isTrue : .isFalse
        case "<" where order != 2: return order < 0 ? .isTrue : .isFalse
        case ">" where order != 2: return order > 0 ? .isTrue : .isFalse
        case "<=" where order != 2: return order <= 0 ? .isTrue : .isFalse
        case ">=" where order != 2: return order >= 0 ? .isTrue : .isFalse
        default: return nil
        }
    }

    private func columnPath(_ node: Message) throws -> [String]? {
        guard node.kind == .columnRef else { return nil }
        let fields = try node.messages(Fields.Common.columnFields)
        let names = try strings(fields)
        return names.count == fields.count ? names : nil
    }

    /// `x IS NULL OR x IS NOT NULL`.
    private func coversNull(_ node: Message) throws -> Bool {
        var tested: [[String]: Set<Int>] = [:]
        for argument in try node.messages(Fields.Expression.boolArguments) where argument.kind == .nullTest {
            guard let column = try argument.message(Fields.Expression.nullArgument), let path = try columnPath(column) else { continue }
            tested[path, default: []].insert(try argument.number(Fields.Expression.nullTest))
        }
        return tested.values.contains { $0.count > 1 }
    }

    /// Whether anything below may differ by row: a column, a sub-select (which may be correlated), a cursor's position.
    ///
    /// A sub-select without any column of its own counts as the rest does.
    private func mentionsRow(_ node: Message) throws -> Bool {
        switch node.kind {
        case .columnRef, .currentOf, .rangeVar: return true
        default: break
        }
        var found = false
        try node.children { _, child in
            if !found { found = try mentionsRow(child) }
        }
        return found
    }
}
