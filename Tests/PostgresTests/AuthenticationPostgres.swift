import Foundation
import GatehouseCore
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Testing

@testable import Postgres
@testable import Relay

/// A private PostgreSQL with one account a method, and a certificate that can be changed while it runs.
final class AuthenticationPostgres {
    static let password: Secret = "pässwörd Ⅸ\u{AD}"
    static let binaries = "/usr/lib/postgresql/15/bin/"

    let directory: String
    private(set) var port = 0
    private var data: String { directory + "/data" }

    init() async throws {
        directory = try temporaryDirectory()
        try await Self.asServer("chown", ["postgres", directory], asRoot: true)
        try await Self.asServer(
            Self.binaries + "initdb",
            ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        try """
        local all postgres trust
        host all trusted all trust
        host all scrammed,strong all scram-sha-256
        host all hashed all md5
        host all clear all password
        host all bound all scram-sha-256
        """.write(toFile: data + "/pg_hba.conf", atomically: false, encoding: .utf8)
        try await makeCertificates()
        try await start()
        let quoted = "'" + Self.password.reveal() + "'"
        try await execute(
            """
            SET password_encryption = 'scram-sha-256';
            CREATE ROLE trusted LOGIN;
            CREATE ROLE scrammed LOGIN PASSWORD \(quoted);
            CREATE ROLE clear LOGIN PASSWORD \(quoted);
            SET password_encryption = 'md5';
            CREATE ROLE hashed LOGIN PASSWORD \(quoted);
            CREATE ROLE strong LOGIN PASSWORD \(Self.verifier(iterations: 50_000));
            """)
    }

    /// A SCRAM verifier of a work factor that the server's own default never reaches (format: "pg_authid").
    private static func verifier(iterations: Int) async throws -> String {
        let script = """
            import hashlib, hmac, base64, sys
            password, salt, count = sys.argv[1].encode(), b"0123456789abcdef", int(sys.argv[2])
            salted = hashlib.pbkdf2_hmac("sha256", password, salt, count)
            key = lambda name: hmac.digest(salted, name, "sha256")
            b = lambda x: base64.b64encode(x).decode()
            print(f"SCRAM-SHA-256${count}:{b(salt)}${b(hashlib.sha256(key(b'Client Key')).digest())}:{b(key(b'Server Key'))}", end="")
            """
        return "'"
            + (try await need("/usr/bin/env", ["python3", "-c", script, SASLPrep.password(password.reveal()), "\(iterations)"]).text) + "'"
    }

    private func makeCertificates() async throws {
        for (name, key, signing) in [
            ("rsa", rsaKey, ["-sha256"]), ("ec384", ecKey("P-384"), ["-sha384"]), ("sha512", rsaKey, ["-sha512"]),
            ("pss", rsaKey, ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]),
            ("ed", ["-algorithm", "ED25519"], []),
        ] {
            try await makeCertificate(name, key: key, signing: signing, in: directory)
        }
        try await use(certificate: "rsa", reload: false)
    }

    /// The server presents this certificate from now on.
    func use(certificate name: String, reload: Bool = true) async throws {
        for (from, to) in [("\(name).crt", "server.crt"), ("\(name).key", "server.key")] {
            try await need("/usr/bin/install", ["-m", "600"] + Self.ownership + [directory + "/" + from, data + "/" + to])
        }
        if reload { try await execute("SELECT pg_reload_conf()") }
    }

    private func start() async throws {
        try """
        ssl = on
        listen_addresses = '127.0.0.1'
        unix_socket_directories = '\(directory)'
        fsync = off
        """.write(toFile: data + "/postgresql.auto.conf", atomically: false, encoding: .utf8)
        // Another may take the port between its choice and the server's start: then the next is tried.
        for attempt in 1...5 {
            port = try await Self.freePort()
            let ended = try await Self.runAsServer(
                Self.binaries + "pg_ctl", ["-D", data, "-w", "-l", directory + "/log", "-o", "-p \(port)", "start"])
            if ended.status == 0 { return }
            if attempt == 5 { throw ProgramFailed(description: "PostgreSQL did not start: \(ended.text)\(ended.errors)") }
        }
    }

    func stop() async {
        _ = try? await Self.runAsServer(Self.binaries + "pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"])
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func execute(_ sql: String) async throws {
        try await need(
            "/usr/bin/psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", directory, "-p", "\(port)", "-U", "postgres", "-c", sql])
    }

    private static func freePort() async throws -> Int {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await listener.close()
        return port
    }

    /// PostgreSQL does not run as root: then it runs as its own user.
    private static let isRoot = getuid() == 0
    private static var ownership: [String] { isRoot ? ["-o", "postgres"] : [] }

    private static func runAsServer(_ program: String, _ arguments: [String]) async throws -> Ended {
        if isRoot { return try await run("/usr/sbin/runuser", ["-u", "postgres", "--", program] + arguments, in: "/") }
        return try await run(program, arguments, in: "/")
    }

    private static func asServer(_ program: String, _ arguments: [String], asRoot: Bool = false) async throws {
        if asRoot {
            if isRoot { try await need("/usr/bin/env", [program] + arguments) }
            return
        }
        let ended = try await runAsServer(program, arguments)
        guard ended.status == 0 else { throw ProgramFailed(description: "\(program): \(ended.text)\(ended.errors)") }
    }
}

/// What came of one login.
struct LoginOutcome: Sendable {
    /// The body of the first message of type `p` that was sent, as text.
    var firstProof = ""
    var wasDerivedAway = false
    var parameters: [String: String] = [:]
}

/// Logs in with the machine under test through a real socket, until the server is ready.
func login(
    _ user: String, password: Secret?, port: Int, tls: UpstreamTLSContext?, inlineIterations: Int = 20_000, settings: [SettingChange] = []
) async throws -> LoginOutcome {
    let group = MultiThreadedEventLoopGroup.singleton
    let promise = group.next().makePromise(of: LoginOutcome.self)
    let channel = try await ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    LoginProbe(user: user, password: password, tls: tls, inline: inlineIterations, settings: settings, promise: promise))
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
    defer { channel.close(promise: nil) }
    return try await promise.futureResult.get()
}

private final class LoginProbe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let user: String
    private let password: Secret?
    private let tls: UpstreamTLSContext?
    private let inline: Int
    private let settings: [SettingChange]
    private let promise: EventLoopPromise<LoginOutcome>
    private var handler: NIOSSLClientHandler?
    private var machine: ServerAuthentication?
    private var input = ByteBuffer()
    private var outcome = LoginOutcome()

    init(
        user: String, password: Secret?, tls: UpstreamTLSContext?, inline: Int, settings: [SettingChange],
        promise: EventLoopPromise<LoginOutcome>
    ) {
        self.user = user
        self.password = password
        self.tls = tls
        self.inline = inline
        self.settings = settings
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        if tls != nil {
            context.writeAndFlush(NIOAny(UpstreamStartup.sslRequest()), promise: nil)
        } else {
            start(.plaintext, context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        do {
            if let tls, handler == nil {
                try #require(try UpstreamStartup.readTLSAnswer(&bytes) == true)
                let handler = try tls.makeHandler()
                self.handler = handler
                return try context.pipeline.syncOperations.addHandler(handler, position: .first)
            }
            input.writeImmutableBuffer(bytes)
            while let (type, body) = nextMessage() { try take(type, body, context) }
        } catch {
            end(.failure(error), context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted = event, let tls, let handler else { return }
        do {
            start(try tls.channel(of: handler), context)
        } catch {
            end(.failure(error), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.failure(error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.failure(ChannelError.eof), context)
    }

    private func end(_ result: Result<LoginOutcome, any Error>, _ context: ChannelHandlerContext) {
        promise.completeWith(result)
        context.close(promise: nil)
    }

    private func start(_ channel: ServerAuthentication.Channel, _ context: ChannelHandlerContext) {
        machine = ServerAuthentication(user: user, password: password, channel: channel, inlineIterations: inline)
        do {
            context.writeAndFlush(
                NIOAny(try UpstreamStartup.startup(user: user, database: "postgres", settings: settings)), promise: nil)
        } catch {
            end(.failure(error), context)
        }
    }

    private func nextMessage() -> (UInt8, ByteBuffer)? {
        guard let type = input.getInteger(at: input.readerIndex, as: UInt8.self),
            let length = input.getInteger(at: input.readerIndex + 1, as: UInt32.self), length >= 4, input.readableBytes > Int(length)
        else { return nil }
        input.moveReaderIndex(forwardBy: 5)
        return input.readSlice(length: Int(length) - 4).map { (type, $0) }
    }

    private func take(_ type: UInt8, _ body: ByteBuffer, _ context: ChannelHandlerContext) throws {
        var body = body
        switch type {
        case UInt8(ascii: "R"):
            let request = try AuthenticationRequest(body: body)
            if let action = machine?.receive(request) { try act(action, context) }
        case UInt8(ascii: "S"):
            let name = body.readNullTerminatedString() ?? ""
            outcome.parameters[name] = body.readNullTerminatedString()
        case UInt8(ascii: "E"):
            let text = String(buffer: body).split(separator: "\0").first { $0.hasPrefix("M") } ?? "M?"
            throw ProgramFailed(description: String(text.dropFirst()))
        case UInt8(ascii: "Z"): end(.success(outcome), context)
        default: break
        }
    }

    private func act(_ action: ServerAuthentication.Action, _ context: ChannelHandlerContext) throws {
        switch action {
        case .send(let bytes):
            if outcome.firstProof.isEmpty { outcome.firstProof = String(decoding: bytes.readableBytesView.dropFirst(5), as: UTF8.self) }
            context.writeAndFlush(NIOAny(bytes), promise: nil)
        case .derive(let request):
            outcome.wasDerivedAway = true
            let future = NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { try request.compute() }
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            future.whenComplete { result in
                let (probe, context) = bound.value
                do {
                    if let next = try probe.machine?.derived(result.get()) { try probe.act(next, context) }
                } catch {
                    probe.end(.failure(error), context)
                }
            }
        case .wait, .done: break
        case .fail(let error): throw error
        }
    }
}
