internal import CPgQuery
internal import GatehouseCore

/// From text to facts: check, scan, judge the nesting, parse, walk.
enum Analyze {
    /// A text whose nesting passes `NestingGuard.limit` but not this one is for a thread with a large stack.
    enum Outcome {
        case done(Analysis)
        case tooDeepHere
    }

    /// More tokens than this are not parsed. Measured in a release build, the parser and the walk take 0.7 us a token for a
    /// list of VALUES and up to 2 us for the worst texts known (select lists, chains of operators): a quarter of a second at
    /// most, on a thread of its own. 32,700 parameters, as bulk inserts send them, stay below.
    static let tokenLimit = 131_072

    /// - Parameter keepsLiterals: The analysis is of this text alone, and is to know where its literals are.
    static func run(
        _ text: UnsafeRawBufferPointer, statementBytes: Int, depthLimit: Int, keepsLiterals: Bool = false
    ) -> Outcome {
        guard text.count <= statementBytes else {
            return .done(Analysis(failure: tooLong(text.count, statementBytes)))
        }
        guard !text.contains(0) else { return .done(Analysis(failure: "statement text holds a zero byte")) }
        guard isValidUTF8(text) else { return .done(Analysis(failure: "statement text is not valid UTF-8")) }
        do {
            try Prescan.check(text, tokenLimit: tokenLimit)
        } catch {
            switch error {
            case .tokens: return .done(Analysis(failure: tooManyTokens))
            case .operators: return .done(Analysis(failure: "statement text holds too long a run of operator characters"))
            }
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.count + 1) { buffer in
            guard let base = buffer.baseAddress else { return .done(Analysis(failure: "no memory")) }
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.copyMemory(from: text)
            buffer[text.count] = 0
            do {
                return try analyze(base, count: text.count, depthLimit: depthLimit, keepsLiterals: keepsLiterals)
            } catch let failure as ScannedText.Failure {
                return .done(Analysis(failure: syntaxError(at: failure.position)))
            } catch {
                return .done(Analysis(failure: "the parser's answer could not be read"))
            }
        }
    }

    /// Parses a text that was analysed before, and hands its only statement over. nil where that fails.
    static func withTree<Result>(of text: [UInt8], _ body: (Message) -> Result?) -> Result? {
        guard let parsed = ParsedText.of(text), let statements = try? parsed.tree().messages(Fields.stmts), statements.count == 1,
            let statement = try? statements[0].message(Fields.Raw.stmt)
        else { return nil }
        return withExtendedLifetime(parsed) { body(statement) }
    }

    private static let tooManyTokens = "statement text has more than \(tokenLimit) tokens"

    static func tooLong(_ count: Int, _ limit: Int) -> String { "statement text of \(count) bytes is longer than the limit of \(limit)" }

    private static func syntaxError(at position: Int) -> String {
        position > 0 ? "syntax error at character \(position)" : "syntax error"
    }

    static func isValidUTF8(_ text: UnsafeRawBufferPointer) -> Bool {
        if !text.contains(where: { $0 >= 0x80 }) { return true }
        return String(validating: text, as: UTF8.self) != nil
    }

    private static func analyze(
        _ text: UnsafePointer<CChar>, count: Int, depthLimit: Int, keepsLiterals: Bool
    ) throws -> Outcome {
        let scanned = try ScannedText(text, count: count, limit: tokenLimit)
        let tokens = scanned.tokens
        guard tokens.count <= tokenLimit else {
            return .done(Analysis(failure: tooManyTokens))
        }
        let depth = NestingGuard.depth(of: tokens)
        guard depth <= NestingGuard.limit else { return .done(Analysis(failure: "statement is nested too deeply")) }
        guard depth <= depthLimit else { return .tooDeepHere }

        let parsed = try ParsedText(text)
        return try withExtendedLifetime(parsed) {
            let analysis = try actions(
                of: try parsed.tree(), text: UnsafeRawBufferPointer(start: text, count: count), scanned: scanned,
                keepsSource: depth <= NestingGuard.inlineLimit, keepsLiterals: keepsLiterals)
            // Behind empty statements its places would be counted from another beginning.
            if analysis.actions.count == 1, let source = analysis.actions[0].source?.text,
                source.elementsEqual(UnsafeRawBufferPointer(start: text, count: min(source.count, count)))
            {
                parsed.remember(as: source)
            }
            return .done(analysis)
        }
    }

    private static func actions(
        of tree: Message, text: UnsafeRawBufferPointer, scanned: ScannedText, keepsSource: Bool, keepsLiterals: Bool
    ) throws -> Analysis {
        var normalizer = Normalizer(text, scanned.tokens)
        var actions: [Action] = []
        var isSharable = !scanned.dependsOnStringSetting
        for raw in try tree.messages(Fields.stmts) {
            guard let statement = try raw.message(Fields.Raw.stmt) else { throw MalformedTree() }
            var walker = Walker()
            try walker.outermost(statement)
            let start = try raw.number(Fields.Raw.location)
            let length = try raw.number(Fields.Raw.length)
            // A length of 0 is "to the end". Both come from the library, and both are checked.
            guard start >= 0, length >= 0, start <= text.count, length <= text.count - start else { throw MalformedTree() }
            let end = length == 0 ? text.count : start + length
            var action = walker.facts.action(normalized: normalizer.text(from: start, to: end))
            if keepsSource, end - start <= StatementSource.byteLimit, Lineage.concerns(statement.kind) {
                action.source = StatementSource(text: Array(text[start..<end]))
            }
            actions.append(action)
            if walker.facts.readLiteral { isSharable = false }
            switch statement.kind {
            case .select, .insert, .update, .delete, .merge: break
            default: isSharable = false
            }
        }
        if actions.count > 1 {
            for index in actions.indices { actions[index].flags.insert(.multiStatement) }
        }
        return Analysis(
            actions: actions, dependsOnStringSetting: scanned.dependsOnStringSetting, isSharable: isSharable,
            literals: keepsLiterals ? LiteralToken.all(of: scanned) : nil)
    }
}
