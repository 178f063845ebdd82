import NIOCore

/// What the gateway sends to the server in place of a request that it denied.
///
/// Each is certain to fail without doing anything, in every state of a transaction, and fails in the way of the request that
/// it stands for, so that the server answers as many messages as the client expects.
enum InjectedMessage {
    /// A syntax error, which the server finds before it looks at anything else.
    case failingQuery(String)
    case failingParse(String)
    /// Binds a statement that does not exist.
    case failingBind
    /// Runs a portal that does not exist.
    case failingExecute

    /// A name that no client can have given: it holds bytes that the gateway itself draws when it starts.
    private static let absentName = "gatehouse_denied_" + String(UInt64.random(in: .min ... .max), radix: 36)

    var bytes: ByteBuffer {
        var buffer = ByteBuffer()
        switch self {
        case .failingQuery(let rule):
            writeMessage(Frontend.query, to: &buffer) { $0.writeCString(Self.failingText(rule)) }
        case .failingParse(let rule):
            writeMessage(Frontend.parse, to: &buffer) { body in
                body.writeCString("")
                body.writeCString(Self.failingText(rule))
                body.writeInteger(Int16(0))
            }
        case .failingBind:
            writeMessage(Frontend.bind, to: &buffer) { body in
                body.writeCString("")
                body.writeCString(Self.absentName)
                body.writeInteger(Int16(0))
                body.writeInteger(Int16(0))
                body.writeInteger(Int16(0))
            }
        case .failingExecute:
            writeMessage(Frontend.execute, to: &buffer) { body in
                body.writeCString(Self.absentName)
                body.writeInteger(Int32(0))
            }
        }
        return buffer
    }

    /// Describe of a portal, whose answer the gateway keeps.
    static func describe(portal: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        writeMessage(Frontend.describe, to: &buffer) { body in
            body.writeInteger(UInt8(ascii: "P"))
            body.writeCString(portal)
        }
        return buffer
    }

    /// Reads well in the server's log, and cannot be parsed: no statement begins with these words. The rule's id is reduced to
    /// letters, digits and underscores, so that nothing in it can change that.
    private static func failingText(_ rule: String) -> String {
        let word = String(
            rule.unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) ? Character($0) : "_" })
        return "denied by gatehouse rule \(word)"
    }
}
