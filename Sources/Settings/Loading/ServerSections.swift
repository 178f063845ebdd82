import GatehouseCore

/// log, admin, listeners and limits.
extension SettingsReader {
    func readLog(_ root: Section) -> LogSettings {
        var log = LogSettings()
        guard let section = root.section("log") else { return log }
        log.format = section.choice("format") ?? log.format
        log.level = section.choice("level") ?? log.level
        section.finish()
        return log
    }

    func readAdmin(_ root: Section) -> AdminSettings? {
        let standard = ListenAddress(host: "127.0.0.1", port: 9090)
        guard root.has("admin") else {
            _ = root.node("admin")
            return AdminSettings(listen: standard, tls: nil, roles: [:])
        }
        guard let section = root.section("admin") else { return nil }
        let listen = section.has("listen") ? readListenAddress(section) : standard
        if !section.has("listen") { _ = section.node("listen") }
        let tls = section.serverTLS("tls")
        var roles: [AdminSettings.Role: [String]] = [:]
        if let section = section.section("roles") {
            for role in AdminSettings.Role.allCases {
                roles[role] = section.list(role.rawValue)?.map(\.text)
            }
            section.finish()
        }
        var publicURL = section.value("public_url", secureURL)
        while publicURL?.last == "/" { publicURL?.removeLast() }
        section.finish()
        guard let listen else { return nil }
        if !listen.isLoopback, !section.has("tls") {
            problems.error(
                section.place(of: "listen"),
                "`admin.listen` \(listen) can be reached from other machines, so `admin.tls` is needed; or listen on 127.0.0.1")
        }
        return AdminSettings(listen: listen, tls: tls, roles: roles, publicURL: publicURL)
    }

    func readListenAddress(_ section: Section) -> ListenAddress? {
        section.value("listen") { text throws(ValueError) in
            let (host, port) = try parseHostAndPort(text)
            guard let port else { throw ValueError(message: "has no port; write for example \(text):6432") }
            guard host == "localhost" || isIPAddress(host) else {
                throw ValueError(message: "names no IP address of this machine: use one, 0.0.0.0 or [::] for all, or localhost")
            }
            return ListenAddress(host: host, port: port)
        }
    }

    func readListeners(_ root: Section) -> [Placed<ListenerSettings>] {
        let sections = root.sections("listeners")
        if sections.isEmpty { problems.error(root.place(of: "listeners"), "`listeners` names no port for clients; add one") }
        let listeners = sections.compactMap { section -> Placed<ListenerSettings>? in
            defer { section.finish() }
            let name = section.required("name", like: "postgres").flatMap { checkedName($0, section.name("name")) }
            let protocolName = readProtocol(section)
            if !section.has("listen") { _ = section.required("listen", like: "0.0.0.0:6432") }
            let listen = section.has("listen") ? readListenAddress(section) : nil
            let auth: Target.ClientAuthentication = section.choice("auth") ?? .password
            let plaintext: ListenerSettings.Plaintext = section.choice("plaintext") ?? .refuse
            let tls = section.serverTLS("tls")
            let family: ListenerSettings.Family? = section.choice("family")
            guard let name, let protocolName, let listen else { return nil }
            checkFits(section, protocolName, auth, plaintext)
            if plaintext == .loopback, !listen.isLoopback {
                problems.error(
                    section.place(of: "plaintext"),
                    "`\(section.name("plaintext"))`: loopback needs `listen` to be a loopback address, and \(listen) is not; tokens would cross the network in clear"
                )
            }
            return Placed(
                value: ListenerSettings(
                    name: name, protocolName: protocolName, listen: listen, auth: auth, plaintext: plaintext, tls: tls,
                    family: family ?? .mysql),
                place: section.place(of: "name"))
        }
        checkUnique(listeners.map { ($0.value.name, $0.place) }, "listener")
        return listeners
    }

    /// What a listener of the protocol cannot be.
    private func checkFits(
        _ section: Section, _ protocolName: Target.ProtocolName, _ auth: Target.ClientAuthentication,
        _ plaintext: ListenerSettings.Plaintext
    ) {
        if protocolName == .mysql, auth != .password {
            problems.error(section.place(of: "auth"), "`\(section.name("auth"))`: MySQL's clients bring tokens as passwords; remove it")
        }
        if protocolName == .mysql, plaintext != .refuse {
            problems.error(
                section.place(of: "plaintext"), "`\(section.name("plaintext"))`: MySQL's clients are let in over TLS only; remove it")
        }
        if protocolName != .mysql, section.has("family") {
            problems.error(section.place(of: "family"), "`\(section.name("family"))` is for listeners with `protocol: mysql`; remove it")
        }
    }

    func readProtocol(_ section: Section) -> Target.ProtocolName? {
        guard section.has("protocol") else {
            _ = section.required("protocol", like: "postgres")
            return nil
        }
        guard let name: Target.ProtocolName = section.choice("protocol") else { return nil }
        guard name == .postgres || name == .mysql else {
            problems.error(section.place(of: "protocol"), "`\(section.name("protocol"))`: this version speaks postgres and mysql")
            return nil
        }
        return name
    }

    /// Two ports of this gateway must not be the same.
    func checkAddresses(_ listeners: [Placed<ListenerSettings>], _ admin: AdminSettings?) {
        var seen: [ListenAddress: String] = [:]
        if let admin, admin.listen.port != 0 { seen[admin.listen] = "`admin`" }
        for listener in listeners where listener.value.listen.port != 0 {
            if let other = seen.updateValue("listener `\(listener.value.name)`", forKey: listener.value.listen) {
                problems.error(
                    listener.place,
                    "listener `\(listener.value.name)` has the address \(listener.value.listen) of \(other); choose another port")
            }
        }
    }

    func readLimits(_ root: Section) -> Limits {
        var limits = Limits()
        guard let section = root.section("limits") else { return limits }
        defer { section.finish() }
        let day = Duration.seconds(86_400)
        if let value = readDuration(section, "handshake_timeout", from: .milliseconds(100), to: .seconds(300)) {
            limits.handshakeTimeout = value ?? limits.handshakeTimeout
            if value == nil {
                problems.error(
                    section.place(of: "handshake_timeout"),
                    "`limits.handshake_timeout` cannot be none: silent clients would hold connections for ever")
            }
        }
        if let value = readDuration(section, "idle_timeout", from: .seconds(1), to: day * 365) { limits.idleTimeout = value }
        if let value = readDuration(section, "session_lifetime", from: .seconds(1), to: day * 365) { limits.sessionLifetime = value }
        // Lengths in the PostgreSQL protocol are signed 32-bit numbers.
        limits.messageBytes = section.size("message_bytes", within: 65_536...1_073_741_824) ?? limits.messageBytes
        limits.statementBytes = section.size("statement_bytes", within: 1_024...16_777_216) ?? limits.statementBytes
        limits.heldBytes = section.size("held_bytes", within: 65_536...1_073_741_824) ?? limits.heldBytes
        limits.sessionsPerPrincipal = section.integer("sessions_per_principal", within: 1...1_000_000) ?? limits.sessionsPerPrincipal
        limits.sessions = section.integer("sessions", within: 1...1_000_000) ?? limits.sessions
        if limits.statementBytes > limits.messageBytes {
            problems.error(
                section.place(of: "statement_bytes"),
                "`limits.statement_bytes` is larger than `limits.message_bytes`, which holds the statement")
        }
        return limits
    }

    /// nil when the key is not there or wrong; `.some(nil)` for `none`.
    private func readDuration(_ section: Section, _ key: String, from lowest: Duration, to highest: Duration) -> Duration?? {
        let read: Duration?? = section.value(key) { text throws(ValueError) in
            let value = try parseDuration(text)
            if let value, value < lowest || value > highest {
                throw ValueError(message: "is out of range: \(lowest.formattedForPeople) to \(highest.formattedForPeople)")
            }
            return value
        }
        return read
    }
}

extension Duration {
    /// `10s`, `12h`: as the configuration writes it.
    var formattedForPeople: String {
        let (seconds, attoseconds) = components
        if attoseconds != 0 || seconds == 0 { return "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)ms" }
        for (factor, unit) in [(86_400, "d"), (3_600, "h"), (60, "m")] as [(Int64, String)] where seconds % factor == 0 {
            return "\(seconds / factor)\(unit)"
        }
        return "\(seconds)s"
    }
}
