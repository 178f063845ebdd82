/// Reads what masking needs from a view's stored query (`pg_rewrite.ev_action`).
///
/// The server stores the analysed query as text, `{NODE :field value ..}` with lists in parentheses (`outfuncs.c`). Each item of
/// its target list says where the value comes from in `:resorigtbl` and `:resorigcol`: the same facts that the server later puts
/// into a RowDescription. They are zero for everything but a bare column.
struct ViewDefinition: Equatable {
    /// By position of the output column, counted from 1.
    var origins: [Int16: ViewFacts.Origin] = [:]
    var usesWholeRow = false
    var functions: Set<UInt32> = []

    /// nil when the text is not a single query as expected.
    init?(_ text: UnsafeRawBufferPointer) {
        var scanner = Scanner(text: text)
        // Depth 1 is the list of the rule's queries, 2 the query, 3 its target list, 4 one item.
        var field: [UInt8] = []
        var inTargetList = false
        var item = Item()
        var queries = 0
        while let token = scanner.next() {
            switch token {
            case .open:
                if scanner.depth == 2 { queries += 1 }
                if scanner.depth == 4 { item = Item() }
            case .close:
                if scanner.depth == 3, inTargetList { item.add(to: &origins) }
            case .field(let name):
                field = Array(name)
                if scanner.depth == 2 { inTargetList = field.elementsEqual(Self.targetList) }
            case .value(let value):
                take(value, of: field)
                if scanner.depth == 4, inTargetList { item.take(value, of: field) }
                field.removeAll(keepingCapacity: true)
            }
        }
        guard queries == 1, scanner.isBalanced else { return nil }
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

        private var number: UInt32?
        private var table: UInt32?
        private var column: UInt32?
        private var isJunk = false

        mutating func take(_ value: UnsafeRawBufferPointer.SubSequence, of field: [UInt8]) {
            if field == Self.resno { number = Scanner.number(value) }
            if field == Self.resorigtbl { table = Scanner.number(value) }
            if field == Self.resorigcol { column = Scanner.number(value) }
            if field == Self.resjunk { isJunk = value.first == UInt8(ascii: "t") }
        }

        func add(to origins: inout [Int16: ViewFacts.Origin]) {
            guard !isJunk, let number = number.flatMap(Int16.init(exactly:)), let table, let column = column.flatMap(Int16.init(exactly:))
            else { return }
            origins[number] = table == 0 || column == 0 ? .computed : .column(ColumnID(table: table, attnum: column))
        }
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
