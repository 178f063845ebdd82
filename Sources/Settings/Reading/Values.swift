#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A value that does not read as what it should; the message ends a sentence that begins with the key.
struct ValueError: Error, Hashable {
    var message: String
}

/// Reads `10s`, `5m`, `1h30m`, `250ms`, `2d`; nil for `none`.
func parseDuration(_ text: String) throws(ValueError) -> Duration? {
    if text == "none" { return nil }
    let wrong = ValueError(message: "is not a duration: write a number and a unit, as in 250ms, 10s, 5m, 12h, 2d, or none")
    var milliseconds = 0
    var rest = Substring(text)
    guard !rest.isEmpty else { throw wrong }
    while !rest.isEmpty {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(digits.count)
        let unit = rest.prefix { $0.isASCII && $0.isLetter }
        rest = rest.dropFirst(unit.count)
        let factors = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let number = Int(digits), let factor = factors[String(unit)] else { throw wrong }
        let (product, tooLarge) = number.multipliedReportingOverflow(by: factor)
        let (sum, sumTooLarge) = milliseconds.addingReportingOverflow(product)
        // Ten years: more than anybody means, and little enough for nanoseconds to be counted in 64 bits.
        guard !tooLarge, !sumTooLarge, sum <= 3650 * 86_400_000 else { throw ValueError(message: "is longer than ten years") }
        milliseconds = sum
    }
    return .milliseconds(milliseconds)
}

/// Reads `64MiB`, `512KiB`, `1GiB`, or a plain number of bytes.
func parseSize(_ text: String) throws(ValueError) -> Int {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = String(text.dropFirst(digits.count))
    let factors = ["": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]
    guard let number = Int(digits), let factor = factors[unit] else {
        throw ValueError(message: "is not a size: write a number of bytes, or with KiB, MiB or GiB, as in 64MiB")
    }
    let (bytes, tooLarge) = number.multipliedReportingOverflow(by: factor)
    guard !tooLarge else { throw ValueError(message: "is larger than can be counted") }
    return bytes
}

/// Splits `host:port` or `[IPv6]:port`; the port is nil where there is none.
func parseHostAndPort(_ text: String) throws(ValueError) -> (host: String, port: Int?) {
    let wrong = ValueError(message: "is not an address: write host:port, or [::1]:port for IPv6")
    let host: Substring
    let rest: Substring
    if text.hasPrefix("[") {
        guard let end = text.firstIndex(of: "]") else { throw wrong }
        host = text[text.index(after: text.startIndex)..<end]
        rest = text[text.index(after: end)...]
        guard isIPAddress(String(host)) else { throw wrong }
    } else {
        guard text.count(where: { $0 == ":" }) <= 1 else { throw wrong }
        host = text.prefix { $0 != ":" }
        rest = text.dropFirst(host.count)
        guard host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }) else { throw wrong }
    }
    guard !host.isEmpty else { throw wrong }
    guard !rest.isEmpty else { return (String(host), nil) }
    guard rest.first == ":", rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(rest.dropFirst()) else {
        throw wrong
    }
    guard (0...65_535).contains(port) else { throw ValueError(message: "has a port above 65535") }
    return (String(host), port)
}

func isIPAddress(_ text: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
}

/// Puts environment variables in the place of `${env:NAME}`; `$${` stands for a plain `${`.
///
/// - Returns: The value, and whether a variable was put in.
func substitute(_ text: String, from environment: [String: String]) throws(ValueError) -> (text: String, isSubstituted: Bool) {
    guard text.contains("${") else { return (text, false) }
    var result = ""
    var isSubstituted = false
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
        result += rest[..<dollar]
        rest = rest[dollar...]
        if rest.hasPrefix("$${") {
            result += "${"
            rest = rest.dropFirst(3)
        } else if rest.hasPrefix("${") {
            guard let end = rest.firstIndex(of: "}") else { throw ValueError(message: "has a ${ that is not closed") }
            let inner = rest[rest.index(rest.startIndex, offsetBy: 2)..<end]
            guard inner.hasPrefix("env:"), inner.count > 4 else {
                throw ValueError(message: "holds ${\(inner)}: only ${env:NAME} is known; write $${ for a plain ${")
            }
            let name = String(inner.dropFirst(4))
            guard let value = environment[name] else {
                throw ValueError(message: "needs the environment variable \(name), which is not set")
            }
            result += value
            isSubstituted = true
            rest = rest[rest.index(after: end)...]
        } else {
            result += "$"
            rest = rest.dropFirst()
        }
    }
    return (result + rest, isSubstituted)
}
