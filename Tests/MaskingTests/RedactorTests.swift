import Foundation
import NIOCore
import Testing

@testable import Masking

func redactor(_ strategy: FindingStrategy = .redact) throws -> Redactor {
    try Redactor(Detector.builtIn.map { Redactor.Choice(detector: $0, strategy: strategy) })
}

/// The text without its findings; nil: withheld.
func redacted(_ text: String, as form: FoundText = .text, _ strategy: FindingStrategy = .redact) throws -> String? {
    let redactor = try redactor(strategy)
    var output: [UInt8] = []
    let outcome = Array(text.utf8).withUnsafeBytes { redactor.redact($0, as: form, into: &output) }
    switch outcome {
    case .clean: return text
    case .withheld: return nil
    case .replaced: return String(decoding: output, as: UTF8.self)
    }
}

@Suite struct RedactorTests {
    @Test func strategies() throws {
        #expect(try redacted("to a.b@example.com!") == "to [email]!")
        #expect(try redacted("to a.b@example.com!", as: .text, .partial) == "to ****.com!")
        let key = try #require(MaskKey(bytes: Array(repeating: 7, count: 32)))
        let hashed = try #require(try redacted("a.b@example.com and a.b@example.com", as: .text, .hash(key)))
        let parts = hashed.components(separatedBy: " and ")
        #expect(parts.count == 2 && parts[0] == parts[1] && parts[0].hasPrefix("[email:") && parts[0].utf8.count == 24)
    }

    @Test func charactersStayWhole() throws {
        let text = "ééé jürgen@exämple.de ööö"
        let clean = try #require(try redacted(text))
        #expect(clean == "ééé [email] ööö")
    }

    @Test(arguments: [
        (#"{"email": "a@example.com", "n": 1}"#, #"{"email": "[email]", "n": 1}"#),
        (#"{"a@example.com": true}"#, #"{"[email]": true}"#),
        (#"["x", "card 4111 1111 1111 1111"]"#, #"["x", "card [card]"]"#),
        (#"{"card": 4111111111111111}"#, #"{"card": "[card]"}"#),
        (#"{"to": "a\u0040example.com"}"#, #"{"to": "[email]"}"#),
        (#"{"u": "postgres:\/\/app:hunter22@db\/x"}"#, #"{"u": "postgres://app:[url-password]@db/x"}"#),
        (#"{"t": "line\nb@example.com\n\"q\""}"#, #"{"t": "line\n[email]\n\"q\""}"#),
        (#""a@example.com""#, #""[email]""#),
        (#"{"x": [1, 2.5, null, "plain"]}"#, #"{"x": [1, 2.5, null, "plain"]}"#),
        (#"{"phone": "0151 2345678"}"#, #"{"phone": "[phone]"}"#),
    ]) func jsonStaysJSON(_ text: String, _ clean: String) throws {
        let result = try #require(try redacted(text, as: .json))
        #expect(result == clean)
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(result.utf8), options: .fragmentsAllowed) }
        let binary = try #require(try redacted("\u{1}" + text, as: .jsonb))
        #expect(binary == "\u{1}" + clean)
    }

    @Test func brokenJSONWithAFindingIsWithheld() throws {
        #expect(try redacted(#"{"a": "b@example.com"#, as: .json) == nil)
        #expect(try redacted("a@example.com", as: .opaque) == nil)
        #expect(try redacted("nothing", as: .opaque) == "nothing")
    }

    @Test func byteaIsReadDecoded() throws {
        let hex = "\\x" + "to a@example.com".utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let clean = "\\x" + "to [email]".utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(try redacted(hex, as: .byteaText) == clean)
        #expect(try redacted("a\\100example.com", as: .byteaText) == "\\x" + "5b656d61696c5d")
        #expect(try redacted("\\x00ff", as: .byteaText) == "\\x00ff")
    }

    @Test func allThatIsFoundIsGoneFromTheCorpora() throws {
        let redactor = try redactor()
        for detector in Detector.builtIn {
            let text = try String(contentsOf: corpora.appendingPathComponent("\(detector.id).positive"), encoding: .utf8)
            let set = try DetectorSet([detector])
            for line in try DetectorCorpus(positive: text, negative: "").positive {
                var output: [UInt8] = []
                guard case .replaced = line.text.withUnsafeBytes({ redactor.redact($0, as: .text, into: &output) }) else { continue }
                #expect(output.withUnsafeBytes { set.findings(in: $0) }.isEmpty, "\(detector.id): \(line.number)")
                #expect(String(validating: output, as: UTF8.self) != nil)
            }
        }
    }
}

@Suite struct StreamRedactorTests {
    private func stream(_ text: [UInt8], cut: Int) throws -> String {
        var stream = StreamRedactor(try redactor())
        var output = ByteBuffer()
        text.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: cut) {
                stream.feed(UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + cut)]), into: &output)
            }
        }
        stream.flush(into: &output)
        return String(buffer: output)
    }

    @Test(arguments: [1, 7, 100, 4_096, 1_000_000]) func cutsChangeNothing(_ cut: Int) throws {
        var text = ""
        for number in 0..<300 { text += "line \(number) of the log, nothing in it but words and the number \(number * 7)\n" }
        let pieces = text + "mail a@example.com\n" + text + "card 4111 1111 1111 1111\n" + text + "end b@example.org"
        let clean = text + "mail [email]\n" + text + "card [card]\n" + text + "end [email]"
        #expect(try stream(Array(pieces.utf8), cut: cut) == clean)
    }

    @Test func aKeyLongerThanWhatIsHeldIsDropped() throws {
        let body = String(repeating: "QUJD", count: 20_000)
        let text = "before\n-----BEGIN " + "PRIVATE KEY-----\n" + body + "\n-----END PRIVATE KEY-----\n! after a@example.com."
        let clean = try stream(Array(text.utf8), cut: 1_000)
        #expect(!clean.contains("QUJDQUJD"))
        #expect(clean.hasPrefix("before\n[private-key]"))
        #expect(clean.hasSuffix("[email]."))
    }

    @Test func whatIsHeldIsBounded() throws {
        var stream = StreamRedactor(try redactor())
        var output = ByteBuffer()
        let piece = Array(repeating: UInt8(ascii: "x"), count: 1_000)
        for number in 1...500 {
            piece.withUnsafeBytes { stream.feed($0, into: &output) }
            #expect(number * 1_000 - output.writerIndex < 64 * 1_024)
        }
    }
}

@Suite struct RowDetectionTests {
    private func row(_ values: [String?]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Int16(values.count))
        for value in values {
            buffer.writeInteger(Int32(value?.utf8.count ?? -1))
            if let value { buffer.writeString(value) }
        }
        return buffer
    }

    @Test func onlyWhatIsFoundChanges() throws {
        let detection = try #require(RowDetection(redactor: try redactor(), columns: [nil, (.text, "note"), (.json, "doc"), (.text, "n")]))
        var output = ByteBuffer()
        let counts = try detection.rewrite(
            row(["a@example.com", "to b@example.com", #"{"x":"c@example.com"}"#, nil]).readableBytesView, into: &output)
        #expect(output == row(["a@example.com", "to [email]", #"{"x":"[email]"}"#, nil]))
        #expect(counts?.replacedCells == 2)
        output.clear()
        #expect(try detection.rewrite(row(["1", "two", "{}", nil]).readableBytesView, into: &output) == nil)
        #expect(output.readableBytes == 0)
    }

    @Test func whatCannotBeReplacedIsNull() throws {
        let detection = try #require(RowDetection(redactor: try redactor(), columns: [(.opaque, "tags")]))
        var output = ByteBuffer()
        _ = try detection.rewrite(row(["\u{0}\u{5}a@example.com"]).readableBytesView, into: &output)
        #expect(output == row([nil]))
    }

    @Test func malformedRowsAreRefused() throws {
        let detection = try #require(RowDetection(redactor: try redactor(), columns: [(.text, "a"), (.text, "b")]))
        var output = ByteBuffer()
        for bytes in [[], [0], [0, 2], [0, 2, 0, 0, 0, 9, 1], [0, 3, 255, 255, 255, 255], [0, 2, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 0]]
            as [[UInt8]]
        {
            #expect(throws: MaskError.self) { try detection.rewrite(ByteBuffer(bytes: bytes).readableBytesView, into: &output) }
            var text: [UInt8] = []
            #expect(!bytes.withUnsafeBytes { detection.collect($0, into: &text) })
        }
    }

    @Test func manyRowsAreLookedAtTogether() throws {
        let detection = try #require(RowDetection(redactor: try redactor(), columns: [(.text, "a"), (.byteaText, "b")]))
        var text: [UInt8] = []
        for _ in 0..<50 {
            #expect(row(["some words", "\\x6162"]).readableBytesView.withUnsafeBytes { detection.collect($0, into: &text) })
        }
        #expect(!detection.redactor.set.mayHold(text))
        #expect(text.starts(with: Array("some words\nab\n".utf8)))
        let hidden = "\\x" + "a@example.com".utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(row(["x", hidden]).readableBytesView.withUnsafeBytes { detection.collect($0, into: &text) })
        #expect(detection.redactor.set.mayHold(text))
    }

    @Test func typesAndFormats() {
        #expect(FoundText(type: 25, format: .binary) == .text)
        #expect(FoundText(type: 3802, format: .binary) == .jsonb)
        #expect(FoundText(type: 17, format: .text) == .byteaText)
        #expect(FoundText(type: 1009, format: .binary) == .opaque)
        #expect(FoundText(type: 23, format: .text) == nil)
        #expect(FoundText(type: 50_000, format: .text) == .text)
    }
}

@Suite struct CopyDetectionTests {
    private func copied(_ chunks: [String], _ options: CopyOptions?, columns: Int = 2, masks: [ColumnMask?]? = nil) throws -> String {
        var mask = CopyMask(
            options: try #require(options), columns: masks ?? Array(repeating: nil, count: columns), redactor: try redactor())
        var output = ByteBuffer()
        for chunk in chunks { _ = try mask.feed(ByteBuffer(string: chunk).readableBytesView, into: &output) }
        try mask.finish()
        return String(buffer: output)
    }

    @Test func textFormat() throws {
        #expect(try copied(["1\ta@example.com\n2\t\\N\n", "3\tx\\ty\n"], CopyOptions()) == "1\t[email]\n2\t\\N\n3\tx\\ty\n")
        #expect(try copied(["1\t{\"e\":\"a@example.com\",\"q\":\"\\\\n\"}\n"], CopyOptions()) == "1\t{\"e\":\"[email]\",\"q\":\"\\\\n\"}\n")
        #expect(try copied(["1\ta@exam", "ple.com\n"], CopyOptions()) == "1\t[email]\n")
        let hex = "a@example.com".utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(try copied(["1\t\\\\x\(hex)\n"], CopyOptions()) == "1\t\\\\x5b656d61696c5d\n")
    }

    @Test func csvFormat() throws {
        let csv = CopyOptions(format: .csv)
        #expect(try copied(["1,\"a@example.com, x\"\n2,\n"], csv) == "1,\"[email], x\"\n2,\n")
        #expect(try copied(["1,\"{\"\"e\"\": \"\"a@example.com\"\"}\"\n"], csv) == "1,\"{\"\"e\"\": \"\"[email]\"\"}\"\n")
    }

    @Test func aNamedMaskComesFirst() throws {
        #expect(try copied(["s\ta@example.com\n"], CopyOptions(), masks: [textMask(.redact), nil]) == "****\t[email]\n")
    }

    @Test func wholeRowsWithoutAnythingPass() throws {
        let mask = CopyMask(options: try #require(CopyOptions()), columns: [nil, nil], redactor: try redactor())
        #expect(mask.passes(ByteBuffer(string: "1\twords\n").readableBytesView))
        #expect(!mask.passes(ByteBuffer(string: "1\ta@example.com\n").readableBytesView))
        #expect(!mask.passes(ByteBuffer(string: "1\twords").readableBytesView), "it ends amid a row")
        #expect(!mask.passes(ByteBuffer(string: "1\ta\\\n").readableBytesView), "its newline is data")
        #expect(!mask.passes(ByteBuffer(string: "1\t\\\\x6140\n").readableBytesView), "a bytea hides what it holds")
        #expect(!mask.passes(ByteBuffer(string: "1\t\"a\\\\u0040example.com\"\n").readableBytesView))
        let csv = CopyMask(options: try #require(CopyOptions(format: .csv)), columns: [nil], redactor: try redactor())
        #expect(csv.passes(ByteBuffer(string: "\"a\nb\"\n").readableBytesView))
        #expect(!csv.passes(ByteBuffer(string: "\"a\n").readableBytesView))
        let masked = CopyMask(options: try #require(CopyOptions()), columns: [textMask(.redact)], redactor: try redactor())
        #expect(!masked.passes(ByteBuffer(string: "words\n").readableBytesView))
    }

    @Test func binaryFormat() throws {
        func tuple(_ values: [[UInt8]?]) -> [UInt8] {
            var buffer = ByteBuffer()
            buffer.writeInteger(Int16(values.count))
            for value in values {
                buffer.writeInteger(Int32(value?.count ?? -1))
                if let value { buffer.writeBytes(value) }
            }
            return Array(buffer.readableBytesView)
        }
        let header = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let rows = tuple([[0, 0, 0, 1], Array("a@example.com".utf8)]) + tuple([nil, [1] + Array(#"{"e":"a@example.com"}"#.utf8)])
        let clean = tuple([[0, 0, 0, 1], Array("[email]".utf8)]) + tuple([nil, [1] + Array(#"{"e":"[email]"}"#.utf8)])
        let options = try #require(CopyOptions(format: .binary))
        for cut in [1, 5, 1_000] {
            var mask = CopyMask(options: options, columns: [nil, nil], redactor: try redactor())
            var output = ByteBuffer()
            let all = header + rows + [0xFF, 0xFF]
            for start in stride(from: 0, to: all.count, by: cut) {
                _ = try mask.feed(ByteBuffer(bytes: all[start..<min(all.count, start + cut)]).readableBytesView, into: &output)
            }
            try mask.finish()
            #expect(Array(output.readableBytesView) == header + clean + [0xFF, 0xFF])
        }
    }
}
