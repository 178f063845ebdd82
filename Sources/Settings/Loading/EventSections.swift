import GatehouseCore
import Policy

/// events and webhooks
extension SettingsReader {
    func readEvents(_ root: Section) -> [EventSink] {
        root.sections("events").compactMap { section in
            defer { section.finish() }
            let classes = readClasses(section)
            let kinds = ["file", "syslog", "otlp"].filter(section.has)
            if kinds.count != 1 {
                problems.error(section.place, "`\(section.path)` must have one of `file`, `syslog` and `otlp`; write a sink for each")
            }
            let file = section.path("file").map { EventSink.Way.file($0.path) }
            let syslog = section.section("syslog").flatMap(readSyslog).map(EventSink.Way.syslog)
            let otlp = section.section("otlp").flatMap(readOTLP).map(EventSink.Way.otlp)
            guard let way = file ?? syslog ?? otlp else { return nil }
            return EventSink(way, classes: classes)
        }
    }

    private func readClasses(_ section: Section) -> Set<OutwardEvent.Class> {
        guard let listed = section.list("classes") else { return Set(OutwardEvent.Class.allCases) }
        let names = OutwardEvent.Class.allCases.map(\.rawValue)
        return Set(
            listed.compactMap { scalar in
                if let known = OutwardEvent.Class(rawValue: scalar.text) { return known }
                problems.error(
                    scalar.place,
                    "`\(section.name("classes"))`: `\(scalar.written)` is not a class of events: \(choices(names))\(suggestion(for: scalar.text, among: names))"
                )
                return nil
            })
    }

    private func readSyslog(_ section: Section) -> EventSink.Syslog? {
        defer { section.finish() }
        let transport: EventSink.Syslog.Transport = section.choice("protocol") ?? .tls
        if !section.has("address") { _ = section.required("address", like: "syslog.example.com:6514") }
        let address = section.value("address", parseHostAndPort)
        let facility = section.value("facility") { text throws(ValueError) in
            let names = EventSink.Syslog.facilities
            guard let number = names.firstIndex(of: text) else {
                throw ValueError(message: "is not a facility\(suggestion(for: text, among: names)): \(choices(names))")
            }
            return number
        }
        let authorities = section.existingFile("ca_file")
        if authorities != nil, transport != .tls {
            problems.error(
                section.place(of: "ca_file"), "`\(section.name("ca_file"))` is not looked at with protocol \(transport.rawValue); use tls")
        }
        guard let address else { return nil }
        if transport != .tls, !isLoopbackHost(address.host) {
            problems.warning(
                section.place, "`\(section.path)`: with \(transport.rawValue), events cross the network in clear; use protocol: tls")
        }
        if address.port == 0 {
            problems.error(section.place(of: "address"), "`\(section.name("address"))` has port 0; name the receiver's port")
        }
        return EventSink.Syslog(
            host: address.host, port: address.port ?? (transport == .tls ? 6_514 : 514), transport: transport,
            facility: facility ?? 10, authorityFile: authorities)
    }

    private func readOTLP(_ section: Section) -> EventSink.OTLP? {
        defer { section.finish() }
        if !section.has("endpoint") { _ = section.required("endpoint", like: "https://otel.example.com:4318") }
        let endpoint = section.value("endpoint", secureURL)
        var headers: [String: Secret] = [:]
        if let part = section.section("headers") {
            for name in part.keys {
                guard let scalar = part.scalar(name) else { continue }
                // RFC 9110 section 5.6.2 and 5.5, as far as anybody uses them.
                let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
                guard isName, scalar.text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                    problems.error(scalar.place, "`\(part.name(name))` is not an HTTP header: plain ASCII without line ends")
                    continue
                }
                let isCredential = ["authorization", "key", "token", "secret"].contains { name.lowercased().contains($0) }
                if isCredential, !scalar.isSubstituted {
                    problems.error(scalar.place, "`\(part.name(name))` must not be written here: use ${env:NAME}")
                    continue
                }
                headers[name] = Secret(scalar.text)
            }
        }
        let authorities = section.existingFile("ca_file")
        guard let endpoint else { return nil }
        let base = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        return EventSink.OTLP(
            url: base.hasSuffix("/v1/logs") ? base : base + "/v1/logs", headers: headers, authorityFile: authorities)
    }

    func readWebhooks(_ root: Section) -> [Webhook] {
        root.sections("webhooks").compactMap { section in
            defer { section.finish() }
            let url = readWebhookURL(section)
            let form: Webhook.Form = section.choice("form") ?? .generic
            let secret = readWebhookSecret(section, form)
            let events = readEventNames(section)
            let authorities = section.existingFile("ca_file")
            guard let url else { return nil }
            return Webhook(url: url, secret: secret, form: form, events: events, authorityFile: authorities)
        }
    }

    /// Some receivers' URLs are secrets, so no message repeats one.
    private func readWebhookURL(_ section: Section) -> Secret? {
        guard let scalar = section.required("url", like: "https://hooks.example.com/gatehouse") else { return nil }
        do throws(ValueError) {
            let parts = scalar.text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            _ = try secureURL(String(parts[0]))
            guard scalar.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !scalar.text.contains("#") else {
                throw ValueError(message: "is not a URL of plain ASCII")
            }
        } catch {
            problems.error(scalar.place, "`\(section.name("url"))` \(error.message)")
            return nil
        }
        return Secret(scalar.text)
    }

    private func readWebhookSecret(_ section: Section, _ form: Webhook.Form) -> Secret? {
        let secret = section.secret("secret")
        let given = section.has("secret") || section.has("secret_file")
        if form == .generic, !given {
            problems.error(
                section.place, "`\(section.path)` has no `secret` or `secret_file`: without one, its receiver cannot know who calls")
        }
        guard let secret else { return nil }
        let key = section.has("secret") ? "secret" : "secret_file"
        if secret.reveal().utf8.count < 24 {
            problems.error(
                section.place(of: key), "`\(section.name(key))` is shorter than 24 characters: draw one, as with openssl rand -base64 32")
            return nil
        }
        return secret
    }

    private func readEventNames(_ section: Section) -> Set<String> {
        guard let listed = section.list("events") else {
            return Set(OutwardEvent.names.filter { $0.hasPrefix("approval.") })
        }
        return listed.reduce(into: Set()) { names, scalar in
            let pattern = Glob(scalar.text)
            let matching = OutwardEvent.names.filter { pattern.matches($0) }
            if matching.isEmpty {
                problems.error(
                    scalar.place,
                    "`\(section.name("events"))`: `\(scalar.written)` is no event: \(choices(OutwardEvent.names))\(suggestion(for: scalar.text, among: OutwardEvent.names))"
                )
            }
            names.formUnion(matching)
        }
    }
}
