import NIOCore

/// One column of a result (PostgreSQL documentation, RowDescription).
struct ResultColumn: Sendable, Hashable {
    var name: String
    /// The table's OID when the column is simply a column of a table, else 0.
    var tableOID: UInt32
    /// Its number there, else 0.
    var attributeNumber: Int16
    var typeOID: UInt32
    /// 0 text, 1 binary; 0 also where it is not yet known (a statement described before it is bound).
    var format: Int16

    static func read(_ body: inout BodyReader) throws(ProtocolViolation) -> [ResultColumn] {
        let count: Int16 = try body.integer()
        guard count >= 0 else { throw ProtocolViolation("a row description of \(count) columns") }
        var columns: [ResultColumn] = []
        columns.reserveCapacity(Int(count))
        for _ in 0..<count {
            let name = try body.cString()
            let table: UInt32 = try body.integer()
            let attribute: Int16 = try body.integer()
            let type: UInt32 = try body.integer()
            try body.skip(6)  // type size and modifier
            let format: Int16 = try body.integer()
            columns.append(ResultColumn(name: name, tableOID: table, attributeNumber: attribute, typeOID: type, format: format))
        }
        try body.finish()
        return columns
    }
}
