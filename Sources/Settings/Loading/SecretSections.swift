import GatehouseCore

/// Where the passwords of targets' accounts come from.
extension SettingsReader {
    /// `password`, `password_file`, `password_exec` or `password_vault`, and one of them. Nothing is run, and nothing is fetched.
    func readPassword(_ section: Section) -> (password: Secret?, source: SecretSource?) {
        let given = ["password", "password_file", "password_exec", "password_vault"].filter(section.has)
        if given.count > 1, given != ["password", "password_file"] {
            problems.error(
                section.place(of: given[1]), "`\(section.path)` has \(given.map { "`\($0)`" }.joined(separator: " and ")); keep one")
        }
        let lifetime = readLifetime(section)
        var source = readCommand(section, lifetime).map(SecretSource.command)
        if let part = section.section("password_vault") {
            source = readVaultSecret(part, lifetime).map(SecretSource.vault) ?? source
            part.finish()
        }
        if section.has("password_ttl"), !section.has("password_exec"), !section.has("password_vault") {
            problems.error(
                section.place(of: "password_ttl"),
                "`\(section.name("password_ttl"))` is for `password_exec` and `password_vault`; remove it")
        }
        // Read here only to find what is wrong with it: it is read again when a session connects.
        let password = section.secret("password")
        if password != nil, !section.has("password"), let path = section.path("password_file")?.path { return (nil, .file(path)) }
        return (password, source)
    }

    private func readLifetime(_ section: Section) -> Duration {
        let lifetime = section.value("password_ttl") { text throws(ValueError) in
            guard let value = try parseDuration(text), value <= .seconds(86_400) else {
                throw ValueError(message: "is out of range: 0s to 1d")
            }
            return value
        }
        return lifetime ?? .seconds(300)
    }

    private func readCommand(_ section: Section, _ lifetime: Duration) -> SecretCommand? {
        guard let words = section.list("password_exec"), let program = words.first else { return nil }
        guard program.text.hasPrefix("/") else {
            problems.error(
                program.place,
                "`\(section.name("password_exec"))`: `\(program.written)` is not an absolute path; programs are not looked for in PATH")
            return nil
        }
        for word in words.dropFirst() where word.isSubstituted {
            problems.warning(
                word.place,
                "`\(section.name("password_exec"))`: arguments can be seen by everybody on this machine; programs get the gateway's environment, so let this one read \(word.written) itself"
            )
        }
        guard context.checkProgram(program.text, section.name("password_exec"), program.place) else { return nil }
        return SecretCommand(program: program.text, arguments: words.dropFirst().map(\.text), lifetime: lifetime)
    }

    private func readVaultSecret(_ section: Section, _ lifetime: Duration) -> VaultSecret? {
        if !section.has("address") { _ = section.required("address", like: "https://vault.example.com:8200") }
        let address = section.value("address") { text throws(ValueError) in
            let url = try secureURL(text)
            let rest = url.drop { $0 != ":" }.dropFirst(3)
            guard let slash = rest.firstIndex(of: "/") else { return url }
            guard rest[slash...] == "/" else { throw ValueError(message: "has a path; give https://host:port alone") }
            return String(url.dropLast())
        }
        if !section.has("path") { _ = section.required("path", like: "secret/orders") }
        var path = section.value("path", vaultPath)
        var mount = section.value("mount", vaultPath)
        if mount == nil, !section.has("mount"), let whole = path {
            let parts = whole.split(separator: "/", maxSplits: 1).map(String.init)
            if parts.count == 2 {
                (mount, path) = (parts[0], parts[1])
            } else {
                problems.error(
                    section.place(of: "path"),
                    "`\(section.name("path"))`: `\(whole)` is a mount alone; write mount/path, as in secret/orders, or give `mount` too")
            }
        }
        let field = section.required("field", like: "password")?.text
        let version = section.integer("kv", within: 1...2) ?? 2
        let namespace = section.value("namespace") { text throws(ValueError) in
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw ValueError(message: "is not a namespace") }
            return text
        }
        let authorities = section.existingFile("ca_file")
        let login = readVaultLogin(section)
        guard let address, let mount, let path, let field, let login, let engine = VaultSecret.Engine(rawValue: version) else { return nil }
        return VaultSecret(
            address: address, mount: mount, path: path, field: field, engine: engine, login: login, namespace: namespace,
            authorityFile: authorities, lifetime: lifetime)
    }

    private func readVaultLogin(_ section: Section) -> VaultSecret.Login? {
        let token = section.secret("token")
        let tokenFile = section.path("token_file")?.path
        let role = section.scalar("role_id")?.text
        let secretFile = section.existingFile("secret_id_file", secret: true)
        let mount = section.value("approle_mount", vaultPath) ?? "approle"
        let hasToken = section.has("token") || section.has("token_file")
        let hasRole = section.has("role_id") || section.has("secret_id_file") || section.has("approle_mount")
        if hasToken, hasRole {
            problems.error(section.place, "`\(section.path)` has both a token and AppRole; keep one")
            return nil
        }
        if hasToken {
            guard let token else { return nil }
            if section.has("token_file"), let tokenFile { return .tokenFile(tokenFile) }
            return .token(token)
        }
        guard hasRole else {
            problems.error(
                section.place, "`\(section.path)` says not how to log in: give `token`, `token_file`, or `role_id` and `secret_id_file`")
            return nil
        }
        for key in ["role_id", "secret_id_file"] where !section.has(key) {
            problems.error(section.place, "`\(section.name(key))` is missing: AppRole needs `role_id` and `secret_id_file`")
        }
        guard let role, let secretFile else { return nil }
        return .appRole(id: role, secretFile: secretFile, mount: mount)
    }

    /// Parts with slashes between them, which need no escapes in a URL.
    private func vaultPath(_ text: String) throws(ValueError) -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "-_.~/".utf8.contains(byte)
            }
        }
        guard isPlain, text.utf8.count <= 512, !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw ValueError(message: "is not a path of Vault: write words of letters, digits, `-`, `_`, `.` and `~` with slashes between")
        }
        return text
    }
}
