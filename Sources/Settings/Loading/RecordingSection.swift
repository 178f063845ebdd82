import GatehouseCore
import Policy

/// recording, store and retention
extension SettingsReader {
    func readRecording(_ root: Section) -> RecordingSettings {
        var settings = RecordingSettings()
        guard let section = root.section("recording") else { return settings }
        defer { section.finish() }
        settings.recipients = readKeyFiles(section, "recipients")
        settings.breakGlassRecipients = readKeyFiles(section, "break_glass_recipients")
        context.namesBreakGlassRecipients = section.has("break_glass_recipients")
        settings.isSealed = section.boolean("sealed") ?? true
        if !settings.isSealed, !settings.recipients.isEmpty {
            problems.error(
                section.place(of: "sealed"),
                "`\(section.name("sealed"))` is false, so nothing is sealed to the `recipients`; remove one of both")
        }
        if let checkpoints = section.section("checkpoints") {
            settings.checkpointFile = checkpoints.path("file")?.path
            settings.checkpointURL = checkpoints.value("url", secureURL)
            if let seconds = checkpoints.integer("interval_seconds", within: 1...86_400) { settings.checkpointSeconds = seconds }
            checkpoints.finish()
        }
        return settings
    }

    private func readKeyFiles(_ section: Section, _ key: String) -> [String] {
        (section.list(key) ?? []).compactMap { scalar in
            let path = scalar.text.hasPrefix("/") ? scalar.text : context.directory + "/" + scalar.text
            return context.check(path, section.name(key), scalar.place, secret: false) ? path : nil
        }
    }

    /// What masks are to keep has to be sealed to somebody.
    func checkOriginals() {
        guard !context.namesBreakGlassRecipients else { return }
        for (name, place) in context.masksThatKeep {
            problems.error(
                place,
                "`\(name)` is `sealed`, and there is nobody to seal to; name public keys in `recording.break_glass_recipients` (`gatehouse keys generate` makes them)"
            )
        }
    }

    func readStore(_ root: Section) -> StoreSettings {
        guard let section = root.section("store") else { return .directory(nil) }
        defer { section.finish() }
        let directory = section.path("directory")
        guard let part = section.section("s3") else {
            if directory == nil, !section.has("directory"), !section.has("s3") {
                problems.error(section.place, "`store` says nothing: give a `directory` or `s3`, or leave it out")
            }
            return .directory(directory?.path)
        }
        defer { part.finish() }
        if section.has("directory") {
            problems.error(section.place(of: "directory"), "`store` has both `directory` and `s3`; keep one")
        }
        return readBucket(part).map { .s3($0) } ?? .directory(nil)
    }

    private func readBucket(_ section: Section) -> S3Settings? {
        let bucket = section.required("bucket", like: "gatehouse-evidence").flatMap { scalar -> String? in
            // What Amazon's rules for names come to, as far as a URL depends on it.
            let isPlain = scalar.text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                }
            }
            guard isPlain, (3...63).contains(scalar.text.utf8.count) else {
                problems.error(
                    scalar.place, "`\(section.name("bucket"))`: `\(scalar.written)` is not a bucket: 3 to 63 of a-z, 0-9, `-` and `.`")
                return nil
            }
            return scalar.text
        }
        let prefix = section.value("prefix") { text throws(ValueError) in
            let words = text.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            let isPlain = text.hasSuffix("/") && text.utf8.count <= 200 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            guard isPlain, !words.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
                throw ValueError(message: "is not a prefix: write words that end in a slash, as in prod/gatehouse/")
            }
            return text
        }
        let accessKey = section.required("access_key_id", like: "${env:AWS_ACCESS_KEY_ID}")
        let secret = section.secret("secret_access_key")
        if !section.has("secret_access_key"), !section.has("secret_access_key_file") {
            _ = section.required("secret_access_key", like: "${env:AWS_SECRET_ACCESS_KEY}")
        }
        let style: S3Settings.Style? = section.choice("style")
        let lock: S3Settings.ObjectLock? = section.choice("object_lock")
        let endpoint = section.value("endpoint", secureURL)
        let settings = bucket.flatMap { bucket in
            accessKey.flatMap { accessKey in
                secret.map { secret in
                    S3Settings(
                        bucket: bucket, region: section.scalar("region")?.text ?? "us-east-1",
                        endpoint: endpoint.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }, prefix: prefix ?? "",
                        style: style ?? (endpoint == nil ? .virtualHost : .path), authorityFile: section.existingFile("ca_file"),
                        accessKeyID: accessKey.text, secretAccessKey: secret, sessionToken: section.secret("session_token"),
                        objectLock: lock)
                }
            }
        }
        // Asked for in any case, so that they are not unknown.
        for key in ["region", "ca_file", "session_token", "session_token_file"] where settings == nil { _ = section.node(key) }
        return settings
    }

    func readRetention(_ root: Section) -> RetentionSettings {
        var settings = RetentionSettings()
        guard let section = root.section("retention") else { return settings }
        defer { section.finish() }
        settings.keep = readKeep(section)
        if section.has("every") { settings.every = section.value("every", checkedInterval) ?? nil }
        let rules = section.sections("rules")
        settings.rules = rules.compactMap { rule in
            defer { rule.finish() }
            let name = rule.required("name", like: "cards").flatMap { checkedName($0, rule.name("name")) }
            let targets = rule.list("targets")
            if !rule.has("targets") { _ = rule.required("targets", like: "[payments-*]") }
            if !rule.has("keep") { _ = rule.required("keep", like: "365d") }
            let keep = readKeep(rule)
            guard let name, let targets else { return nil }
            return RetentionSettings.Rule(name: name, targets: targets.map { Glob($0.text) }, keep: keep)
        }
        checkUnique(
            rules.compactMap { rule in rule.has("name") ? rule.scalar("name").map { ($0.text, $0.place) } : nil }, "retention rule")
        return settings
    }

    private func checkedInterval(_ text: String) throws(ValueError) -> Duration? {
        let every = try parseDuration(text)
        if let every, every < .seconds(3_600) { throw ValueError(message: "is less than an hour") }
        return every
    }

    /// `forever`, or at least a day.
    private func readKeep(_ section: Section) -> Duration? {
        let keep: Duration?? = section.value("keep") { text throws(ValueError) in
            if text == "forever" { return nil }
            guard let keep = try parseDuration(text), keep >= .seconds(86_400) else {
                throw ValueError(message: "is not how long to keep: write at least 1d, or forever")
            }
            return keep
        }
        return keep ?? nil
    }
}
