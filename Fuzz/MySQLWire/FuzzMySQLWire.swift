import CFuzz
import GatehouseCore
import NIOCore

@testable import MySQL

/// Feeds bytes to what reads MySQL's protocol, on either side, once whole and once cut as the first input byte says.
///
/// The second byte says which side speaks and with which capabilities; the bytes behind it are a peer's. What must hold: nothing
/// traps; cuts change nothing; what was read and written again reads the same; nobody is in without TLS and a secret; nothing but
/// silence behind a failure.
@main
enum FuzzMySQLWire {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzMySQLWire.one(Array(UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    private static func one(_ input: [UInt8]) -> Int32 {
        guard input.count > 2 else { return 0 }
        let step = Int(input[0] & 0x3F) + 1
        let stream = Array(input.dropFirst(2))
        var capabilities = CapabilityPlan.offered(input[1] & 1 == 0 ? .mysql : .mariadb)
        if input[1] & 2 != 0 { capabilities.subtract([.deprecateEOF, .sessionTracking, .queryAttributes]) }
        switch input[1] >> 2 & 3 {
        case 0: commands(stream, step, capabilities)
        case 1: answers(stream, step, capabilities, CommandCode(rawValue: input[1] >> 4) ?? .query)
        case 2: client(stream, step)
        default: server(stream, step)
        }
        return 0
    }

    private static func parts(_ stream: [UInt8], _ step: Int, _ body: (ByteBuffer) -> Bool) {
        var rest = ByteBuffer(bytes: stream)
        while let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
            guard body(part) else { return }
        }
    }

    private static func commands(_ stream: [UInt8], _ step: Int, _ capabilities: Capabilities) {
        func run(_ step: Int) -> ([Command], ProtocolViolation?) {
            var link = ClientLink(capabilities, messageBytes: 4_096)
            var found: [Command] = []
            var failure: ProtocolViolation?
            parts(stream, step) { part in
                link.append(part)
                do throws(ProtocolViolation) {
                    while let request = try link.next() { found.append(request.command) }
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
            return (found, failure)
        }
        let (cut, whole) = (run(step), run(max(stream.count, 1)))
        precondition(cut.0 == whole.0 && cut.1 == whole.1, "cuts change what the link makes of the bytes")
        let statement = PreparedStatement(text: ByteBuffer(), parameterCount: 3, columnCount: 1)
        for command in whole.0 {
            if let payload = try? command.payload(for: capabilities), let again = try? Command(payload, capabilities) {
                let second = try? again.payload(for: capabilities)
                precondition(second == payload, "a command that was written reads otherwise")
            }
            if case .execute(let request) = command, let block = try? request.parameters(of: statement, capabilities),
                let made = try? ExecuteRequest.make(request, block, of: statement, capabilities)
            {
                let again = try? made.parameters(of: statement, capabilities)
                precondition(block.bringsTypes ? again == block : true, "an execution that was written reads otherwise")
            }
            if case .bulkExecute(let request) = command { _ = try? request.rows(of: statement) }
        }
    }

    private static func answers(_ stream: [UInt8], _ step: Int, _ capabilities: Capabilities, _ code: CommandCode) {
        func run(_ step: Int) -> ([Response], ProtocolViolation?) {
            var link = UpstreamLink(capabilities, messageBytes: 4_096, depth: 8)
            var found: [Response] = []
            var failure: ProtocolViolation?
            guard (try? link.send(code, ByteBuffer())) != nil, (try? link.send(.query, ByteBuffer())) != nil else { return ([], nil) }
            var writer = ResponseWriter(client: capabilities.symmetricDifference(.deprecateEOF), server: capabilities, sequence: 1)
            var written = ByteBuffer()
            parts(stream, step) { part in
                link.append(part)
                do throws(ProtocolViolation) {
                    while let response = try link.next() {
                        found.append(response)
                        writer.write(response, status: link.reader.status, to: &written)
                        if case .ok(let ok) = response { _ = try? ok.sessionChanges() }
                        if case .row(let row, let isBinary) = response {
                            let types: [ColumnType] = [.long, .varString, .dateTime, .time]
                            if isBinary { _ = try? BinaryRow(row, types: types) } else { _ = try? TextRow(row, columns: 3) }
                        }
                    }
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
            return (found, failure)
        }
        let (cut, whole) = (run(step), run(max(stream.count, 1)))
        precondition(cut.0 == whole.0 && cut.1 == whole.1, "cuts change what the link makes of the bytes")
    }

    private static func client(_ stream: [UInt8], _ step: Int) {
        let rules = ClientHandshake.Rules(family: .mysql, version: "9.7.0", startupPacketBytes: 1_024, authenticationMessageBytes: 1_024)
        var handshake = ClientHandshake(rules: rules, threadID: 1, nonce: Array(1...20))
        _ = handshake.start()
        var hasFailed = false
        parts(stream, step) { part in
            for action in handshake.receive(part) {
                precondition(!hasFailed, "an action behind a failure")
                switch action {
                case .send: break
                case .startTLS(let replay):
                    _ = handshake.tlsIsUp()
                    _ = replay
                case .verify(let login):
                    precondition(handshake.usesTLS && !login.secret.isEmpty, "a secret that must not be asked for")
                    _ = handshake.refused(ClientHandshake.accessDenied(user: login.user))
                    hasFailed = true
                case .fail: hasFailed = true
                }
            }
            return true
        }
    }

    private static func server(_ stream: [UInt8], _ step: Int) {
        var handshake = UpstreamHandshake(
            UpstreamHandshake.Settings(
                user: "u", password: "hunter2", tls: .disable, publicKey: .fetched, client: CapabilityPlan.offered(.mysql),
                listener: .mysql,
                messageBytes: 4_096))
        var isOver = false
        parts(stream, step) { part in
            for action in handshake.receive(part) {
                precondition(!isOver, "an action behind the end")
                switch action {
                case .send(let bytes): precondition(!String(buffer: bytes).contains("hunter2"), "the password in the clear")
                case .startTLS: preconditionFailure("TLS that nobody asked for")
                case .authenticated: break
                case .fail: isOver = true
                }
            }
            return true
        }
    }
}
