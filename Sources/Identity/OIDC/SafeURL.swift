/// The URLs that keys may be fetched from: `https`, or `http` on a loopback address, since what comes over plain HTTP from
/// another machine can be anybody's.
enum SafeURL {
    /// Why `url` must not be used; nil when it may be.
    static func problem(of url: String) -> String? {
        guard url.utf8.count <= 2048, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return "not a URL of at most 2048 printable ASCII characters"
        }
        let lowered = url.lowercased()
        let rest: Substring
        let secure: Bool
        if lowered.hasPrefix("https://") {
            rest = lowered.dropFirst(8)
            secure = true
        } else if lowered.hasPrefix("http://") {
            rest = lowered.dropFirst(7)
            secure = false
        } else {
            return "only https:// URLs are used (http:// on a loopback address)"
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.contains("@"), !authority.contains("\\") else { return "it has no usable host" }
        if rest.contains("#") { return "it has a fragment" }
        if secure { return nil }
        return isLoopback(host(of: authority)) ? nil : "plain http:// is used on a loopback address only; use https://"
    }

    private static func host(of authority: Substring) -> Substring {
        if authority.first == "[" { return authority.dropFirst().prefix { $0 != "]" } }
        return authority.prefix { $0 != ":" }
    }

    /// Names that resolve elsewhere than they look (`127.0.0.1.example.com`) are not among these.
    private static func isLoopback(_ host: Substring) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
