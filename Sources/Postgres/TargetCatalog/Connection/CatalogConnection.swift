import CLibPQ
import GatehouseCore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Why a target's catalog could not be read. The text is the server's or the library's; it holds no password.
public struct CatalogError: Error, Sendable, Hashable, CustomStringConvertible {
    public var description: String
    /// The server did not take the password (or wants another proof than one).
    var refusesPassword = false

    init(_ what: String) {
        description = "the target's catalog could not be read: \(what)"
    }
}

/// How a target is reached for reading its catalog.
struct CatalogAddress: Sendable {
    var host: String
    var port: Int
    var database: String
    var user: String
    var password: Secret?
    var tls: UpstreamTLS
    /// For connecting, and for reading the whole catalog once.
    var timeout: Duration
}

/// A blocking connection by libpq. Belongs to one thread.
final class CatalogConnection {
    private let connection: OpaquePointer

    /// Connects; blocks no longer than the address's timeout.
    init(to address: CatalogAddress) throws {
        let parameters = try Self.parameters(for: address)
        let keywords = CStrings(parameters.map(\.0))
        let values = CStrings(parameters.map(\.1))
        guard let connection = PQconnectdbParams(keywords.pointer, values.pointer, 0) else { throw CatalogError("out of memory") }
        guard PQstatus(connection) == CONNECTION_OK else {
            var error = CatalogError(Self.message(of: connection))
            error.refusesPassword = PQconnectionUsedPassword(connection) == 1
            PQfinish(connection)
            throw error
        }
        // Notices go to standard error if nobody takes them.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
        self.connection = connection
        // Not by the startup packet's `options`, which poolers refuse.
        try run("SET default_transaction_read_only = on", deadline: Deadline(after: address.timeout)) { _, _ in }
    }

    deinit {
        PQfinish(connection)
    }

    private static func parameters(for address: CatalogAddress) throws -> [(String, String)] {
        let whole = max(2, Int(clamping: address.timeout.components.seconds))  // libpq takes 2 s as the least
        var parameters = [
            ("host", address.host), ("port", String(address.port)), ("dbname", address.database),
            ("user", address.user), ("application_name", "gatehouse-catalog"), ("client_encoding", "UTF8"),
            ("connect_timeout", String(whole)), ("gssencmode", "disable"), ("sslmode", address.tls.mode.rawValue),
            ("tcp_user_timeout", String(whole.multipliedReportingOverflow(by: 1000).partialValue)),
            // Not the gateway account's own ~/.pgpass: without a password here there is none.
            ("passfile", "/nonexistent/gatehouse"),
        ]
        if let password = address.password { parameters.append(("password", password.reveal())) }
        if address.tls.mode == .verifyCA || address.tls.mode == .verifyFull {
            parameters.append(("sslrootcert", try authorities(address.tls)))
        }
        if parameters.contains(where: { $0.1.utf8.contains(0) }) { throw CatalogError("a connection setting holds a NUL byte") }
        return parameters
    }

    /// libpq before 16 does not know the system's authorities by itself.
    private static func authorities(_ tls: UpstreamTLS) throws -> String {
        if let file = tls.authorityFile { return file }
        let bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        guard let bundle = bundles.first(where: { access($0, R_OK) == 0 }) else {
            throw CatalogError("no bundle of trusted authorities on this system: name one with the target's ca_file")
        }
        return bundle
    }

    private static func message(of connection: OpaquePointer?) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.isEmpty ? "no reason given" : line
    }

    /// Runs `text`, which may hold several statements, in one round trip; calls `body` with each result that has rows, by its
    /// place among them. The connection must not be used any more after an error.
    func run(_ text: String, deadline: Deadline, body: (Int, CatalogResult) throws -> Void) throws {
        guard PQsendQuery(connection, text) == 1 else { throw CatalogError(Self.message(of: connection)) }
        var place = 0
        while true {
            try wait(until: deadline)
            guard let result = PQgetResult(connection) else { return }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK:
                try body(place, CatalogResult(result))
                place += 1
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                continue
            default:
                throw CatalogError(Self.message(of: connection))
            }
        }
    }

    /// Runs one statement with parameters. The connection must not be used any more after an error.
    func run(
        _ text: String, types: [UInt32], values: [[UInt8]?], formats: [Int16], deadline: Deadline, body: (CatalogResult) throws -> Void
    ) throws {
        let count = Int32(clamping: values.count)
        let formats = values.indices.map { Int32(formats.indices.contains($0) ? formats[$0] : 0) }
        let types = values.indices.map { Oid(types.indices.contains($0) ? types[$0] : 0) }
        let lengths = values.map { Int32(clamping: $0?.count ?? 0) }
        // Text values end in NUL, which libpq counts by itself.
        let storage = values.map { value in value.map { ContiguousArray(($0 + [0]).map { CChar(bitPattern: $0) }) } }
        func send(_ index: Int, _ pointers: [UnsafePointer<CChar>?]) -> Int32 {
            guard index < storage.count else {
                return PQsendQueryParams(connection, text, count, types, pointers, lengths, formats, 0)
            }
            guard let value = storage[index] else { return send(index + 1, pointers + [nil]) }
            return value.withUnsafeBufferPointer { send(index + 1, pointers + [$0.baseAddress]) }
        }
        guard values.count <= Self.maximumParameters, send(0, []) == 1 else { throw CatalogError("the statement could not be sent") }
        while true {
            try wait(until: deadline)
            guard let result = PQgetResult(connection) else { return }
            defer { PQclear(result) }
            guard PQresultStatus(result) == PGRES_TUPLES_OK else { throw CatalogError("the statement could not be explained") }
            try body(CatalogResult(result))
        }
    }

    /// Each takes a frame of the stack.
    private static let maximumParameters = 1_000

    /// Until a result is there, or the end of them: PQgetResult must not block, since it knows no deadline.
    private func wait(until deadline: Deadline) throws {
        while PQisBusy(connection) == 1 {
            var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
            let left = deadline.millisecondsLeft
            guard left > 0, descriptor.fd >= 0 else { throw CatalogError("no answer in time") }
            let ready = poll(&descriptor, 1, left)
            if ready < 0, errno != EINTR { throw CatalogError("poll failed with error \(errno)") }
            if ready > 0, PQconsumeInput(connection) == 0 { throw CatalogError(Self.message(of: connection)) }
        }
    }

    /// An array of C strings that ends in NULL.
    private final class CStrings {
        private let strings: [UnsafeMutablePointer<CChar>?]
        private let array: UnsafeMutablePointer<UnsafePointer<CChar>?>

        init(_ values: [String]) {
            strings = values.map { strdup($0) }
            array = .allocate(capacity: values.count + 1)
            for (index, string) in strings.enumerated() { (array + index).initialize(to: UnsafePointer(string)) }
            (array + values.count).initialize(to: nil)
        }

        deinit {
            for string in strings {
                // A password may be among them.
                if let string { explicit_bzero(string, strlen(string)) }
                free(string)
            }
            array.deallocate()
        }

        var pointer: UnsafePointer<UnsafePointer<CChar>?> { UnsafePointer(array) }
    }
}

/// A moment on the machine's own clock: what blocks in the kernel cannot wait on an injected one.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(after interval: Duration) {
        end = ContinuousClock.now + interval
    }

    var millisecondsLeft: Int32 {
        let left = end - ContinuousClock.now
        guard left > .zero else { return 0 }
        return Int32(
            clamping: left.components.seconds.multipliedReportingOverflow(by: 1000).partialValue
                &+ left.components.attoseconds / 1_000_000_000_000_000 &+ 1)
    }
}

/// Rows of one statement, in text form.
struct CatalogResult {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        self.result = result
    }

    var rowCount: Int { Int(PQntuples(result)) }

    /// nil: NULL, or no such place.
    func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        guard let row = Int32(exactly: row), let column = Int32(exactly: column), row < PQntuples(result), column < PQnfields(result),
            PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column)
        else { return nil }
        return UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, column)))
    }

    func text(_ row: Int, _ column: Int) throws -> String {
        guard let bytes = bytes(row, column) else { throw CatalogError("NULL where a value must be") }
        return String(decoding: bytes, as: UTF8.self)
    }

    func number<Number: FixedWidthInteger>(_ row: Int, _ column: Int, as: Number.Type = Number.self) throws -> Number {
        guard let number = Number(try text(row, column)) else { throw CatalogError("not a number where one must be") }
        return number
    }

    func flag(_ row: Int, _ column: Int) throws -> Bool { try text(row, column) == "t" }
}
