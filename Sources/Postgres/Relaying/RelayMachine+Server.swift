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
        rowScan.begin()
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
                // Short ones go on whole, so that a session which ends now can still tell the client why.
                if available < header.totalLength, header.totalLength <= Self.wholeMessageBytes { return .needsBytes }
                if try passesAsItIs(header.type) {
                    replacement.flush(&sink)
                    let taken = min(available, header.totalLength)
                    run.cursor += taken
                    serverRemainder = header.totalLength - taken
                    if serverRemainder > 0 { return .needsBytes }
                    continue
                }
                if header.type == Backend.dataRow, maskRows(input, &run, &replacement, &sink) { continue }
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
            case .replace(let more):
                run.flushToClient(input, &sink)
                replacement.add(more, for: header.totalLength, at: run.cursor, of: input, &sink)
                run.cursor += header.totalLength
                run.start = run.cursor
            case .needsCatalog: return .needsCatalog
            }
        }
    }

    /// Masks many rows at once where nothing else has to be known of each; false where the next one has to be looked at by itself.
    private mutating func maskRows(
        _ input: ByteBuffer, _ run: inout Run, _ replacement: inout Replacing, _ sink: inout some RelaySink
    ) -> Bool {
        guard rowMaskIsDecided, let (mask, keepsOriginal) = rowMask?.plain, !judge.countsMaskedValues else { return false }
        run.flushToClient(input, &sink)
        let (rows, bytes) = replacement.addRows(
            in: input, from: run.cursor, maximum: limits.messageBytes, by: mask, keepsOriginal: keepsOriginal, &sink)
        guard rows > 0 else { return false }
        counters.rows &+= numericCast(rows)
        run.cursor += bytes
        run.start = run.cursor
        return true
    }

    enum ServerStep {
        case pass
        case swallow
        case replace(ServerReplacement)
        case needsCatalog
    }

    /// Whether rows (or copy data) arriving now need no mask. Counts the row.
    private mutating func passesAsItIs(_ type: UInt8) throws(ProtocolViolation) -> Bool {
        if type == Backend.copyData {
            guard copy == .copyOut || copy == .copyBoth else { throw unexpected(type) }
            if copyOut != nil { return false }
            counters.rows &+= 1
            return true
        }
        guard let kind = pending.headKind, kind == .query || kind == .execute else { throw unexpected(type) }
        if rowMask != nil || (!rowMaskIsDecided && pending.head?.mayRevealMasked == true) { return false }
        counters.rows &+= 1
        return true
    }

    private mutating func receive(_ header: MessageHeader, _ input: ByteBuffer, _ start: Int) throws(ProtocolViolation) -> ServerStep {
        var body = BodyReader(input, messageAt: start, header: header)
        switch header.type {
        case Backend.dataRow: return try receiveRow(&body, header, input, start)
        case Backend.copyData: return try receiveCopyData(&body, header, input, start)
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
        case Backend.notificationResponse: return try receiveNotification(&body)
        case Backend.copyInResponse: return try receiveCopyIn(&body)
        case Backend.copyOutResponse: return try receiveCopyOut(&body)
        case Backend.copyBothResponse:
            guard isReplication, let head = pending.head, head.kind == .query else { throw unexpected(header.type) }
            copy = .copyBoth
            return .pass
        case Backend.copyDone: return try receiveCopyDone()
        case Backend.functionCallResponse:
            try expect(header.type, .functionCall)
            guard pending.head?.mayRevealMasked == false else {
                throw ProtocolViolation("a function's answer that may hold a masked value")
            }
            return .pass
        default: throw unexpected(header.type)
        }
    }

    /// Under another encoding or string syntax the server would read texts otherwise than they were judged.
    private func receiveParameter(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        let name = try body.cString()
        let value = try body.cString()
        try body.finish()
        let expected = ["client_encoding": "UTF8", "standard_conforming_strings": "on"]
        if let wanted = expected[name.lowercased()], value != wanted {
            throw ProtocolViolation(
                "\(name) became \(value), under which statements would be read otherwise than they were judged",
                code: .insufficientPrivilege)
        }
        return redacted(parameter: name, value)
    }

    private mutating func expect(
        _ type: UInt8, _ kind: PendingRequest.Kind, or other: PendingRequest.Kind? = nil
    ) throws(ProtocolViolation) {
        guard let head = pending.headKind, head == kind || head == other else { throw unexpected(type) }
    }

    /// Rows and copy data up to this size are never cut.
    private static let wholeMessageBytes = 262_144

    private func unexpected(_ type: UInt8) -> ProtocolViolation {
        ProtocolViolation("the server sent message '\(printable(type))', which answers nothing that was asked")
    }

    // MARK: - Rows

    private mutating func receiveRow(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ start: Int
    ) throws(ProtocolViolation) -> ServerStep {
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
        guard let rowMask else { return .pass }
        let isClean = rowMask.client.detection.map { rowScan.isClean(start, in: input, $0) } ?? true
        if isClean, rowMask.client.mask == nil, rowMask.recording == nil { return .pass }
        let row = try body.bytes(header.bodyLength)
        let sent = try masked(row, rowMask.client, isClean: isClean)
        guard let recording = rowMask.recording else {
            guard let sent else { return .pass }
            return .replace(ServerReplacement(bytes: sent, reason: .mask, kept: try kept(of: row, rowMask, isClean: isClean)))
        }
        // Other columns are searched for it than for the client.
        let recorded = try masked(row, recording, isClean: recording.detection == nil)
        if sent == nil, recorded == nil { return .pass }
        return .replace(
            ServerReplacement(
                bytes: sent ?? input.getSlice(at: start, length: header.totalLength) ?? ByteBuffer(),
                reason: Replacement(client: sent != nil, recording: recorded != nil),
                kept: recorded == nil ? .nothing : try kept(of: row, rowMask, isClean: recording.detection == nil),
                recorded: recorded.map { .other($0) } ?? .asItCame))
    }

    /// A row as one of those that see it sees it; nil: as it came.
    private mutating func masked(_ row: ByteBuffer, _ view: RowView, isClean: Bool) throws(ProtocolViolation) -> ByteBuffer? {
        switch counted(row, view, isClean: isClean) {
        case .unchanged: return nil
        case .replaced(let masked): return masked
        case .malformed: throw ProtocolViolation("the server sent a row that is not of the described columns")
        }
    }

    private mutating func counted(_ row: ByteBuffer, _ view: RowView, isClean: Bool) -> Outcome {
        guard judge.countsMaskedValues else { return view.mask(row, isClean: isClean) }
        var seen: [UInt64] = []
        defer { fingerprints += seen }
        return view.mask(row, isClean: isClean) { value in
            var hasher = Hasher()
            hasher.combine(bytes: value)
            seen.append(UInt64(truncatingIfNeeded: hasher.finalize()))
        }
    }

    private mutating func decideRowMask(_ columns: [ResultColumn], _ head: PendingRequest) -> ServerStep {
        switch judge.rowMask(for: columns, of: head.judgements) {
        case .pass: rowMask = nil
        case .mask(let mask): rowMask = mask
        case .needsCatalog: return .needsCatalog
        }
        rowMaskIsDecided = true
        rowScan.begin()
        return .pass
    }

    private mutating func receiveRowDescription(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        guard let head = pending.head else { throw unexpected(Backend.rowDescription) }
        switch head.kind {
        case .query:
            guard head.mayRevealMasked else { return .pass }
            rowMaskIsDecided = false
            return decideRowMask(try ResultColumn.read(&body), head)
        case .describePortal:
            if head.isInjected || head.judgements.isEmpty || head.mayRevealMasked {
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

    private mutating func receiveNoData() throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.noData, .describeStatement, or: .describePortal)
        let isInjected = pending.head?.isInjected == true
        if let head = pending.head, head.kind == .describePortal { portalColumns[head.name] = nil }
        pending.pop()
        return isInjected ? .swallow : .pass
    }

    private mutating func receiveCompletion(_ type: UInt8) throws(ProtocolViolation) -> ServerStep {
        try expect(type, .query, or: .execute)
        finishExecution()
        return .pass
    }

    /// A statement of the head request ended: well, suspended, or (`receiveError`) not.
    private mutating func finishExecution() {
        rowMask = nil
        rowMaskIsDecided = false
        copyOut = nil
        copy = .none
        guard let head = pending.head else { return }
        head.judgements.forEach(judge.completed)
        if head.kind == .execute {
            pending.pop()
        } else {
            pending.finishStatement()
        }
    }

    // MARK: - COPY

    private mutating func receiveCopyIn(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.copyInResponse, .query, or: .execute)
        guard pending.enterCopyIn() else {
            throw ProtocolViolation("the server asks for copy data that no statement announced")
        }
        if copyIn == .hidden {
            let format: UInt8 = try body.integer()
            let columns: Int16 = try body.integer()
            copyInMask.begins(isBinary: format == 1, columns: Int(columns))
        }
        // The client may have sent all of its data already.
        copy = pending.copyDataHasEnded ? .none : .copyIn
        return .pass
    }

    private mutating func receiveCopyOut(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.copyOutResponse, .query, or: .execute)
        copy = .copyOut
        copyOut = nil
        guard let head = pending.head, head.mayRevealMasked else { return .pass }
        // Copy data carries no description of its columns: what was not planned for when it was judged cannot be masked now.
        guard head.judgements.count == 1, let plan = head.judgements.first?.copyMask else {
            throw ProtocolViolation("copy data that may hold masked values")
        }
        let format: UInt8 = try body.integer()
        let columns: Int16 = try body.integer()
        copyOut = try CopyOut(plan, isBinary: format == 1, columns: Int(columns))
        return .pass
    }

    private mutating func receiveCopyData(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ start: Int
    ) throws(ProtocolViolation) -> ServerStep {
        counters.rows &+= 1
        let payload = try body.bytes(header.bodyLength)
        guard copyOut?.passes(payload) == false else { return .pass }
        var replaced = 0
        let message = { input.getSlice(at: start, length: header.totalLength) ?? ByteBuffer() }
        guard let replacement = try copyOut?.feed(payload, of: message(), counting: { replaced += $0.replacedCells }) else { return .pass }
        // Values of a COPY are not kept long enough to be told apart: each counts as another.
        if judge.countsMaskedValues {
            for _ in 0..<min(replaced, 100_001) { fingerprints.append(.random(in: .min ... .max)) }
        }
        return .replace(replacement)
    }
    private mutating func receiveCopyDone() throws(ProtocolViolation) -> ServerStep {
        guard copy == .copyOut || copy == .copyBoth else { throw unexpected(Backend.copyDone) }
        if copy == .copyOut { copy = .none }
        do { try copyOut?.finish() } catch { throw ProtocolViolation("the server ended a COPY amid a row") }
        copyOut = nil
        return .pass
    }

    // MARK: - Names

    private mutating func receiveParseComplete() throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.parseComplete, .parse)
        if let head = pending.head { statements.confirm(head.proposal, as: head.name) }
        pending.pop()
        return .pass
    }

    private mutating func receiveBindComplete() throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.bindComplete, .bind)
        if let head = pending.head { portals.confirm(head.proposal, as: head.name) }
        pending.pop()
        return .pass
    }

    private mutating func receiveCloseComplete() throws(ProtocolViolation) -> ServerStep {
        try expect(Backend.closeComplete, .closeStatement, or: .closePortal)
        if let head = pending.head {
            if head.kind == .closeStatement {
                statements.free(head.name, before: head.proposal)
            } else {
                portals.free(head.name, before: head.proposal)
                portalColumns[head.name] = nil
            }
        }
        pending.pop()
        return .pass
    }

    // MARK: - Errors and ready

    private mutating func receiveReady(_ body: inout BodyReader) throws(ProtocolViolation) -> ServerStep {
        let status: UInt8 = try body.integer()
        try body.finish()
        guard let known = TransactionStatus(rawValue: status) else {
            throw ProtocolViolation("the server is ready in an unknown state '\(printable(status))'")
        }
        if let kind = pending.headKind, kind == .query || kind == .sync || kind == .functionCall {
            pending.pop()
        } else {
            throw unexpected(Backend.readyForQuery)
        }
        transaction = known
        stoppedBy = nil
        rowMask = nil
        rowMaskIsDecided = false
        copyOut = nil
        if copy == .copyOut || copy == .copyBoth { copy = .none }
        if pending.isEmpty {
            implicitTransaction = false
            // What was described is asked for again when it is run again.
            if !portalColumns.isEmpty { portalColumns.removeAll() }
            if known == .idle {
                portals.removeAllNamed()
                transactionMayEcho = []
            }
            judge.serverIsIdle()
        }
        return .pass
    }
}
