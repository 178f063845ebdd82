import NIOCore

/// What of the client's words the recording holds otherwise, because they may say what is masked. Nothing here changes what the server
/// is sent.
extension RelayMachine {
    /// What takes copy data of the client's.
    enum CopyInData {
        /// Nothing that is known.
        case unknown
        case open
        /// `copyInMask` says what of it is shown.
        case hidden
    }

    /// - Parameter prefix: the bytes between the header and the text.
    func hideText(
        _ text: ByteBuffer, of judgement: Judgement, prefix: Int = 0, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run
    ) {
        let redactor = judge.redactor
        guard judgement.hidden != nil || redactor != nil else { return }
        let masked = judgement.hidden?.shown(text) ?? .asItIs
        let shown = redactor.map { masked.redacted(by: $0, text) } ?? masked
        guard var message = HiddenMessage(shown, text: text, prefix: prefix, header, input, at: run.cursor) else { return }
        if masked == .asItIs { message.reason = .findings }
        hide(message, hasFindings: shown != masked, &run)
    }

    /// What a Bind gives is shown where every statement that it may be given to would show it.
    func hideValues(of judgements: [Judgement], _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run) {
        let redactor = judge.redactor
        guard redactor != nil || judgements.contains(where: { $0.hidden != nil }) else { return }
        var hasFindings = false
        let message = HiddenMessage(valuesOf: header, input, at: run.cursor) { number, value in
            let isFound = redactor?.finds(in: value) == true
            if isFound { hasFindings = true }
            return !isFound && judgements.allSatisfy { $0.hidden?.keeps(parameter: number) ?? true }
        }
        hide(message, hasFindings: hasFindings, &run)
    }

    /// - Parameter hasFindings: What detectors find is kept for nobody.
    private func hide(_ message: HiddenMessage?, hasFindings: Bool = false, _ run: inout Run) {
        guard var message else { return }
        message.keepsOriginal = judge.keepsClientOriginals && !hasFindings
        run.hidden.append(message)
    }

    /// Messages that nobody judges, since the server passes over them.
    func hideUnjudged(_ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run) throws(ProtocolViolation) {
        guard judge.hidesUnjudged else { return }
        // Nobody looks into them, so that what detectors would find is not known.
        let mayHaveFindings = judge.redactor != nil
        var body = BodyReader(input, messageAt: run.cursor, header: header)
        switch header.type {
        case Frontend.query, Frontend.parse:
            if header.type == Frontend.parse { _ = try body.cStringBytes() }
            let prefix = header.bodyLength - body.remaining
            let text = try body.cStringBytes()
            let message = HiddenMessage(HiddenLiterals().shown(text), text: text, prefix: prefix, header, input, at: run.cursor)
            hide(message, hasFindings: mayHaveFindings, &run)
        case Frontend.bind, Frontend.functionCall:
            let message = HiddenMessage(valuesOf: header, input, at: run.cursor) { _, _ in false }
            hide(message, hasFindings: mayHaveFindings, &run)
        default: break
        }
    }

    // MARK: - Copy data

    /// A request goes on that may take copy data, or none.
    mutating func beginCopyIn(_ judgements: [Judgement]) {
        let takesData = judgements.contains { $0.copyIns > 0 }
        guard takesData || copyIn != .unknown else { return }
        guard takesData else {
            copyIn = .unknown
            return
        }
        guard judgements.contains(where: { $0.hidden?.hides(copies: $0.copyIns) == true }) else {
            copyIn = .open
            return
        }
        copyIn = .hidden
        // Which of several it is, is not known.
        copyInMask = judgements.count == 1 ? CopyInMask(judgements[0].hidden?.copies ?? []) : .withholding
    }

    mutating func endCopyIn() {
        if copyIn == .hidden { copyInMask.ends() }
    }

    /// Bytes of a CopyData message, from `start` to where the run will be.
    ///
    /// - Parameter skipped: how many of them are its header.
    mutating func hideCopyData(_ input: ByteBuffer, from start: Int, count: Int, skipping skipped: Int, _ run: inout Run) {
        switch copyIn {
        case .open: return
        case .unknown where !judge.hidesUnjudged: return
        case .unknown, .hidden: break
        }
        guard count > 0 else { return }
        var shown: (bytes: ByteBuffer, replaced: UInt64)?
        if copyIn == .hidden {
            shown = copyInMask.feed(input.viewBytes(at: start + skipped, length: count - skipped) ?? ByteBuffer().readableBytesView)
        }
        let values = shown.map { Int(clamping: $0.replaced) } ?? 1
        var message = HiddenMessage(copyData: shown?.bytes, offset: start, length: count, values: values)
        message.keepsOriginal = judge.keepsClientOriginals && judge.redactor == nil
        run.hidden.add(copyData: message)
    }
}
