/// recording
extension SettingsReader {
    func readRecording(_ root: Section) -> RecordingSettings {
        var settings = RecordingSettings()
        guard let section = root.section("recording") else { return settings }
        defer { section.finish() }
        for scalar in section.list("recipients") ?? [] {
            let path = scalar.text.hasPrefix("/") ? scalar.text : context.directory + "/" + scalar.text
            if context.check(path, section.name("recipients"), scalar.place, secret: false) { settings.recipients.append(path) }
        }
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
}
