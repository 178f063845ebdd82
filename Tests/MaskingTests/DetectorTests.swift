import Foundation
import Testing

@testable import Masking

/// Findings as text, `id:what`.
func found(_ text: String, _ detectors: [Detector] = Detector.builtIn, minimum: Double = 0.5) throws -> [String] {
    let set = try DetectorSet(detectors, minimums: detectors.map { _ in minimum })
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { set.findings(in: $0) }.map { finding in
        "\(detectors[finding.detector].id):\(String(decoding: bytes[finding.range], as: UTF8.self))"
    }
}

/// The folder of the corpora.
let corpora = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Detectors")

@Suite struct DetectorTests {
    /// Secrets have hardly anything that looks like them; numbers of people do.
    @Test(arguments: Detector.builtIn.map(\.id)) func isGoodOnItsCorpus(_ id: String) throws {
        let detector = try #require(Detector.named(id))
        let texts = try ["positive", "negative"].map {
            try String(contentsOf: corpora.appendingPathComponent("\(id).\($0)"), encoding: .utf8)
        }
        let corpus = try DetectorCorpus(positive: texts[0], negative: texts[1])
        #expect(corpus.positive.count >= 35 && corpus.negative.count >= 35)
        let score = DetectorScore(of: 0, in: try DetectorSet([detector]), on: corpus)
        #expect(score.precision >= 0.97, "\(score.complaints.prefix(5))")
        #expect(score.recall >= 0.97, "\(score.complaints.prefix(5))")
    }

    @Test func findsWhatItShould() throws {
        #expect(try found("mail jane.doe@example.com now") == ["email:jane.doe@example.com"])
        #expect(try found("card 4111 1111 1111 1111, exp 12/29") == ["card:4111 1111 1111 1111"])
        #expect(try found("ssn 536-22-8726") == ["us-ssn:536-22-8726"])
        #expect(try found("DE89 3704 0044 0532 0130 00 EUR") == ["iban:DE89 3704 0044 0532 0130 00"])
        #expect(try found("call +44 20 7946 0958") == ["phone:+44 20 7946 0958"])
        #expect(try found("postgres://app:hunter2@db.example.com/x") == ["url-password:hunter2"])
    }

    @Test func whatOnlyLooksAlikeIsNothing() throws {
        let texts = [
            "order 4111111111111112", "550e8400-e29b-41d4-a716-446655440000", "2024-05-01T12:33:44Z", "version 1.2.3.4", "1700000000000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709", "icon@2x.png", "std::vector<int>", "100.00", "123-456", "0.0.0.0",
        ]
        for text in texts { #expect(try found(text) == [], "\(text)") }
    }

    @Test func aWordNearbyRaisesAndLowers() throws {
        let card = "4012888888881881"
        #expect(try found("pan \(card)", minimum: 0.9) == ["card:\(card)"])
        #expect(try found("\(card)", minimum: 0.9) == [])
        #expect(try found("order \(card)", minimum: 0.5) == [])
        #expect(try found("536228726") == [])
        #expect(try found("SSN: 536228726") == ["us-ssn:536228726"])
    }

    @Test func aNameBesideTheTextIsAWordNearby() throws {
        let set = try DetectorSet(Detector.builtIn)
        let text = Array("0151 2345678".utf8)
        #expect(text.withUnsafeBytes { set.findings(in: $0) }.isEmpty)
        let hinted = set.hints(from: "home_phone")
        #expect(hinted != .none)
    }

    @Test func theFilterNeverMissesWhatTheLocatorFinds() throws {
        // The corpora through each detector's own filters alone.
        for detector in Detector.builtIn {
            let set = try DetectorSet([detector])
            let text = try String(contentsOf: corpora.appendingPathComponent("\(detector.id).positive"), encoding: .utf8)
            for line in try DetectorCorpus(positive: text, negative: "").positive {
                #expect(set.mayHold(line.text), "\(detector.id): \(line.number)")
            }
        }
    }

    @Test func findingsThatOverlapAreOne() throws {
        // A token inside of a URL's password.
        let token = "ghp_" + String(repeating: "aB3", count: 12)
        let findings = try found("https://user:\(token)@example.com/x.git")
        #expect(findings == ["github-token:\(token)"])
    }

    @Test func everyByteIsText() throws {
        var bytes: [UInt8] = Array(0...255)
        bytes += Array("a@example.com".utf8) + [0xFF, 0xC3] + Array("b@example.org".utf8) + [0x80]
        let set = try DetectorSet([try #require(Detector.named("email"))])
        #expect(bytes.withUnsafeBytes { set.findings(in: $0) }.count >= 1)
    }

    @Test func aPlaceAcrossWindowsIsFoundOnce() throws {
        let set = try DetectorSet(Detector.builtIn)
        for shift in stride(from: -40, through: 8, by: 3) {
            let text = Array((String(repeating: "x ", count: (DetectorSet.windowBytes + shift) / 2) + "jane.doe@example.com and more").utf8)
            let findings = text.withUnsafeBytes { set.findings(in: $0) }
            #expect(findings.count == 1)
            #expect(findings.first.map { String(decoding: text[$0.range], as: UTF8.self) } == "jane.doe@example.com", "\(shift)")
        }
    }

    /// Linear: eight times the text takes about eight times as long, not sixty-four. Counted in what is looked at, not in time:
    /// text of places that come to nothing is cut off window by window.
    @Test(arguments: ["a@", "1234-", "eyJ", "-----BEGIN PRIVATE KEY-----", "://a:", "AA00", "::1", "\"\\u0040", "1 "]) func hostileTextEnds(
        _ unit: String
    ) throws {
        let set = try DetectorSet(Detector.builtIn)
        let text = Array(String(repeating: unit, count: 200_000 / unit.utf8.count).utf8)
        var last = 0
        text.withUnsafeBytes { bytes in
            set.scan(bytes) { finding in
                #expect(finding.range.lowerBound >= last && finding.range.upperBound <= bytes.count)
                last = finding.range.upperBound
            }
        }
    }
}

@Suite struct CustomDetectorTests {
    private func error(_ pattern: String) -> String? {
        do {
            _ = try Detector(CustomDetector(id: "own", pattern: pattern))
            return nil
        } catch {
            return error.description
        }
    }

    @Test func itsPatternMustWorkInBothEngines() {
        #expect(error("EMP-[0-9]{6}") == nil)
        #expect(error("EMP-(") != nil)
        #expect(error("(?<=x)y") != nil, "RE2 knows no lookbehind")
        #expect(error("a*+b") != nil)
        #expect(error("x*")?.contains("empty") == true)
        #expect(error("\\Aabc")?.contains("\\A") == true)
        #expect(error(String(repeating: "a", count: 1_001))?.contains("longer") == true)
        #expect(error("[a-z]{1000}{1000}") != nil)
    }

    @Test func itFindsAndChecks() throws {
        let own = try Detector(
            CustomDetector(
                id: "member", pattern: "\\bM([0-9]{8})\\b", checksum: .luhn, keywords: ["member"], allow: ["00000000"], confidence: 0.4))
        #expect(try found("member M12345678", [own]) == [])
        #expect(try found("member M12345674", [own]) == ["member:12345674"])
        #expect(try found("M12345674", [own]) == [], "0.4 without the word")
        #expect(try found("member M12345675", [own]) == [])
        #expect(try found("member M00000000", [own]) == [])
    }

    @Test func lineEndsAreAnchors() throws {
        let own = try Detector(CustomDetector(id: "line", pattern: "^id: [0-9]+$"))
        #expect(try found("x\nid: 12\ny", [own]) == ["line:id: 12"])
        #expect(try found("x id: 12", [own]) == [])
    }

    @Test func tooManyAreRefused() throws {
        let own = try Detector(CustomDetector(id: "own", pattern: "abc"))
        #expect(throws: DetectorError.self) { try DetectorSet(Array(repeating: own, count: DetectorSet.mostDetectors + 1)) }
    }

    @Test func corporaSayWhatIsWrong() throws {
        #expect(throws: DetectorCorpus.Malformed(line: 2, reason: "nothing is marked as what must be found")) {
            try DetectorCorpus(positive: "⟦a⟧\nb\n", negative: "")
        }
        #expect(throws: DetectorCorpus.Malformed.self) { try DetectorCorpus(positive: "⟦a\n", negative: "") }
        #expect(throws: DetectorCorpus.Malformed.self) { try DetectorCorpus(positive: "", negative: "a⟦b⟧") }
    }
}
