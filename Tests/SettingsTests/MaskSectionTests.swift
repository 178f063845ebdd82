import Foundation
import GatehouseCore
import Policy
import Settings
import Testing

@Suite struct MaskSectionTests {
    private func masks(_ text: String) throws -> [MaskRule] {
        try load(configuration(masks: "masks:\n  - \(text)")).settings.policy.masks
    }

    @Test func aMaskIsReadWithWhatItsStrategyIsTold() throws {
        let partial = try #require(
            try masks(
                "{ id: m, columns: [\"*.*.x\"], strategy: partial, keep_first: 2, keep_last: 0, mask_character: \"#\", keep_domain: true }"
            )
            .first)
        #expect(partial.options == MaskRule.Options(keepFirst: 2, keepLast: 0, character: "#", keepDomain: true))
        let token = try masks("{ id: m, columns: [\"*.*.x\"], strategy: token, domain: customers }").first
        #expect(token?.strategy == .token && token?.options == MaskRule.Options(domain: "customers"))
        let shift = try masks("{ id: m, columns: [\"*.*.x\"], strategy: date_shift, days: 30 }").first
        #expect(shift?.strategy == .dateShift && shift?.options == MaskRule.Options(days: 30))
        let round = try masks("{ id: m, columns: [\"*.*.x\"], strategy: round, to: 0.5 }").first
        #expect(round?.strategy == .round && round?.options == MaskRule.Options(step: "0.5"))
        #expect(try masks("{ id: m, columns: [\"*.*.x\"], strategy: redact }").first?.options == nil)
    }

    @Test func whoMayLiftAMask() throws {
        let mask = try masks("{ id: m, columns: [\"*.*.x\"], strategy: redact, unmask: { approvers: [privacy], required: 2, valid: 2h } }")
            .first
        #expect(mask?.unmask == HoldTerms(approvers: ["privacy"], required: 2, needsReason: true, validSeconds: 7_200))
    }

    /// Those without options keep the version that they had before there were any.
    @Test func optionsAreOfThePolicysVersion() throws {
        func version(_ more: String) throws -> String {
            try load(configuration(masks: "masks:\n  - { id: m, columns: [\"*.*.x\"], strategy: partial\(more) }")).settings.policy.version
        }
        let versions = try ["", ", keep_last: 2", ", keep_last: 3", ", unmask: { approvers: [a] }"].map(version)
        #expect(Set(versions).count == 4)
    }

    @Test(arguments: [
        ("strategy: redact, keep_last: 4", "is for `strategy: partial`"),
        ("strategy: hash, domain: x", "is for `strategy: token` or `date_shift`"),
        ("strategy: date_shift", "`masks[1].days` is missing"), ("strategy: round", "`masks[1].to` is missing"),
        ("strategy: date_shift, days: 0", "is out of range"), ("strategy: date_shift, days: 36501", "is out of range"),
        ("strategy: round, to: 0", "must be a number above 0"), ("strategy: round, to: 1e3", "must be a number above 0"),
        ("strategy: partial, keep_first: 65", "is out of range"),
        ("strategy: partial, mask_character: ab", "must be one printable ASCII character"),
        ("strategy: partial, keep_domain: yes", "is neither true nor false"), ("strategy: token, domain: \"a b\"", "is not a name"),
        ("strategy: tokens", "(did you mean `token`?)"), ("strategy: partial, keep_frist: 1", "(did you mean `keep_first`?)"),
        ("strategy: redact, unmask: { }", "`masks[1].unmask.approvers` is missing"),
        ("strategy: redact, unmask: { approvers: [a], use: window }", "clear values are for one session"),
        ("strategy: redact, unmask: { approvers: [a], reason: true }", "nobody can ask without one"),
    ])
    func whatIsWrongIsSaid(_ text: String, _ message: String) {
        let found = errors(configuration(masks: "masks:\n  - { id: m, columns: [\"*.*.x\"], \(text) }"))
        #expect(found.contains { $0.contains(message) && $0.hasPrefix("gw.yaml:") }, "\(found)")
    }

    @Test func aMaskThatKeepsOriginalsNeedsSomebodyToSealTo() throws {
        let folder = try Folder()
        try folder.write("a public key", to: "glass.pub")
        func text(_ keep: String, _ recipients: String) -> String {
            configuration(
                masks: "masks:\n  - { id: m, columns: [\"*.*.x\"], strategy: redact\(keep) }",
                other: "recording: { checkpoints: { interval_seconds: 5 }\(recipients) }")
        }
        let named = ", break_glass_recipients: [glass.pub]"
        let read = try load(text(", keep_original: sealed", named), in: folder).settings
        #expect(read.policy.masks.first?.keepsOriginal == true)
        #expect(read.recording.breakGlassRecipients == [folder.path + "/glass.pub"])
        let none = try load(text("", ""), in: folder).settings
        #expect(none.policy.masks.first?.keepsOriginal == false && none.policy.version != read.policy.version)
        #expect(try load(text(", keep_original: none", ""), in: folder).settings.policy.masks.first?.keepsOriginal == false)
        let missing = errors(text(", keep_original: sealed", ""), in: folder)
        #expect(missing.count == 1 && missing[0].hasPrefix("gw.yaml:"))
        #expect(missing[0].contains("`masks[1].keep_original` is `sealed`, and there is nobody to seal to"))
        // One error, not two, where the file is not there.
        let unread = errors(text(", keep_original: sealed", ", break_glass_recipients: [other.pub]"), in: folder)
        #expect(unread.count == 1 && unread[0].contains("recording.break_glass_recipients"), "\(unread)")
        #expect(errors(text(", keep_original: seald", named), in: folder).contains { $0.contains("did you mean `sealed`") })
        var changed = none
        changed.recording.breakGlassRecipients = read.recording.breakGlassRecipients
        #expect(ReloadPlan(from: none, to: changed).live == ["recording.break_glass_recipients: changed"])
        #expect(changed.keepingWhatNeedsRestart(of: none).recording.breakGlassRecipients == changed.recording.breakGlassRecipients)
    }

    @Test func aMaskIsOfOneViewOrOfBoth() throws {
        let folder = try Folder()
        func text(_ more: String) -> String {
            configuration(masks: "masks:\n  - { id: m, columns: [\"*.*.x\"], strategy: redact\(more) }")
        }
        let plain = try load(text(""), in: folder).settings.policy
        #expect(plain.masks.first?.view == .both)
        for view in MaskRule.View.allCases {
            let policy = try load(text(", applies_to: \(view.rawValue)"), in: folder).settings.policy
            #expect(policy.masks.first?.view == view && policy.version != plain.version)
        }
        let strict = try load(text(", otherwise: error"), in: folder).settings.policy
        #expect(strict.masks.first?.otherwise == .error && strict.version != plain.version)
        #expect(errors(text(", otherwise: erorr"), in: folder).contains { $0.contains("did you mean `error`") })
        #expect(
            errors(text(", applies_to: recording, otherwise: error"), in: folder).contains {
                $0.contains("`masks[1].otherwise`: a mask of the recording alone")
            })
        #expect(errors(text(", applies_to: recordings"), in: folder).contains { $0.contains("did you mean `recording`") })
        #expect(
            errors(text(", applies_to: client, keep_original: sealed"), in: folder).contains {
                $0.contains("`masks[1].keep_original`: a mask of the client alone")
            })
        #expect(
            errors(text(", applies_to: recording, unmask: { approvers: [managers] }"), in: folder).contains {
                $0.contains("`masks[1].unmask`: a mask of the recording alone")
            })
    }

    @Test func theKeyIsASecretFromElsewhere() throws {
        let folder = try Folder()
        try folder.write(String(repeating: "k", count: 32) + "\n", to: "key")
        try folder.write("short", to: "short")
        let read = try load(configuration(other: "mask_key_file: key"), in: folder).settings.maskKey
        #expect(read?.reveal() == String(repeating: "k", count: 32))
        #expect(try load(configuration()).settings.maskKey == nil)
        #expect(errors(configuration(other: "mask_key_file: short"), in: folder).contains { $0.contains("fewer than 32 characters") })
        #expect(
            errors(configuration(other: "mask_key: 0123456789abcdef0123456789abcdef")).contains { $0.contains("must not be written here") })
        let other = try load(configuration()).settings
        var changed = other
        changed.maskKey = "another"
        #expect(ReloadPlan(from: other, to: changed).restart == ["mask_key: changed"])
    }
}
