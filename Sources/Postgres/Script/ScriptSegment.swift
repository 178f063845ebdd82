/// What happened between two ReadyForQuery: what of it took effect is known only then.
struct ScriptSegment {
    var items: [ScriptItem] = []
    /// The transaction's status at its beginning: I, T or E (documentation, ReadyForQuery).
    private var status = UInt8(ascii: "I")
    /// `standard_conforming_strings` and `client_encoding`, as they were at its beginning; the server reports changes at its end
    /// (documentation, "Asynchronous Operations").
    private(set) var isStandard = true
    private var isUTF8 = true
    private var next = (isStandard: true, isUTF8: true)

    private static let idle = UInt8(ascii: "I")
    private static let failed = UInt8(ascii: "E")

    /// A parameter that the server reported.
    mutating func set(_ name: String, _ value: String) {
        if name == "standard_conforming_strings" { next.isStandard = value == "on" }
        if name == "client_encoding" { next.isUTF8 = ["UTF8", "UTF-8", "UNICODE"].contains(value.uppercased()) }
    }

    /// Writes the segment and begins the next.
    /// - Parameter end: the status that the server told; nil when the recording ends here.
    mutating func close(_ end: UInt8?) -> String {
        defer {
            items = []
            status = end ?? Self.idle
            (isStandard, isUTF8) = next
        }
        guard !items.isEmpty else { return "" }
        let hasFailed = items.contains(where: \.isFailure)
        // An error takes back what its implicit transaction did: all that came behind the last end of one.
        let lastEnd = items.lastIndex { !$0.isSimple && $0.isCompleted && $0.endsTransaction } ?? -1
        let isUndone = end == nil ? status == Self.idle : hasFailed && end == Self.idle
        let done = items.filter { $0.isCompleted && !$0.isSimple }
        // What ran in one implicit transaction runs in one again.
        let isGrouped =
            !hasFailed && status == Self.idle && end == Self.idle && done.count > 1 && !done.contains(where: \.controlsTransaction)
        var text = isGrouped ? "BEGIN;\n" : ""
        for (index, item) in items.enumerated() {
            text += write(item, isUndone: isUndone && index > lastEnd && !item.isSimple, end: end)
        }
        if isGrouped { text += "COMMIT;\n" }
        if hasFailed, status != Self.failed, end == Self.failed, !items.contains(where: { reruns($0, end: end) }) {
            text += "DO 'BEGIN RAISE EXCEPTION $$the recorded session failed here$$; END';\n"
        } else if hasFailed, status != Self.idle, end == Self.idle, lastEnd < 0, !items.contains(where: { reruns($0, end: end) }) {
            text += "ROLLBACK;\n"
        }
        return text
    }

    /// A simple query some of whose statements took effect before another failed: it is run again as it was, and fails again.
    private func reruns(_ item: ScriptItem, end: UInt8?) -> Bool {
        guard item.isSimple, item.isFailure, !item.tags.isEmpty, item.copies.isEmpty else { return false }
        return item.endsTransaction || end == Self.failed
    }

    private func write(_ item: ScriptItem, isUndone: Bool, end: UInt8?) -> String {
        switch item.outcome {
        case .completed where isUndone: return remark(item, "undone by an error behind it, or by the session's end")
        case .completed: return run(item)
        case .failed(let code, let message):
            guard reruns(item, end: end) else { return remark(item, "failed (\(code)): \(message)") }
            return commented("failed (\(code)): \(message)") + run(item)
        case .denied(let ruling): return remark(item, "DENIED by \(ruling.rule)\(ruling.reason.isEmpty ? "" : ": " + ruling.reason)")
        case .skipped: return remark(item, "not run, since it came behind an error")
        case .unanswered: return remark(item, "the recording ends before the answer to this")
        }
    }

    private func run(_ item: ScriptItem) -> String {
        if item.isMasked { return remark(item, "cannot be run again: values of it are masked in the recording") }
        guard let text = scriptText(item) else { return remark(item, "cannot be said in a script", inHex: true) }
        if text.text.allSatisfy({ $0.isWhitespace || $0 == ";" }) { return "" }
        var result = ""
        if item.copies.isEmpty {
            guard text.script != nil || status != Self.failed else { return remark(item, "cannot be said in a script", inHex: true) }
            result = text.statement + "\n"
        } else {
            let isPlain = isPlainCopy(text.text)
            let blocks = item.hasBinaryCopy ? [] : item.copies.compactMap { CopyBlock.lines(of: $0, isPlain: isPlain, isUTF8: isUTF8) }
            guard let script = text.script, blocks.count == item.copies.count else {
                let data = item.copies.map { $0.isTooLarge ? "(too large to be kept here)" : "\\x" + ScriptValue.hexadecimal($0.bytes) }
                return remark(item, "took in data that a script cannot hold") + data.map { commented($0, "  ") }.joined()
            }
            result = script + text.end + "\n" + blocks.joined()
        }
        return result + item.rows.map { commented($0.replacing("\n", with: "\\n"), "| ") }.joined()
            + (item.rowsLeftOut > 0 ? commented("(\(item.rowsLeftOut) more rows)") : "")
    }

    /// One COPY in the text format with its default options, which alone is known to mean what it looks like.
    private func isPlainCopy(_ text: String) -> Bool {
        let words = text.lowercased().split { $0.isWhitespace || $0 == ";" }
        // A comment could hide options.
        guard !text.contains("--"), !text.contains("/*") else { return false }
        return words.last == "stdin" && words.filter { $0 == "stdin" }.count == 1 && words.first == "copy"
    }

    private func scriptText(_ item: ScriptItem) -> ScriptText? {
        guard let source = String(validating: item.text, as: UTF8.self), isUTF8 || item.text.allSatisfy({ $0 < 0x80 }) else { return nil }
        guard !item.isSimple else { return ScriptText(trimmed(source), isStandard: isStandard) }
        // Prepared under another setting, its strings may mean something else now.
        guard item.isStandard == isStandard || !source.utf8.contains(UInt8(ascii: "\\")) else { return nil }
        return ScriptText(trimmed(source), isStandard: isStandard) { number in
            guard number > 0, number <= item.parameters.count else { return nil }
            let parameter = item.parameters[number - 1]
            guard isUTF8 || (parameter.bytes ?? []).allSatisfy({ $0 < 0x80 }) || parameter.isBinary else { return nil }
            let type = number <= item.types.count ? item.types[number - 1] : 0
            return ScriptValue.literal(parameter.bytes, type: type, isBinary: parameter.isBinary)
        }
    }

    private func trimmed(_ text: String) -> String {
        let spaces: Set<Unicode.Scalar> = [" ", "\n", "\t", "\r"]
        var scalars = text.unicodeScalars[...]
        while let last = scalars.last, spaces.contains(last) { scalars.removeLast() }
        while let first = scalars.first, spaces.contains(first) { scalars.removeFirst() }
        return String(scalars)
    }

    private func remark(_ item: ScriptItem, _ why: String, inHex: Bool = false) -> String {
        var result = commented(why)
        if let text = scriptText(item)?.text ?? (item.parameters.isEmpty ? String(validating: item.text, as: UTF8.self) : nil), !inHex {
            return result + (text.isEmpty ? "" : commented(text, "  "))
        }
        result += commented(String(decoding: item.text, as: UTF8.self), "  ")
        result += commented("as bytes: \\x" + ScriptValue.hexadecimal(item.text), "  ")
        for (index, parameter) in item.parameters.enumerated() {
            let value = parameter.bytes.map { "\\x" + ScriptValue.hexadecimal($0) } ?? "NULL"
            result += commented("$\(index + 1) = \(value)\(parameter.isBinary ? " (binary)" : "")", "  ")
        }
        return result
    }
}

/// Copy data as psql reads it from a script: up to a line that is `\.` (documentation, psql, "\copy" and COPY).
enum CopyBlock {
    /// nil when psql would read something else.
    /// - Parameter isPlain: text format and default options: then the server, too, takes `\.` for the end, and escapes are known.
    static func lines(of data: ScriptRequest.CopyData, isPlain: Bool, isUTF8: Bool) -> String? {
        guard !data.isTooLarge, let text = String(validating: data.bytes, as: UTF8.self), isUTF8 || data.bytes.allSatisfy({ $0 < 0x80 })
        else { return nil }
        var result = ""
        var isEscaped = false
        var line = ""
        func isEnd() -> Bool { line == "\\." }
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                if isEnd() {
                    guard isPlain else { return nil }
                    return result + "\\.\n"
                }
                result += line + "\n"
                line = ""
                isEscaped = false
                continue
            }
            if isUnfit(scalar), scalar != "\t" {
                guard isPlain, scalar != "\r" else { return nil }
                let bytes = Array(String(scalar).utf8).map { "x" + ScriptValue.hexadecimal([$0]) }
                line += (isEscaped ? "" : "\\") + bytes.joined(separator: "\\")
            } else {
                line.unicodeScalars.append(scalar)
            }
            isEscaped = scalar == "\\" && !isEscaped
        }
        if isEnd(), !isPlain { return nil }
        if !line.isEmpty, !isEnd() { result += line + "\n" }
        return result + "\\.\n"
    }
}
