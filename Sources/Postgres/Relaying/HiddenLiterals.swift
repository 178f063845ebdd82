import Analysis
import Masking
import NIOCore

/// How a statement that touches masked columns is told to people: in the recording, to approvers. What goes to the server is never
/// touched by it.
///
/// Made with the judgement, so that a statement which touches none costs nothing. A class, since what may be kept is found when it is
/// first asked for, and then kept for all texts that share the judgement.
final class HiddenLiterals {
    enum Shown: Equatable {
        case asItIs
        case masked([UInt8], replaced: Int)
        /// Nothing of it is shown: where it holds constants cannot be told.
        case withheld
    }

    /// How the data of a COPY .. FROM STDIN is told.
    enum CopyIn {
        case asItIs
        case masked(CopyMaskPlan)
        case withheld
    }

    private let analysis: Analysis?
    /// nil: nothing is kept.
    private var find: ((UnsafeRawBufferPointer) -> LiteralPlan)?
    /// Nobody knows how the server reads the text.
    private let isUnreadable: Bool
    /// Only copy data is told otherwise.
    private let isOpen: Bool
    /// One for each COPY .. FROM STDIN of the text, in order.
    let copies: [CopyIn]
    private var plan: LiteralPlan?

    /// Whether data of the text's COPYs, so many, is not shown as it is.
    func hides(copies count: Int) -> Bool {
        copies.count != count || !copies.allSatisfy { if case .asItIs = $0 { true } else { false } }
    }

    /// - Parameter find: finds what of the text may be kept; nil keeps nothing.
    init(
        analysis: Analysis? = nil, isUnreadable: Bool = false, copies: [CopyIn] = [],
        find: ((UnsafeRawBufferPointer) -> LiteralPlan)? = nil
    ) {
        self.analysis = analysis
        self.isUnreadable = isUnreadable
        isOpen = false
        self.copies = copies
        self.find = find
    }

    /// Text and parameters are shown.
    init(hidingOnly copies: [CopyIn]) {
        analysis = nil
        isUnreadable = false
        isOpen = true
        self.copies = copies
        find = nil
    }

    /// The text as it may be shown.
    func shown(_ text: ByteBuffer) -> Shown {
        if isOpen { return .asItIs }
        if isUnreadable { return .withheld }
        // A longer one would take long to be cut; one that was analysed has its tokens kept.
        let isShort = text.readableBytes <= LiteralPlan.byteLimit
        guard isShort || analysis?.literals != nil else { return .withheld }
        return text.withUnsafeReadableBytes { bytes in
            // Where nothing could be parsed, a value may stand as a word.
            guard let analysis, analysis.failure == nil else {
                return LiteralPlan.keywords(of: bytes).map { .masked($0.bytes, replaced: $0.replaced) } ?? .withheld
            }
            let plan = plan(for: bytes)
            if plan.keepsAll { return .asItIs }
            guard let masked = plan.masked(bytes, tokens: analysis.literals) else { return .withheld }
            return masked.replaced == 0 ? .asItIs : .masked(masked.bytes, replaced: masked.replaced)
        }
    }

    /// Whether a value of this parameter (from 1) may be shown.
    func keeps(parameter: Int) -> Bool {
        if isOpen { return true }
        if let plan { return plan.keptParameters.contains(parameter) }
        // All texts that share the judgement have the same parameters in the same places.
        guard !isUnreadable, let actions = analysis?.actions, actions.count == 1, let text = actions[0].source?.text else { return false }
        return text.withUnsafeBytes { plan(for: $0).keptParameters.contains(parameter) }
    }

    private func plan(for text: UnsafeRawBufferPointer) -> LiteralPlan {
        if let plan { return plan }
        let found = find?(text) ?? .keepingNothing
        plan = found
        // It keeps a snapshot of the catalog alive.
        find = nil
        return found
    }
}

extension HiddenLiterals.Shown {
    /// The same without what detectors find in it.
    func redacted(by redactor: Redactor, _ text: ByteBuffer) -> Self {
        func search(_ bytes: UnsafeRawBufferPointer, besides replaced: Int) -> Self {
            var output: [UInt8] = []
            guard case .replaced(let findings) = redactor.redact(bytes, as: .text, into: &output) else { return self }
            return .masked(output, replaced: replaced + findings)
        }
        switch self {
        case .asItIs: return text.withUnsafeReadableBytes { search($0, besides: 0) }
        case .masked(let bytes, let replaced): return bytes.withUnsafeBytes { search($0, besides: replaced) }
        case .withheld: return self
        }
    }
}

extension Redactor {
    /// Whether something is in the value of a parameter, whose type nobody told.
    func finds(in value: ByteBuffer) -> Bool {
        value.withUnsafeReadableBytes { bytes in
            var output: [UInt8] = []
            // In the binary format text is what it is in the other one, and what has a structure of its own is searched as it stands.
            return redact(bytes, as: FoundText(guessing: bytes, isBinary: true), into: &output) != .clean
                || redact(bytes, as: FoundText(guessing: bytes, isBinary: false), into: &output) != .clean
        }
    }
}

extension Judgement {
    /// A text as people may see it.
    func shown(_ text: ByteBuffer, _ redactor: Redactor?) -> String {
        var shown = hidden?.shown(text) ?? .asItIs
        if let redactor { shown = shown.redacted(by: redactor, text) }
        return switch shown {
        case .asItIs: String(buffer: text)
        case .masked(let bytes, _): String(decoding: bytes, as: UTF8.self)
        case .withheld: HiddenMessage.stars
        }
    }

    /// Parameters as people may see them.
    func shown(_ parameters: BoundParameters, _ redactor: Redactor?) -> [String?] {
        zip(parameters.shown, parameters.values).enumerated().map { index, value in
            guard let text = value.0, let bytes = value.1 else { return nil }
            let isKept = hidden?.keeps(parameter: index + 1) ?? true
            return isKept && redactor?.finds(in: bytes) != true ? text : HiddenMessage.stars
        }
    }
}
