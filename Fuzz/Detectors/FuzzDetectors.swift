import CFuzz
import Masking
import NIOCore

/// Feeds text to the detectors: as text, as JSON, as a stream in pieces.
///
/// The input is the size of the pieces, then the text. What must hold: nothing traps; findings are in order, within the text and
/// apart; what the filters pass over holds nothing; text that is UTF-8 stays UTF-8; a stream loses and invents nothing.
@main
enum FuzzDetectors {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzDetectors.one(UnsafeRawBufferPointer(start: bytes, count: count))
        }
    }

    private static let redactor: Redactor = {
        do { return try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0) }) } catch { fatalError("\(error)") }
    }()

    private static func one(_ input: UnsafeRawBufferPointer) -> Int32 {
        guard let size = input.first else { return 0 }
        let text = UnsafeRawBufferPointer(rebasing: input[1...])
        var last = 0
        var found = 0
        redactor.set.scan(text) { finding in
            precondition(finding.range.lowerBound >= last && finding.range.upperBound <= text.count && !finding.range.isEmpty)
            precondition((0...1).contains(finding.confidence))
            last = finding.range.upperBound
            found += 1
        }
        if !redactor.set.mayHold(text) { precondition(found == 0, "the filters passed over a finding") }

        var clean: [UInt8] = []
        let outcome = redactor.redact(text, as: .text, into: &clean)
        precondition((outcome == .clean) == (found == 0))
        if outcome != .clean, String(validating: text, as: UTF8.self) != nil {
            precondition(String(validating: clean, as: UTF8.self) != nil, "UTF-8 was broken")
        }
        for form in [FoundText.json, .jsonb, .byteaText, .opaque] {
            var other: [UInt8] = []
            if case .replaced = redactor.redact(text, as: form, into: &other) { continue }
            precondition(other.isEmpty, "written, and not said so")
        }

        var stream = StreamRedactor(redactor)
        var output = ByteBuffer()
        let piece = max(1, Int(size))
        for start in stride(from: 0, to: text.count, by: piece) {
            stream.feed(UnsafeRawBufferPointer(rebasing: text[start..<min(text.count, start + piece)]), into: &output)
        }
        stream.flush(into: &output)
        if found == 0, stream.findings == 0 { precondition(output.readableBytesView.elementsEqual(text), "a stream was changed") }
        return 0
    }
}
