/// Reads what masking needs from a view's stored query (`pg_rewrite.ev_action`).
///
/// The server stores the analysed query as text, `{NODE :field value ..}` with lists in parentheses (`outfuncs.c`). Each item of
/// its target list says where the value comes from in `:resorigtbl` and `:resorigcol`: the same facts that the server later puts
/// into a RowDescription. They are zero for everything but a bare column; what such an item is made from are the `VAR` nodes in
/// it, by the place of a relation in the query's range table and a column of it. That is told only for queries without another
/// query inside, over nothing but relations and joins of them.
struct ViewDefinition: Equatable {
    /// By position of the output column, counted from 1.
    var origins: [Int16: ViewFacts.Origin] = [:]
    var usesWholeRow = false
    var functions: Set<UInt32> = []
    /// By position, the columns that an item is made from. Only of those for which all are known.
    var sources: [Int16: Set<ColumnID>] = [:]
    /// The columns that stand elsewhere in the query, or that it sorts or groups by; nil where these are not known.
    var deciding: Set<ColumnID>?

    /// nil when the text is not a single query as expected.
    init?(_ text: UnsafeRawBufferPointer) {
        var scanner = Scanner(text: text)
        // Depth 1 is the list of the rule's queries, 2 the query, 3 its target list, 4 one item.
        var field: [UInt8] = []
        var inTargetList = false
        var item = Item()
        var queries = 0
        var tracer = Tracer()
        while let token = scanner.next() {
            switch token {
            case .open:
                tracer.open(depth: scanner.depth)
                if scanner.depth == 2 { queries += 1 }
                if scanner.depth == 4 { item = Item() }
            case .close:
                tracer.close(depth: scanner.depth)
                if scanner.depth == 3, inTargetList {
                    item.add(to: &origins)
                    tracer.endItem(item)
                }
            case .field(let name):
                field = Array(name)
                if scanner.depth == 2 { tracer.begin(field: field) }
                if scanner.depth == 2 { inTargetList = field.elementsEqual(Self.targetList) }
            case .value(let value):
                take(value, of: field)
                tracer.take(value, of: field, depth: scanner.depth)
                if scanner.depth == 4, inTargetList { item.take(value, of: field) }
                field.removeAll(keepingCapacity: true)
            }
        }
        guard queries == 1, scanner.isBalanced else { return nil }
        (sources, deciding) = tracer.result()
    }

    private static let targetList = Array("targetList".utf8)
    private static let varattno = Array("varattno".utf8)
    private static let functionFields = ["funcid", "opfuncid", "aggfnoid", "winfnoid"].map { Array($0.utf8) }

    private mutating func take(_ value: UnsafeRawBufferPointer.SubSequence, of field: [UInt8]) {
        if field == Self.varattno {
            if Scanner.number(value) == 0 { usesWholeRow = true }
        } else if Self.functionFields.contains(field), let number = Scanner.number(value) {
            functions.insert(number)
        }
    }

    /// One item of the target list.
    private struct Item {
        private static let resno = Array("resno".utf8)
        private static let resorigtbl = Array("resorigtbl".utf8)
        private static let resorigcol = Array("resorigcol".utf8)
        private static let resjunk = Array("resjunk".utf8)
        private static let sortReference = Array("ressortgroupref".utf8)

        private(set) var number: UInt32?
        private(set) var sorts = false
        private var table: UInt32?
        private var column: UInt32?
        private var isJunk = false

        mutating func take(_ value: UnsafeRawBufferPointer.SubSequence, of field: [UInt8]) {
            if field == Self.resno { number = Scanner.number(value) }
            if field == Self.resorigtbl { table = Scanner.number(value) }
            if field == Self.resorigcol { column = Scanner.number(value) }
            if field == Self.sortReference { sorts = Scanner.number(value) != 0 }
            if field == Self.resjunk { isJunk = value.first == UInt8(ascii: "t") }
        }

        func add(to origins: inout [Int16: ViewFacts.Origin]) {
            guard !isJunk, let number = number.flatMap(Int16.init(exactly:)), let table, let column = column.flatMap(Int16.init(exactly:))
            else { return }
            origins[number] = table == 0 || column == 0 ? .computed : .column(ColumnID(table: table, attnum: column))
        }
    }

    /// Finds the columns that each item is made from.
    private struct Tracer {
        private struct Variable {
            var depth: Int
            var relation: UInt32?
            var column: UInt32?
            var level: UInt32?
        }

        private enum Part { case rangeTable, targetList, other }

        private var part = Part.other
        private var expectsName = false
        private var isSimple = true
        /// The range table, in order: the relation's OID, or nil for a join.
        private var relations: [UInt32?] = []
        private var kind: UInt32?
        private var relation: UInt32?
        private var variables: [Variable] = []
        private var inItem: [Variable] = []
        private var elsewhere: [Variable] = []
        private var items: [(number: UInt32, variables: [Variable])] = []

        mutating func begin(field: [UInt8]) {
            part = field == Self.rangeTable ? .rangeTable : field == ViewDefinition.targetList ? .targetList : .other
        }

        mutating func open(depth: Int) {
            expectsName = true
            if part == .rangeTable, depth == 4 { (kind, relation) = (nil, nil) }
        }

        mutating func close(depth: Int) {
            expectsName = false
            if part == .rangeTable, depth == 3 {
                // RTE_RELATION and RTE_JOIN (parsenodes.h).
                if kind == 0, let relation { relations.append(relation) } else { relations.append(nil) }
                if kind != 0, kind != 2 { isSimple = false }
            }
            guard let last = variables.last, last.depth == depth + 1 else { return }
            variables.removeLast()
            switch part {
            // Of a join, only what it joins; that stands in its condition again.
            case .rangeTable: break
            case .targetList: inItem.append(last)
            case .other: elsewhere.append(last)
            }
        }

        mutating func take(_ value: UnsafeRawBufferPointer.SubSequence, of field: [UInt8], depth: Int) {
            if expectsName {
                expectsName = false
                if field.isEmpty || depth > 2 { name(value, depth: depth) }
            }
            if part == .rangeTable, depth == 4 {
                if field == Self.kindField { kind = Scanner.number(value) }
                if field == Self.relationField { relation = Scanner.number(value) }
            }
            guard let last = variables.indices.last, variables[last].depth == depth else { return }
            if field == Self.relationPlace { variables[last].relation = Scanner.number(value) }
            if field == ViewDefinition.varattno { variables[last].column = Scanner.number(value) ?? .max }
            if field == Self.level { variables[last].level = Scanner.number(value) }
        }

        private mutating func name(_ value: UnsafeRawBufferPointer.SubSequence, depth: Int) {
            if value.elementsEqual(Self.variable) { variables.append(Variable(depth: depth)) }
            if depth > 2, value.elementsEqual(Self.query) || value.elementsEqual(Self.subLink) || value.elementsEqual(Self.sample) {
                isSimple = false
            }
        }

        mutating func endItem(_ item: Item) {
            if let number = item.number { items.append((number, inItem)) } else { isSimple = false }
            if item.sorts { elsewhere += inItem }
            inItem = []
        }

        func result() -> ([Int16: Set<ColumnID>], Set<ColumnID>?) {
            guard isSimple, let deciding = columns(of: elsewhere) else { return ([:], nil) }
            var sources: [Int16: Set<ColumnID>] = [:]
            for (number, variables) in items {
                guard let number = Int16(exactly: number), let columns = columns(of: variables) else { continue }
                sources[number] = columns
            }
            return (sources, deciding)
        }

        /// nil where one of them is a whole row, a column of a join, or a thing of another query.
        private func columns(of variables: [Variable]) -> Set<ColumnID>? {
            var found: Set<ColumnID> = []
            for variable in variables {
                guard variable.level == 0, let place = variable.relation, place > 0, place <= relations.count,
                    let relation = relations[Int(place) - 1], let column = variable.column, column != 0
                else { return nil }
                // A system column has a sign, and is no value of the table's.
                if let attnum = Int16(exactly: column) { found.insert(ColumnID(table: relation, attnum: attnum)) }
            }
            return found
        }

        private static let rangeTable = Array("rtable".utf8)
        private static let kindField = Array("rtekind".utf8)
        private static let relationField = Array("relid".utf8)
        private static let relationPlace = Array("varno".utf8)
        private static let level = Array("varlevelsup".utf8)
        private static let variable = Array("VAR".utf8)
        private static let query = Array("QUERY".utf8)
        private static let subLink = Array("SUBLINK".utf8)
        private static let sample = Array("TABLESAMPLECLAUSE".utf8)
    }

    private enum Token {
        case open, close
        case field(UnsafeRawBufferPointer.SubSequence)
        case value(UnsafeRawBufferPointer.SubSequence)
    }

    /// Splits at spaces and brackets; a backslash takes the next byte's meaning away.
    private struct Scanner {
        let text: UnsafeRawBufferPointer
        private var index = 0
        private(set) var depth = 0
        private var sawUnderflow = false

        init(text: UnsafeRawBufferPointer) {
            self.text = text
        }

        var isBalanced: Bool { depth == 0 && !sawUnderflow }

        mutating func next() -> Token? {
            while index < text.count, text[index] == 0x20 || text[index] == 0x0A || text[index] == 0x09 { index += 1 }
            guard index < text.count else { return nil }
            switch text[index] {
            case UInt8(ascii: "("), UInt8(ascii: "{"):
                index += 1
                depth += 1
                return .open
            case UInt8(ascii: ")"), UInt8(ascii: "}"):
                index += 1
                if depth == 0 { sawUnderflow = true } else { depth -= 1 }
                return .close
            case UInt8(ascii: ":"):
                index += 1
                return .field(word())
            default:
                return .value(word())
            }
        }

        /// At least one byte, so that the scan always ends.
        private mutating func word() -> UnsafeRawBufferPointer.SubSequence {
            let start = index
            while index < text.count {
                switch text[index] {
                case 0x20, 0x0A, 0x09, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "}"):
                    return text[start..<index]
                case UInt8(ascii: "\\"):
                    index += 2
                default:
                    index += 1
                }
            }
            index = text.count
            return text[start..<index]
        }

        static func number(_ digits: UnsafeRawBufferPointer.SubSequence) -> UInt32? {
            guard !digits.isEmpty else { return nil }
            var value: UInt32 = 0
            for digit in digits {
                guard digit >= 0x30, digit <= 0x39 else { return nil }
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(UInt32(digit - 0x30))
                guard !overflow, !carry else { return nil }
                value = sum
            }
            return value
        }
    }
}
