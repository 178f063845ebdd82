internal import CPgQuery

/// What the linked libpg_query says of its own messages: for each message its fields, for each field how to read it.
///
/// The parse tree is walked by this, so every field of every node is seen, whatever the version of the grammar.
struct Schema: Sendable {
    enum FieldKind: UInt8, Sendable {
        case unknown
        /// Integers, enums and booleans; also the fixed-width numbers, which nothing here reads.
        case number
        case text
        case message
    }

    struct Field: Sendable {
        var kind: FieldKind = .unknown
        /// Index of the message type, where `kind` is `.message`.
        var type: Int32 = -1
        /// Strings in this list are names of columns.
        var listsColumns = false
        var name = ""
    }

    struct MessageType: Sendable {
        var name = ""
        var kind: NodeKind = .other
        /// `create_trig_stmt`: the name of the node as the library's own text spells it.
        var snakeName = ""
        /// By field number; unused numbers are `.unknown`.
        var fields: [Field] = []
        var numbers: [String: Int] = [:]
        /// A statement of its own, wherever it stands.
        var isStatement = false
    }

    let types: [MessageType]
    let typeIndex: [String: Int32]
    /// By enum name and value: `OBJECT_TABLE`.
    let enums: [String: [Int: String]]

    static let shared = Schema()

    /// By type, then by field number: the type of the message in that field, or `notAMessage`, or -1 for an unknown one.
    /// Allocated once, never freed: the walk reads it for every field.
    nonisolated(unsafe) static let shapes: UnsafeBufferPointer<UnsafeBufferPointer<Int32>> = immortal(
        shared.types.map { type in
            immortal(type.fields.map { $0.kind == .message ? $0.type : $0.kind == .unknown ? -1 : notAMessage })
        })
    nonisolated(unsafe) static let kinds: UnsafeBufferPointer<NodeKind> = immortal(shared.types.map(\.kind))
    static let notAMessage: Int32 = -2

    private static func immortal<T>(_ items: [T]) -> UnsafeBufferPointer<T> {
        let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: items.count)
        _ = buffer.initialize(from: items)
        return UnsafeBufferPointer(buffer)
    }

    /// Field names whose `String` items name columns, wherever they stand.
    private static let columnLists: Set<String> = [
        "cols", "attlist", "keys", "fk_attrs", "pk_attrs", "columns", "va_cols", "including", "fk_del_set_cols",
        "search_col_list", "cycle_col_list",
    ]

    private init() {
        var reader = DescriptorReader()
        let parse = reader.index(gatehouse_parse_result_descriptor())
        let scan = reader.index(gatehouse_scan_result_descriptor())
        let node = reader.index(gatehouse_node_descriptor())
        precondition(parse >= 0 && scan >= 0 && node >= 0, "libpg_query does not describe its messages as protobuf-c 1.x does")
        reader.readAll()
        // The name that a statement has inside Node ("drop_stmt") is what an unknown one is reported by.
        if Int(node) < reader.types.count {
            for field in reader.types[Int(node)].fields where field.kind == .message && field.type >= 0 {
                reader.types[Int(field.type)].snakeName = field.name
            }
        }
        types = reader.types
        typeIndex = reader.indexByName
        enums = reader.enums
    }

    /// The number of a field that the walker reads by name.
    ///
    /// A name that the library does not know is a build against the wrong library, found by the first test that runs.
    static func field(_ message: String, _ name: String) -> Int {
        guard let type = shared.typeIndex[message], let number = shared.types[Int(type)].numbers[name] else {
            preconditionFailure("libpg_query has no field \(name) in \(message)")
        }
        return number
    }

    /// The name of an enum's value, in lower case and without `prefix`.
    static func enumName(_ type: String, _ value: Int, dropping prefix: String) -> String {
        guard let name = shared.enums[type]?[value] else { return "unknown" }
        return (name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name).lowercased()
    }

    /// Walks protobuf-c's descriptors. Each is read once; cycles end at the index.
    private struct DescriptorReader {
        var types: [MessageType] = []
        var indexByName: [String: Int32] = [:]
        var enums: [String: [Int: String]] = [:]
        private var pending: [(Int, UnsafePointer<gatehouse_pb_message>)] = []

        /// protobuf-c.h: PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC, PROTOBUF_C_TYPE_*.
        private static let messageMagic: UInt32 = 0x28aa_eef9
        private static let enumMagic: UInt32 = 0x1143_15af
        private static let typeEnum: Int32 = 13
        private static let typeString: Int32 = 14
        private static let typeMessage: Int32 = 16

        mutating func index(_ descriptor: UnsafePointer<gatehouse_pb_message>?) -> Int32 {
            guard let descriptor, descriptor.pointee.magic == Self.messageMagic else { return -1 }
            let name = String(cString: descriptor.pointee.short_name)
            if let known = indexByName[name] { return known }
            let index = Int32(types.count)
            indexByName[name] = index
            var type = MessageType(name: name, kind: NodeKind(rawValue: name) ?? .other, snakeName: name)
            type.isStatement = name.hasSuffix("Stmt") && name != "RawStmt" && name != "SetOperationStmt"
            types.append(type)
            pending.append((Int(index), descriptor))
            return index
        }

        mutating func readAll() {
            while let (index, descriptor) = pending.popLast() {
                for position in 0..<Int(descriptor.pointee.n_fields) {
                    read(descriptor.pointee.fields[position], into: index)
                }
            }
        }

        private mutating func read(_ raw: gatehouse_pb_field, into index: Int) {
            var field = Field(kind: .number, name: String(cString: raw.name))
            field.listsColumns = Schema.columnLists.contains(field.name)
            if raw.type == Self.typeMessage {
                field.kind = .message
                field.type = self.index(raw.descriptor?.assumingMemoryBound(to: gatehouse_pb_message.self))
            } else if raw.type == Self.typeString {
                field.kind = .text
            } else if raw.type == Self.typeEnum, let pointer = raw.descriptor?.assumingMemoryBound(to: gatehouse_pb_enum.self) {
                read(pointer.pointee)
            }
            let number = Int(raw.id)
            while types[index].fields.count <= number { types[index].fields.append(Field()) }
            types[index].fields[number] = field
            types[index].numbers[field.name] = number
        }

        private mutating func read(_ raw: gatehouse_pb_enum) {
            guard raw.magic == Self.enumMagic else { return }
            let name = String(cString: raw.short_name)
            guard enums[name] == nil else { return }
            var values: [Int: String] = [:]
            for position in 0..<Int(raw.n_values) {
                values[Int(raw.values[position].value)] = String(cString: raw.values[position].name)
            }
            enums[name] = values
        }
    }
}
