import Policy
import Settings
import Testing

private func policy(_ text: String) throws -> PolicyDocument { try load(configuration(rules: text)).settings.policy }

@Suite struct DetectionSettingsTests {
    @Test func rulesAndDetectorsAreRead() throws {
        let policy = try policy(
            """
            detectors:
              - id: employee
                pattern: 'EMP-([0-9]{6})'
                checksum: luhn
                keywords: [employee]
                allow: ["000000"]
                confidence: 0.6
            detect:
              - id: cards
                detectors: [card, employee, "aws-*"]
                minimum_confidence: 0.8
                strategy: partial
                where: { targets: [orders] }
                except: { groups: [fraud] }
              - id: rest
            """)
        #expect(
            policy.detectors == [
                DetectorDefinition(
                    id: "employee", pattern: "EMP-([0-9]{6})", checksum: "luhn", keywords: ["employee"], allow: ["000000"], confidence: 0.6)
            ])
        let first = try #require(policy.detect.first)
        #expect(first.detectors == ["card", "employee", "aws-*"] && first.minimumConfidence == 0.8 && first.strategy == .partial)
        #expect(first.except == Who(groups: ["fraud"]))
        #expect(
            policy.detect.last?.detectors == [] && policy.detect.last?.strategy == .redact && policy.detect.last?.minimumConfidence == 0.5)
    }

    @Test func aPolicyWithoutDetectionKeepsItsVersion() throws {
        let plain = try policy("rules:\n  - { id: a, effect: deny }")
        let other = try policy("rules:\n  - { id: a, effect: deny }\ndetect:\n  - { id: rest }")
        #expect(plain.version != other.version)
        #expect(plain.detect.isEmpty && plain.detectors.isEmpty)
    }

    @Test(arguments: [
        ("detectors:\n  - { id: own, pattern: 'a(' }", "gw.yaml:", "the pattern cannot be used: missing )"),
        ("detectors:\n  - { id: own, pattern: '(?<=a)b' }", "gw.yaml:", "the pattern cannot be used"),
        ("detectors:\n  - { id: own, pattern: 'a*' }", "gw.yaml:", "matches the empty text"),
        ("detectors:\n  - { id: own }", "gw.yaml:", "`detectors[1].pattern` is missing"),
        ("detectors:\n  - { id: email, pattern: 'a' }", "gw.yaml:", "comes with the program"),
        ("detectors:\n  - { id: own, pattern: 'a', checksum: crc }", "gw.yaml:", "must be none, luhn or mod97"),
        ("detectors:\n  - { id: own, pattern: 'a', confidence: 2 }", "gw.yaml:", "is not a confidence"),
        ("detectors:\n  - { id: own, pattern: 'a' }\n  - { id: own, pattern: 'b' }", "gw.yaml:", "already defined"),
        ("detect:\n  - { id: a, detectors: [emial] }", "gw.yaml:", "there is no detector `emial`"),
        ("detect:\n  - { id: a, strategy: shred }", "gw.yaml:", "must be redact, partial or hash"),
        ("detect:\n  - { id: a, except: {} }", "gw.yaml:", "names nobody"),
        ("detect:\n  - { id: a, columns: [x] }", "gw.yaml:", "unknown key"),
    ])
    func mistakesAreTold(_ text: String, _ place: String, _ message: String) {
        let told = errors(configuration(rules: text))
        #expect(told.contains { $0.contains(message) && $0.hasPrefix(place) }, "\(told)")
    }
}
