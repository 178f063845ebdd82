import GatehouseCore
import Policy

/// targets
extension SettingsReader {
    /// A hold needs terms, which a default has none of.
    private enum Default: String, CaseIterable {
        case allow, deny
    }

    struct ReadTarget {
        var target: Target
        var defaultDecision: Rule.Effect
        var options: TargetOptions
        var place: Place
    }

    func readTargets(_ root: Section) -> [ReadTarget] {
        let sections = root.sections("targets")
        if sections.isEmpty {
            problems.error(root.place(of: "targets"), "`targets` is missing or empty, so there is nowhere to go; add one")
        }
        let targets = sections.compactMap(readTarget)
        checkUnique(targets.map { ($0.target.name, $0.place) }, "target")
        return targets
    }

    private func readTarget(_ section: Section) -> ReadTarget? {
        defer { section.finish() }
        let name = section.required("name", like: "orders").flatMap { checkedName($0, section.name("name")) }
        let protocolName = readProtocol(section)
        if !section.has("address") { _ = section.required("address", like: "db.internal:5432") }
        let address = section.value("address", parseHostAndPort)
        let database = section.required("database", like: "orders")?.text
        let others = section.list("other_databases")?.map(\.text) ?? []
        let labels = readLabels(section)
        let tls = readUpstreamTLS(section, address?.host)
        let durability: Target.Durability = section.choice("durability") ?? .written
        let auth: Target.ClientAuthentication? = section.choice("auth")
        let decision: Default = section.choice("default") ?? .deny
        let options = TargetOptions(
            opaque: section.choice("opaque") ?? .rules, functions: section.has("functions") ? readNames(section, "functions") : nil)
        let roles = readRoles(section)
        let estimates = readEstimates(section, roles)
        guard let name, let protocolName, let address, let database else { return nil }
        if address.port == 0 {
            problems.error(section.place(of: "address"), "`\(section.name("address"))` has port 0; name the server's port")
        }
        return ReadTarget(
            target: Target(
                name: name, protocolName: protocolName, host: address.host, port: address.port ?? (protocolName == .mysql ? 3306 : 5432),
                database: database,
                otherDatabases: others, labels: labels, tls: tls, durability: durability, clientAuthentication: auth, roles: roles,
                estimates: estimates),
            defaultDecision: decision == .allow ? .allow : .deny, options: options, place: section.place(of: "name"))
    }

    private func readEstimates(_ section: Section, _ roles: [Target.Role]) -> RowEstimates? {
        guard let part = section.section("estimates") else { return nil }
        defer { part.finish() }
        if !part.has("role") { _ = part.required("role", like: "reader") }
        let timeout: Int? = part.value("timeout") { text throws(ValueError) in
            let milliseconds = try parseDuration(text).map { $0 / .milliseconds(1) } ?? 0
            guard (10...10_000).contains(milliseconds) else { throw ValueError(message: "must be between 10ms and 10s") }
            return Int(milliseconds)
        }
        guard let role = part.scalar("role") else { return nil }
        let names = roles.map(\.name)
        guard names.contains(role.text) else {
            problems.error(
                role.place, "`\(part.name("role"))`: the target has no role `\(role.written)`\(suggestion(for: role.text, among: names))")
            return nil
        }
        return RowEstimates(role: role.text, timeout: timeout ?? 500)
    }

    private func readLabels(_ section: Section) -> [String: String] {
        guard let labels = section.section("labels") else { return [:] }
        return labels.keys.reduce(into: [:]) { $0[$1] = labels.scalar($1)?.text }
    }

    private func readUpstreamTLS(_ section: Section, _ host: String?) -> UpstreamTLS {
        var tls = UpstreamTLS()
        if let part = section.section("tls") {
            tls.mode = part.choice("mode") ?? tls.mode
            tls.authorityFile = part.existingFile("ca_file")
            if tls.authorityFile != nil, tls.mode == .disable || tls.mode == .require {
                problems.error(
                    part.place(of: "ca_file"), "`\(part.name("ca_file"))` is not looked at with mode \(tls.mode.rawValue); use verify-full")
            }
            part.finish()
            if let host, !isLoopbackHost(host), tls.mode == .disable || tls.mode == .require {
                let what =
                    tls.mode == .disable ? "passwords and data cross the network in clear" : "anybody on the way can pose as the server"
                problems.warning(part.place(of: "mode"), "`\(part.name("mode"))`: with \(tls.mode.rawValue), \(what)")
            }
        }
        return tls
    }

    private func readRoles(_ section: Section) -> [Target.Role] {
        let sections = section.sections("roles")
        if sections.isEmpty {
            problems.error(
                section.place(of: "roles"), "`\(section.name("roles"))` is missing or empty: name at least one account of the server")
        }
        var places: [(String, Place)] = []
        let roles = sections.compactMap { part -> Target.Role? in
            defer { part.finish() }
            let name = part.required("name", like: "reader").flatMap { checkedName($0, part.name("name")) }
            let user = part.required("user", like: "app_ro")?.text
            let (password, source) = readPassword(part)
            guard let name, let user else { return nil }
            places.append((name, part.place(of: "name")))
            return Target.Role(name: name, user: user, password: password, source: source)
        }
        checkUnique(places, "role")
        return roles
    }
}
