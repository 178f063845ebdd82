import GatehouseCore
import NIOCore

@testable import Postgres

/// One whole message by hand, shown so that a failed expectation can be read.
struct Message: Equatable, CustomStringConvertible {
    var bytes: [UInt8]

    init(_ buffer: ByteBuffer) { bytes = Array(buffer.readableBytesView) }

    init(_ type: Character, _ body: (inout ByteBuffer) -> Void = { _ in }) {
        var buffer = ByteBuffer()
        writeMessage(type.asciiValue ?? 0, to: &buffer, body)
        self.init(buffer)
    }

    var description: String {
        let body = bytes.dropFirst(5).map { (0x20...0x7E).contains($0) ? String(UnicodeScalar($0)) : $0 == 0 ? "|" : "\\\($0)" }.joined()
        return "\(bytes.first.map(printable) ?? "?")[\(body)]"
    }

    /// Cuts a stream; what is left over becomes a last message of its own.
    static func split(_ stream: [UInt8]) -> [Message] {
        var rest = ByteBuffer(bytes: stream)
        var result: [Message] = []
        while let length = rest.getInteger(at: rest.readerIndex + 1, as: Int32.self),
            let whole = rest.readSlice(length: Int(length) + 1)
        {
            result.append(Message(whole))
        }
        if rest.readableBytes > 0 { result.append(Message(rest)) }
        return result
    }
}

/// What a client says.
extension Message {
    static func query(_ text: String) -> Message { Message("Q") { $0.writeCString(text) } }

    static func parse(_ name: String, _ text: String) -> Message {
        Message("P") { body in
            body.writeCString(name)
            body.writeCString(text)
            body.writeInteger(Int16(0))
        }
    }

    static func bind(_ portal: String, _ statement: String) -> Message {
        Message("B") { body in
            body.writeCString(portal)
            body.writeCString(statement)
            for _ in 0..<3 { body.writeInteger(Int16(0)) }
        }
    }

    static func execute(_ portal: String) -> Message {
        Message("E") { body in
            body.writeCString(portal)
            body.writeInteger(Int32(0))
        }
    }

    static func describe(_ what: String, _ name: String) -> Message {
        Message("D") { body in
            body.writeString(what)
            body.writeCString(name)
        }
    }

    static func close(_ what: String, _ name: String) -> Message {
        Message("C") { body in
            body.writeString(what)
            body.writeCString(name)
        }
    }

    static let sync = Message("S")
    static let flush = Message("H")
    static let terminate = Message("X")
    static let copyDone = Message("c")
    static let functionCall = Message("F") { $0.writeBytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]) }
    static func copyFail(_ why: String) -> Message { Message("f") { $0.writeCString(why) } }
    static func copyData(_ text: String) -> Message { Message("d") { $0.writeString(text) } }
}

/// What a server says.
extension Message {
    static let parseComplete = Message("1")
    static let bindComplete = Message("2")
    static let closeComplete = Message("3")
    static let noData = Message("n")
    static let suspended = Message("s")
    static let emptyQuery = Message("I")
    static let parameters = Message("t") { $0.writeInteger(Int16(0)) }
    static func ready(_ status: String = "I") -> Message { Message("Z") { $0.writeString(status) } }
    static func complete(_ tag: String) -> Message { Message("C") { $0.writeCString(tag) } }
    static func status(_ name: String, _ value: String) -> Message {
        Message("S") { body in
            body.writeCString(name)
            body.writeCString(value)
        }
    }

    static func error(_ code: String, _ text: String, severity: String = "ERROR", as type: Character = "E") -> Message {
        Message(type) { body in
            for (field, value) in [("S", severity), ("V", severity), ("C", code), ("M", text)] {
                body.writeString(field)
                body.writeCString(value)
            }
            body.writeInteger(UInt8(0))
        }
    }

    static func notice(_ text: String) -> Message { error("00000", text, severity: "NOTICE", as: "N") }

    static func row(_ values: String?...) -> Message {
        Message("D") { body in
            body.writeInteger(Int16(values.count))
            for value in values {
                body.writeInteger(Int32(value?.utf8.count ?? -1))
                if let value { body.writeString(value) }
            }
        }
    }

    /// Text columns of a table.
    static func columns(_ names: String...) -> Message {
        Message("T") { body in
            body.writeInteger(Int16(names.count))
            for (index, name) in names.enumerated() {
                body.writeCString(name)
                body.writeInteger(UInt32(16_400))
                body.writeInteger(Int16(index + 1))
                body.writeInteger(UInt32(25))
                body.writeInteger(Int16(-1))
                body.writeInteger(Int32(-1))
                body.writeInteger(Int16(0))
            }
        }
    }

    static func copy(_ direction: Character, columns: Int16) -> Message {
        Message(direction) { body in
            body.writeInteger(UInt8(0))
            body.writeInteger(columns)
            for _ in 0..<columns { body.writeInteger(Int16(0)) }
        }
    }
    static let copyIn = copy("G", columns: 2)
    static let copyOut = copy("H", columns: 2)
}
