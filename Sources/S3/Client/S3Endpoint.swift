import GatehouseCore
import Recording

/// The server and the bucket's place on it.
struct S3Endpoint: Sendable, Hashable {
    var isPlain: Bool
    /// What the connection goes to and the certificate must name; the bucket's name is in it with virtual hosts.
    var host: String
    var port: Int?
    /// `/bucket` with path addressing, or empty.
    var basePath: String

    init(_ configuration: S3Configuration) throws(StoreError) {
        let text = configuration.endpoint ?? "https://s3.\(configuration.region).amazonaws.com"
        guard let parsed = Self.parse(text) else {
            throw StoreError("'\(text)' cannot be an S3 endpoint: give https://host or https://host:port, without a path")
        }
        isPlain = parsed.isPlain
        port = parsed.port
        if isPlain && !(configuration.allowsPlainLoopback && Self.isLoopback(parsed.host)) {
            throw StoreError(
                "the S3 endpoint '\(text)' is not encrypted: use https://; plain HTTP is for servers on this machine, and only where allowed"
            )
        }
        switch configuration.addressing {
        case .path:
            host = parsed.host
            basePath = "/" + configuration.bucket
        case .virtualHost:
            guard !Self.isAddress(parsed.host) else {
                throw StoreError("the S3 endpoint '\(text)' is an address, which no bucket's name can be put before: use path addressing")
            }
            host = configuration.bucket + "." + parsed.host
            basePath = ""
        }
    }

    /// The `Host` header.
    var authority: String { port.map { "\(host):\($0)" } ?? host }
    var url: String { (isPlain ? "http://" : "https://") + authority }

    /// RFC 6761 section 6.3: names below `localhost` are this machine, though not every resolver knows.
    var nameToOverride: String? { host.hasSuffix(".localhost") ? host : nil }

    private static func parse(_ text: String) -> (isPlain: Bool, host: String, port: Int?)? {
        let isPlain = text.hasPrefix("http://")
        guard isPlain || text.hasPrefix("https://") else { return nil }
        var rest = text.dropFirst(isPlain ? 7 : 8)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var host = rest
        var port: Int?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = rest[...end]
            rest = rest[rest.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            guard host.dropFirst().dropLast().utf8.allSatisfy({ isWordByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else {
                return nil
            }
        } else if let colon = rest.firstIndex(of: ":") {
            host = rest[..<colon]
            rest = rest[colon...]
        } else {
            rest = ""
        }
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits), number > 0 else { return nil }
            // As HTTP clients do, the scheme's own port is not said in `Host`.
            port = number == (isPlain ? 80 : 443) ? nil : Int(number)
        }
        let isBracketed = host.hasPrefix("[")
        guard !host.isEmpty, host.utf8.count <= 253,
            isBracketed || host.utf8.allSatisfy({ isWordByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") })
        else { return nil }
        return (isPlain, host.lowercased(), port)
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        return isAddress(host) && host.hasPrefix("127.")
    }

    private static func isAddress(_ host: String) -> Bool {
        if host.hasPrefix("[") { return true }
        let words = host.split(separator: ".", omittingEmptySubsequences: false)
        return words.count == 4 && words.allSatisfy { UInt8($0) != nil }
    }
}
