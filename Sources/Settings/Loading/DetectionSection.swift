import GatehouseCore
import Masking
import Policy

/// `detect`, and the `detectors` that it may name.
extension SettingsReader {
    func readDetection(_ root: Section, _ targets: [ReadTarget]) -> (rules: [DetectRule], definitions: [DetectorDefinition]) {
        let detectorSections = root.sections("detectors")
        let read = detectorSections.compactMap(readDetector)
        let definitions = read.map(\.definition)
        checkUnique(ids(of: detectorSections), "detector id")
        let most = DetectorSet.mostDetectors - Detector.builtIn.count
        if detectorSections.count > most {
            problems.error(root.place(of: "detectors"), "`detectors` has \(detectorSections.count) entries; at most \(most) work together")
        }
        if detectorSections.count <= most {
            do {
                _ = try DetectorSet(Detector.builtIn + read.map(\.detector))
            } catch {
                problems.error(root.place(of: "detectors"), "`detectors`: \(error.description)")
            }
        }
        let known = Detector.builtIn.map(\.id) + definitions.map(\.id)
        let ruleSections = root.sections("detect")
        let rules = ruleSections.compactMap { readDetect($0, targets, known: known, sound: definitions.count == detectorSections.count) }
        checkUnique(ids(of: ruleSections), "detect id")
        return (rules, definitions)
    }

    private func readDetect(_ section: Section, _ targets: [ReadTarget], known: [String], sound: Bool) -> DetectRule? {
        defer { section.finish() }
        let id = readID(section)
        let detectors = (section.list("detectors") ?? []).map { scalar in
            let pattern = Glob(scalar.text)
            // Where a definition could not be read, that is what is wrong, and not its name here.
            if sound, !known.contains(where: pattern.matches) {
                problems.error(
                    scalar.place,
                    "`\(section.name("detectors"))`: there is no detector `\(scalar.written)`\(suggestion(for: scalar.text, among: known)); `gatehouse detectors list` names them"
                )
            }
            return pattern
        }
        let minimum = section.value("minimum_confidence", parseConfidence)
        let strategy: DetectRule.Strategy? = section.choice("strategy")
        let except = readOptionalWho(section, "except")
        if let except, except == Who() {
            problems.error(
                section.place(of: "except"), "`\(section.name("except"))` names nobody, which would mean everybody; leave it out")
        }
        let place = readOptionalWhere(section, targets) ?? Where()
        guard let id else { return nil }
        return DetectRule(
            id: id, detectors: detectors, minimumConfidence: minimum ?? DetectorSet.defaultConfidence, strategy: strategy ?? .redact,
            except: except, where: place, sourceLine: section.place.line)
    }

    private func readDetector(_ section: Section) -> (definition: DetectorDefinition, detector: Detector)? {
        defer { section.finish() }
        let id = readID(section)
        let pattern = section.required("pattern", like: "'EMP-[0-9]{6}'")
        let checksum: CustomDetector.Checksum? = section.choice("checksum")
        let keywords = section.list("keywords")?.map(\.text) ?? []
        let allow = section.list("allow")?.map(\.text) ?? []
        let confidence = section.value("confidence", parseConfidence)
        if let id, Detector.named(id) != nil {
            problems.error(
                section.place(of: "id"), "`\(section.name("id"))`: the detector `\(id)` comes with the program; choose another id")
            return nil
        }
        guard let id, let pattern else { return nil }
        let custom = CustomDetector(
            id: id, pattern: pattern.text, checksum: checksum ?? .none, keywords: keywords, allow: allow, confidence: confidence ?? 0.75)
        do {
            let detector = try Detector(custom)
            let definition = DetectorDefinition(
                id: id, pattern: custom.pattern, checksum: custom.checksum.rawValue, keywords: keywords, allow: allow,
                confidence: custom.confidence)
            return (definition, detector)
        } catch {
            problems.error(pattern.place, "`\(section.name("pattern"))`: \(error.reason)")
            return nil
        }
    }
}

private func parseConfidence(_ text: String) throws(ValueError) -> Double {
    guard let value = Double(text), (0...1).contains(value) else {
        throw ValueError(message: "is not a confidence: write 0 to 1, as in 0.6")
    }
    return value
}
