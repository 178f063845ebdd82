import GatehouseCore
import Masking
import Policy
import Recording

/// Masks that an approval lifted for this session.
struct LiftedMasks {
    /// Which, and the terms that they had.
    let masks: [MaskRule]
    let approval: Approval

    /// Not under a new configuration that made another mask of it: what was approved was this one.
    func covers(_ mask: MaskRule) -> Bool {
        masks.contains { $0.id == mask.id && $0.unmask == mask.unmask && $0.columns == mask.columns }
    }
}

/// Which masks are in force, and how a session comes to see clear values.
extension SessionJudge {
    /// Takes the configuration's masks, but for those that are lifted.
    func takeMasks() {
        let masks = configuration.policy.masks(for: permit).filter { mask in !lifted.contains { $0.covers(mask) } }
        maskRules = masks.map { ColumnMaskRule($0, key: gateway.maskKey) }
        viewRules = ViewRules(masks, maskRules)
        keeping = KeepingMasks(masks, maskRules)
    }

    /// What the actions do with columns that are masked for this session: the catalog knows it, and rules may ask for it.
    func withMaskFacts(_ actions: [Action]) -> [Action] {
        guard !maskRules.isEmpty, let planner = catalog?.planner(for: maskRules) else { return actions }
        let context = context
        return actions.map { action in
            var action = action
            action.flags.subtract([.copiesMaskedData, .probesMaskedData])
            action.flags.formUnion(planner.facts(of: action, in: context))
            return action
        }
    }

    /// The approval for what is asked for here was granted.
    func granted(_ approval: Approval) {
        // One for each time that somebody approved: what is over is of no use.
        if grants.count >= 64 { grants = grants.filter { $0.value.expires > gateway.clock.wallTime() } }
        if grants.count < 64 { grants[approval.id] = approval }
    }

    // MARK: Asking

    /// `SET gatehouse.unmask = 'why'` waits for an approval by the terms of the masks; nil for anything else.
    func unmaskVerdict(_ actions: [Action]) -> Verdict? {
        let asked = actions.flatMap(\.settings).filter { $0.name == unmaskSetting }.compactMap(\.value).filter { !$0.isEmpty }
        guard let text = asked.first else { return nil }
        guard actions.count == 1, asked.count == 1 else { return denial("It stands beside other statements.", "Send it by itself.") }
        guard let terms = masksToLift(text).first?.unmask else {
            let masks = configuration.policy.masks(for: permit).filter { $0.unmask != nil }.map(\.id)
            return masks.isEmpty
                ? denial("No mask that applies to you can be lifted.", "Ask whoever runs this gateway.")
                : denial(
                    "Different people decide on these masks.",
                    "Name one of them in front of the reason, as in SET \(unmaskSetting) = '\(masks[0]): why'; there are: \(masks.joined(separator: ", "))."
                )
        }
        let masks = masksToLift(text)
        let columns = masks.map { "\($0.id) (\($0.columns.map(\.description).joined(separator: ", ")))" }
        return Verdict(
            decision: .hold, rule: masks[0].id, reason: "Clear values of \(columns.joined(separator: ", ")) need an approval.",
            hint: "Without one the values stay masked.", category: .approval, hold: terms)
    }

    private func denial(_ reason: String, _ hint: String) -> Verdict {
        Verdict(decision: .deny, rule: unmaskSetting, reason: reason, hint: hint, category: .masking)
    }

    /// The masks that a reason is about: the one that stands in front of a colon, or else all that can be lifted, if the same
    /// people decide on them by the same terms.
    private func masksToLift(_ text: String) -> [MaskRule] {
        let masks = configuration.policy.masks(for: permit).filter { $0.unmask != nil }
        if let colon = text.firstIndex(of: ":"), let named = masks.first(where: { $0.id == text[..<colon] }) { return [named] }
        return Set(masks.map(\.unmask)).count == 1 ? masks : []
    }

    /// Why clear values are asked for; nil where they are not.
    func unmaskReason(_ judgement: Judgement) -> String? {
        guard judgement.effects.contains(.changesMasks) else { return nil }
        return judgement.actions.flatMap(\.settings).first { $0.name == unmaskSetting && $0.value?.isEmpty == false }?.value
    }

    // MARK: Lifted, and back

    /// What was asked for goes on: the masks are lifted if it was approved. Without a reason they are back.
    func changeMasks(_ judgement: Judgement) {
        guard let reason = unmaskReason(judgement) else { return endLifted { _ in true } }
        guard let id = judgement.verdict.approval, let approval = grants.removeValue(forKey: id),
            approval.expires > gateway.clock.wallTime()
        else { return }
        let masks = masksToLift(reason).filter { $0.unmask == approval.request.terms }
        guard masks.contains(where: { $0.id == approval.request.rule }) else { return }
        let lift = LiftedMasks(masks: masks, approval: approval)
        lifted.append(lift)
        masksChanged?(lift, .unmasked)
        takeMasks()
    }

    /// Puts masks in force again whose time is over.
    func endLifted() {
        let now = gateway.clock.wallTime()
        endLifted { $0.approval.expires <= now }
    }

    private func endLifted(where isOver: (LiftedMasks) -> Bool) {
        let over = lifted.filter(isOver)
        guard !over.isEmpty else { return }
        lifted.removeAll(where: isOver)
        for lift in over { masksChanged?(lift, .masked) }
        takeMasks()
        // Whatever was decided was decided without them.
        meaning &+= 1
        kept.removeAll()
    }
}

extension ColumnMaskRule {
    /// Policy's mask in the words of the target's catalog.
    init(_ mask: MaskRule, key: MaskKey) {
        let options = mask.options ?? MaskRule.Options()
        let strategy: MaskStrategy =
            switch mask.strategy {
            case .redact: .redact
            case .partial:
                .partially(
                    PartialShape(
                        first: options.keepFirst, last: options.keepLast,
                        character: options.character?.utf8.first ?? UInt8(ascii: "*"), keepsDomain: options.keepDomain ?? false))
            case .hash: .hash(key)
            case .null: .null
            case .token: .token(key)
            // What the loader lets through has both of these; a mask that has them not shows nothing.
            case .dateShift: options.days.map { .dateShift(key, within: $0) } ?? .null
            case .round: options.step.flatMap(RoundingStep.init).map { .round($0) } ?? .null
            }
        self.init(
            id: mask.id,
            columns: mask.columns.map {
                ColumnMaskRule.Pattern(schema: $0.schema.description, table: $0.table.description, column: $0.column.description)
            }, strategy: strategy, domain: options.domain, refusesToWithhold: mask.otherwise == .error)
    }
}

// MARK: - What cannot be masked

extension SessionJudge {
    /// Statements whose answers cannot be masked, or that would carry masked values elsewhere.
    func maskRefusal(_ actions: [Action], copying: Set<Int>) -> Verdict? {
        guard !maskRules.isEmpty else { return nil }
        guard let planner = catalog?.planner(for: maskRules) else {
            return Verdict(
                decision: .deny, rule: "gatehouse.mask", reason: "The target's catalog cannot be read, so nothing can be masked.",
                hint: "Try again; if it stays so, ask whoever runs this gateway.", category: .masking)
        }
        let context = context
        for (index, action) in actions.enumerated() {
            if !action.kinds.isDisjoint(with: ["function_call", "replication"]) {
                return Verdict(
                    decision: .deny, rule: "gatehouse.mask", reason: "The answers of function calls and replication cannot be masked.",
                    hint: "Use SELECT instead.", category: .masking)
            }
            if let reason = planner.refusal(of: action, in: context, allowsCopies: copying.contains(index)) {
                return Verdict(
                    decision: .deny, rule: "gatehouse.mask", reason: reason, hint: "Read the columns with a SELECT instead.",
                    category: .masking)
            }
            if let withheld = catalog?.planner(for: viewRules.client)?.withheldResult(of: action, in: context) {
                return Verdict(
                    decision: .deny, rule: withheld.rule, reason: "A part of the result must not be shown: \(withheld.reason).",
                    hint: "Leave it out, or read the column as it is: it comes masked.", category: .masking)
            }
            if action.kinds.contains("copy.to"), planner.mayRevealMasked(action, in: context),
                case .deny(let reason) = copyPlan(of: action, among: actions, context)
            {
                return Verdict(
                    decision: .deny, rule: "gatehouse.mask", reason: "This COPY cannot be masked: \(reason).",
                    hint: "COPY the table by name to STDOUT, or read it with a SELECT.", category: .masking)
            }
        }
        return nil
    }
}
