import GatehouseCore
import NIOCore

/// From the server to the client.
extension RelayMachine {
    /// Deals with the whole messages at the front of `input` and takes them off it. Rows and copy data that need no mask go on
    /// as they come, whole or not.
    ///
    /// - Throws: `ProtocolViolation` when the server says what it may not say now.
    mutating func receiveFromServer(_ input: inout ByteBuffer, sink: inout some RelaySink) throws(ProtocolViolation) -> ServerProgress {
        var run = Run(input)
        var replacement = Replacing()
        let progress: ServerProgress
        do throws(ProtocolViolation) {
            progress = try receiveMessages(input, &run, &replacement, &sink)
        } catch {
            run.flushToClient(input, &sink)
            replacement.flush(&sink)
            throw error
        }
        run.flushToClient(input, &sink)
        replacement.flush(&sink)
        input.moveReaderIndex(to: run.cursor)
        if input.readableBytes == 0 { input.clear(minimumCapacity: 0) }
        return progress
    }

    private mutating func receiveMessages(
        _ input: ByteBuffer, _ run: inout Run, _ replacement: inout Replacing, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> ServerProgress {
        while true {
            if serverRemainder > 0 {
                let taken = min(serverRemainder, input.writerIndex - run.cursor)
                run.cursor += taken
                serverRemainder -= taken
                if serverRemainder > 0 { return .needsBytes }
            }
            guard let header = try MessageHeader(at: run.cursor, in: input, maximum: limits.messageBytes) else { return .needsBytes }
            let available = input.writerIndex - run.cursor
            if header.type == Backend.dataRow || header.type == Backend.copyData {
                if try passesAsItIs(header.type) {
                    replacement.flush(&sink)
                    let taken = min(available, header.totalLength)
                    run.cursor += taken
                    serverRemainder = header.totalLength - taken
                    if serverRemainder > 0 { return .needsBytes }
                    continue
                }
            }
            guard available >= header.totalLength else { return .needsBytes }
            switch try receive(header, input, run.cursor) {
            case .pass:
                replacement.flush(&sink)
                run.cursor += header.totalLength
            case .swallow:
                run.flushToClient(input, &sink)
                replacement.flush(&sink)
                run.cursor += header.totalLength
                run.start = run.cursor
                sink.swallow(header.totalLength)
            case .replace(let bytes, let why):
                run.flushToClient(input, &sink)
                run.cursor += header.totalLength
                run.start = run.cursor
                replacement.add(bytes, for: header.totalLength, why, &sink)
            case .needsCatalog: return .needsCatalog
            }
        }
    }

    private enum Step {
        case pass
        case swallow
        case replace(ByteBuffer, Replacement)
        case needsCatalog
    }

    /// Whether rows (or copy data) arriving now need no mask. Counts the row.
    private mutating func passesAsItIs(_ type: UInt8) throws(ProtocolViolation) -> Bool {
        if type == Backend.copyData {
            guard copy == .copyOut || copy == .copyBoth else { throw unexpected(type) }
            if copyMask != nil { return false }
            counters.rows &+= 1
            return true
        }
        guard let head = pending.head, head.kind == .query || head.kind == .execute else { throw unexpected(type) }
        if rowMask != nil || (head.mayRevealMasked && !rowMaskIsDecided) { return false }
        counters.rows &+= 1
        return true
    }

    private mutating func receive(_ header: MessageHeader, _ input: ByteBuffer, _ start: Int) throws(ProtocolViolation) -> Step {
        var body = BodyReader(input, messageAt: start, header: header)
        switch header.type {
        case Backend.dataRow: return try receiveRow(&body, header, input, start)
        case Backend.copyData: return try receiveCopyData(&body, header)
        case Backend.rowDescription: return try receiveRowDescription(&body)
        case Backend.noData: return try receiveNoData()
        case Backend.parameterDescription:
            try expect(header.type, .describeStatement)
            return .pass
        case Backend.commandComplete, Backend.emptyQueryResponse: return try receiveCompletion(header.type)
        case Backend.portalSuspended:
            try expect(header.type, .execute)
            finishExecution()
            return .pass
        case Backend.parseComplete: return try receiveParseComplete()
        case Backend.bindComplete: return try receiveBindComplete()
        case Backend.closeComplete: return try receiveCloseComplete()
        case Backend.readyForQuery: return try receiveReady(&body)
        case Backend.errorResponse: return try receiveError(&body)
        case Backend.noticeResponse: return try receiveNotice(&body)
        case Backend.parameterStatus: return try receiveParameter(&body)
        case Backend.notificationResponse: return .pass
        case Backend.copyInResponse: return try receiveCopyIn()
        case Backend.copyOutResponse: return try receiveCopyOut(&body)
        case Backend.copyBothResponse:
            guard isReplication, let head = pending.head, head.kind == .query else { throw unexpected(header.type) }
            copy = .copyBoth
            return .pass
        case Backend.copyDone: return try receiveCopyDone()
        case Backend.functionCallResponse:
            try expect(header.type, .functionCall)
            return .pass
        default: throw unexpected(header.type)
        }
    }

    /// Under another encoding or string syntax the server would read texts otherwise than they were judged.
    private func receiveParameter(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let name = try body.cString()
        let value = try body.cString()
        try body.finish()
        let expected = ["client_encoding": "UTF8", "standard_conforming_strings": "on"]
        if let wanted = expected[name.lowercased()], value != wanted {
            throw ProtocolViolation(
                "\(name) became \(value), under which statements would be read otherwise than they were judged",
                code: .insufficientPrivilege)
        }
        return .pass
    }

    private mutating func expect(_ type: UInt8, _ kinds: PendingRequest.Kind...) throws(ProtocolViolation) {
        guard let head = pending.head, kinds.contains(head.kind) else { throw unexpected(type) }
    }

    private func unexpected(_ type: UInt8) -> ProtocolViolation {
        ProtocolViolation("the server sent message '\(printable(type))', which answers nothing that was asked")
    }

    // MARK: - Rows

    private mutating func receiveRow(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ start: Int
    ) throws(ProtocolViolation) -> Step {
        guard let head = pending.head else { throw unexpected(header.type) }
        if !rowMaskIsDecided {
            // Rows of a portal: its columns were described before it ran.
            guard head.kind == .execute, let columns = portalColumns[head.name] else {
                throw ProtocolViolation("the server sent rows whose columns it did not describe")
            }
            switch decideRowMask(columns, head) {
            case .needsCatalog: return .needsCatalog
            default: break
            }
        }
        counters.rows &+= 1
        guard rowMask != nil else { return .pass }
        let payload = try body.bytes(header.bodyLength)
        guard let masked = rowMask?.mask(payload) else {
            throw ProtocolViolation("the server sent a row that is not of the described columns")
        }
        return .replace(masked, .mask)
    }

    private mutating func decideRowMask(_ columns: [ResultColumn], _ head: PendingRequest) -> Step {
        switch judge.rowMask(for: columns, of: head.judgements) {
        case .pass: rowMask = nil
        case .mask(let mask): rowMask = mask
        case .needsCatalog: return .needsCatalog
        }
        rowMaskIsDecided = true
        return .pass
    }

    private mutating func receiveRowDescription(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        guard let head = pending.head else { throw unexpected(Backend.rowDescription) }
        switch head.kind {
        case .query:
            guard head.mayRevealMasked else { return .pass }
            rowMaskIsDecided = false
            return decideRowMask(try ResultColumn.read(&body), head)
        case .describePortal:
            if head.isInjected || head.judgement == nil || head.mayRevealMasked {
                portalColumns[head.name] = try ResultColumn.read(&body)
            }
            pending.pop()
            return head.isInjected ? .swallow : .pass
        case .describeStatement:
            pending.pop()
            return .pass
        case .parse, .bind, .execute, .closeStatement, .closePortal, .sync, .functionCall, .copyEnd:
            throw unexpected(Backend.rowDescription)
        }
    }

    private mutating func receiveNoData() throws(ProtocolViolation) -> Step {
        try expect(Backend.noData, .describeStatement, .describePortal)
        let isInjected = pending.head?.isInjected == true
        pending.pop()
        return isInjected ? .swallow : .pass
    }

    private mutating func receiveCompletion(_ type: UInt8) throws(ProtocolViolation) -> Step {
        try expect(type, .query, .execute)
        finishExecution()
        return .pass
    }

    private func complete(_ request: PendingRequest) {
        if let judgement = request.judgement { judge.completed(judgement) }
        for judgement in request.others { judge.completed(judgement) }
    }

    /// A statement of the head request ended: well, suspended, or (`receiveError`) not.
    private mutating func finishExecution() {
        rowMask = nil
        rowMaskIsDecided = false
        copyMask = nil
        copy = .none
        guard let head = pending.head else { return }
        complete(head)
        if head.kind == .execute {
            pending.pop()
        } else {
            pending.finishStatement()
        }
    }

    // MARK: - COPY

    private mutating func receiveCopyIn() throws(ProtocolViolation) -> Step {
        try expect(Backend.copyInResponse, .query, .execute)
        guard pending.enterCopyIn() else {
            throw ProtocolViolation("the server asks for copy data that no statement announced")
        }
        // The client may have sent all of its data already.
        copy = pending.copyDataHasEnded ? .none : .copyIn
        return .pass
    }

    private mutating func receiveCopyOut(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        try expect(Backend.copyOutResponse, .query, .execute)
        copy = .copyOut
        copyMask = nil
        guard let revealing = pending.head?.judgements.filter(\.mayRevealMasked), !revealing.isEmpty else { return .pass }
        // Copy data carries no description of its columns: what was not planned for when it was judged cannot be masked now.
        guard revealing.count == 1, let plan = revealing[0].copyMask else {
            throw ProtocolViolation("copy data that may hold masked values")
        }
        let format: UInt8 = try body.integer()
        let columns: Int16 = try body.integer()
        copyMask = try plan.mask(isBinary: format == 1, columns: Int(columns))
        return .pass
    }

    private mutating func receiveCopyData(_ body: inout BodyReader, _ header: MessageHeader) throws(ProtocolViolation) -> Step {
        counters.rows &+= 1
        let payload = try body.bytes(header.bodyLength)
        var message = ByteBuffer()
        message.reserveCapacity(header.totalLength + 64)
        message.writeInteger(Backend.copyData)
        message.writeInteger(Int32(0))
        do {
            _ = try copyMask?.feed(payload.readableBytesView, into: &message)
        } catch {
            throw ProtocolViolation("copy data could not be masked: \(error)")
        }
        message.setInteger(Int32(clamping: message.writerIndex - 1), at: 1)
        // Nothing may be certain yet of what the chunk holds.
        return .replace(message.writerIndex > MessageHeader.size ? message : ByteBuffer(), .mask)
    }

    private mutating func receiveCopyDone() throws(ProtocolViolation) -> Step {
        guard copy == .copyOut || copy == .copyBoth else { throw unexpected(Backend.copyDone) }
        if copy == .copyOut { copy = .none }
        do { try copyMask?.finish() } catch { throw ProtocolViolation("the server ended a COPY amid a row") }
        copyMask = nil
        return .pass
    }

    // MARK: - Names

    private mutating func receiveParseComplete() throws(ProtocolViolation) -> Step {
        try expect(Backend.parseComplete, .parse)
        if let head = pending.head, let proposal = head.proposal { statements.confirm(proposal, as: head.name) }
        pending.pop()
        return .pass
    }

    private mutating func receiveBindComplete() throws(ProtocolViolation) -> Step {
        try expect(Backend.bindComplete, .bind)
        if let head = pending.head, let proposal = head.proposal { portals.confirm(proposal, as: head.name) }
        pending.pop()
        return .pass
    }

    private mutating func receiveCloseComplete() throws(ProtocolViolation) -> Step {
        try expect(Backend.closeComplete, .closeStatement, .closePortal)
        if let head = pending.head {
            if head.kind == .closeStatement { statements.free(head.name) } else { portals.free(head.name) }
        }
        pending.pop()
        return .pass
    }

    // MARK: - Errors and ready

    private mutating func receiveReady(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let status: UInt8 = try body.integer()
        try body.finish()
        guard let known = TransactionStatus(rawValue: status) else {
            throw ProtocolViolation("the server is ready in an unknown state '\(printable(status))'")
        }
        if let head = pending.head, head.kind == .query || head.kind == .sync || head.kind == .functionCall {
            pending.pop()
        } else {
            throw unexpected(Backend.readyForQuery)
        }
        transaction = known
        rowMask = nil
        rowMaskIsDecided = false
        copyMask = nil
        if copy == .copyOut || copy == .copyBoth { copy = .none }
        if pending.isEmpty {
            if known == .idle {
                portals.removeAllNamed()
                portalColumns.removeAll(keepingCapacity: portalColumns.count < 64)
                describedPortals.removeAll(keepingCapacity: describedPortals.count < 64)
            }
            judge.serverIsIdle()
        }
        return .pass
    }

    private mutating func receiveError(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let head = pending.head
        let judgement = head?.judgement
        rowMask = nil
        rowMaskIsDecided = false
        copyMask = nil
        copy = .none
        let fields = try ErrorFields(&body)
        let isFatal = fields.severity == "FATAL" || fields.severity == "PANIC"
        if let head, !isFatal {
            complete(head)
            switch head.kind {
            case .query, .functionCall, .sync: break
            case .parse, .bind, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal, .copyEnd:
                var dropped: [PendingRequest] = []
                pending.failToSync { dropped.append($0) }
                for request in dropped {
                    retract(request)
                }
            }
        }
        if !isFatal, let judgement, judgement.isDenied {
            return .replace(denial(judgement), .denial)
        }
        if head?.mayEchoMasked == true, !MaskPlanner.isSafe(sqlState: fields.code) {
            return .replace(withoutValues(fields, as: Backend.errorResponse), .withheldMessage)
        }
        return .pass
    }

    private mutating func retract(_ request: PendingRequest) {
        guard let proposal = request.proposal else { return }
        switch request.kind {
        case .parse: statements.retract(proposal, as: request.name)
        case .bind: portals.retract(proposal, as: request.name)
        case .query, .describeStatement, .describePortal, .execute, .closeStatement, .closePortal, .sync, .functionCall, .copyEnd: break
        }
    }

    private mutating func receiveNotice(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        guard pending.head?.mayEchoMasked == true else { return .pass }
        return .replace(withoutValues(try ErrorFields(&body), as: Backend.noticeResponse), .withheldMessage)
    }

    /// The denial in place of the error that the injected message brought about.
    private func denial(_ judgement: Judgement) -> ByteBuffer {
        let verdict = judgement.verdict
        var buffer = ByteBuffer()
        ErrorFields(
            code: .insufficientPrivilege,
            message: verdict.reason.isEmpty
                ? "denied by Gatehouse rule \"\(verdict.rule)\"" : "denied by Gatehouse rule \"\(verdict.rule)\": \(verdict.reason)",
            hint: verdict.hint
        ).write(to: &buffer)
        return buffer
    }

    /// An error or notice of a statement over masked columns: its text may quote a value, so only what it is remains.
    private func withoutValues(_ fields: ErrorFields, as type: UInt8) -> ByteBuffer {
        var fields = fields
        fields.message = "the server's message (\(fields.code)) is withheld, since the statement can reach masked columns"
        fields.detail = nil
        fields.hint = nil
        var buffer = ByteBuffer()
        fields.write(to: &buffer, as: type)
        return buffer
    }
}

/// Replaced messages gathered, so that many masked rows become one record and one write.
private struct Replacing {
    private var bytes = ByteBuffer()
    private var original = 0
    private var reason = Replacement.mask

    mutating func add(_ more: ByteBuffer, for count: Int, _ why: Replacement, _ sink: inout some RelaySink) {
        if original > 0, why != reason { flush(&sink) }
        reason = why
        original += count
        if bytes.readableBytes == 0 { bytes = more } else { bytes.writeImmutableBuffer(more) }
        if bytes.readableBytes > 262_144 { flush(&sink) }
    }

    mutating func flush(_ sink: inout some RelaySink) {
        guard original > 0 else { return }
        sink.replaceForClient(original: original, by: bytes, because: reason)
        bytes = ByteBuffer()
        original = 0
    }
}
