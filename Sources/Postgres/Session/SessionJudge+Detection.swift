import GatehouseCore
import Masking
import Policy
import Synchronization

/// Detectors over what goes to the client.
extension SessionJudge {
    /// Statements whose answers detectors cannot look into.
    func detectionRefusal(_ actions: [Action]) -> Verdict? {
        if lacksRedactor {
            return Verdict(
                decision: .deny, rule: "gatehouse.detect", reason: "The detectors that this session needs cannot be made.",
                hint: "Ask whoever runs this gateway.", category: .masking)
        }
        guard redactor != nil else { return nil }
        for action in actions {
            if !action.kinds.isDisjoint(with: ["function_call", "replication"]) {
                return Verdict(
                    decision: .deny, rule: "gatehouse.detect",
                    reason: "The answers of function calls and replication cannot be searched for what must not be shown.",
                    hint: "Use SELECT instead.", category: .masking)
            }
            guard let copy = action.copy, action.kinds.contains("copy.to") else { continue }
            if actions.count > 1 {
                return Verdict(
                    decision: .deny, rule: "gatehouse.detect", reason: "This COPY cannot be searched: it stands beside other statements.",
                    hint: "Send the COPY on its own.", category: .masking)
            }
            if CopyOptions(statement: copy.options.map { ($0.name, $0.value) }) == nil {
                return Verdict(
                    decision: .deny, rule: "gatehouse.detect", reason: "This COPY cannot be searched: its options are not understood.",
                    hint: "COPY in UTF8, with the options that docs/detectors.md names.", category: .masking)
            }
        }
        return nil
    }

    /// The plan of a COPY with what looks into the columns that it does not mask.
    func detecting(_ plan: CopyMaskPlan?, in actions: [Action]) -> CopyMaskPlan? {
        guard let redactor else { return plan }
        if var plan {
            plan.redactor = redactor
            return plan
        }
        guard actions.count == 1, let copy = actions[0].copy, actions[0].kinds.contains("copy.to"),
            let options = CopyOptions(statement: copy.options.map { ($0.name, $0.value) })
        else { return nil }
        return CopyMaskPlan(options: options, columns: nil, redactor: redactor)
    }
}

/// Policy's detections as something that searches. Sessions with the same share it.
enum Detecting {
    /// More kept ones are forgotten, which costs the time to make them.
    private static let mostKept = 64

    private struct Wanted: Hashable {
        var detection: Detection
        var key: MaskKey
    }

    private static let kept = Mutex<[Wanted: Redactor]>([:])

    /// nil where nothing is looked for; or, with `isMissing`, where it cannot be had.
    static func redactor(_ policy: PolicyEngine, _ permit: Permit, key: MaskKey) -> (Redactor?, isMissing: Bool) {
        guard let detection = policy.detection(for: permit) else { return (nil, false) }
        let wanted = Wanted(detection: detection, key: key)
        return kept.withLock { kept in
            if let known = kept[wanted] { return (known, false) }
            guard let made = redactor(detection, key) else { return (nil, true) }
            if kept.count >= mostKept { kept.removeAll() }
            kept[wanted] = made
            return (made, false)
        }
    }

    private static func redactor(_ detection: Detection, _ key: MaskKey) -> Redactor? {
        var choices: [Redactor.Choice] = []
        let own = detection.definitions.compactMap { definition in
            try? Detector(
                CustomDetector(
                    id: definition.id, pattern: definition.pattern,
                    checksum: CustomDetector.Checksum(rawValue: definition.checksum) ?? .none, keywords: definition.keywords,
                    allow: definition.allow, confidence: definition.confidence))
        }
        guard own.count == detection.definitions.count else { return nil }
        for detector in Detector.builtIn + own {
            guard let rule = detection.rules.first(where: { $0.detectors.isEmpty || $0.detectors.contains { $0.matches(detector.id) } })
            else { continue }
            let strategy: FindingStrategy =
                switch rule.strategy {
                case .redact: .redact
                case .partial: .partial
                case .hash: .hash(key)
                }
            choices.append(Redactor.Choice(detector: detector, minimum: rule.minimumConfidence, strategy: strategy))
        }
        return try? Redactor(choices)
    }
}
