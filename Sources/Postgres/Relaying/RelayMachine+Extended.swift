import Analysis
import GatehouseCore
import NIOCore

/// Bind, Execute and the rest of the extended query protocol.
extension RelayMachine {
    mutating func receiveBind(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let portal = try body.serverName()
        let statement = try body.serverName()
        if portals.count >= limits.statementsPerSession, !portal.isEmpty, !portals.isKnown(portal) {
            throw ProtocolViolation("more than \(limits.statementsPerSession) portals are open", code: .programLimitExceeded)
        }
        switch confirmed(statement, statements.judgements(of: statement, in: segment), orElse: "bind") {
        case .wait(let progress): return .wait(progress)
        case .denied(let judgement):
            hideValues(of: [judgement], header, input, &run)
            return try decideBind(judgement, statement, portal, &body, header, input, &run, &sink)
        case .allowed(let judgements):
            hideValues(of: judgements, header, input, &run)
            guard let open = stillOpen(judgements) else { return bound(judgements, to: portal) }
            if judgements.count == 1 { return try decideBind(open, statement, portal, &body, header, input, &run, &sink) }
            // Which of several it is, the server tells with its next answers.
            if pending.awaitsReady {
                withholdsTail = true
                return .wait(.needsServer)
            }
            let all = judgements.map { judgement in
                let judgement = judgement.needsEstimate ? judge.estimated(judgement, rows: nil) : judgement
                return judge.overBudget(judgement) ?? judgement
            }
            if let denied = all.first(where: \.isDenied) { return bind(unapproved(denied), to: portal, header, input, &run, &sink) }
            return bound(all, to: portal)
        }
    }

    /// The first that is allowed, and yet not to be bound as it is: its rows are to be estimated, or a budget is spent.
    private func stillOpen(_ judgements: [Judgement]) -> Judgement? {
        for judgement in judgements where judgement.needsEstimate { return judgement }
        guard hasBudgets else { return nil }
        for judgement in judgements {
            if let over = judge.overBudget(judgement) { return over }
        }
        return nil
    }

    private mutating func decideBind(
        _ judgement: Judgement, _ statement: ServerName, _ portal: ServerName, _ body: inout BodyReader, _ header: MessageHeader,
        _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let known = self.statement(behind: statement)
        switch try decide(judgement, known?.text, known?.types ?? [], &body) {
        case .wait(let progress): return .wait(progress)
        case .settled(let judgement): return bind(unlessCancelled(judgement), to: portal, header, input, &run, &sink)
        }
    }

    /// What waits for its Bind: the number of rows first, then a budget, then a person.
    private mutating func decide(
        _ found: Judgement, _ text: ByteBuffer?, _ types: [UInt32], _ body: inout BodyReader
    ) throws(ProtocolViolation) -> Settled {
        var judgement = found
        guard judgement.waitsForBind else { return .settled(judgement) }
        let parameters = try BoundParameters(&body)
        if judgement.needsEstimate {
            switch estimate(judgement, text: text, types: types, parameters: parameters) {
            case .wait(let progress): return .wait(progress)
            case .settled(let made): judgement = made
            }
        }
        judgement = judge.overBudget(judgement) ?? judgement
        return judgement.isHeld ? settle(judgement, text: text, types: types, parameters: parameters) : .settled(judgement)
    }

    private mutating func bind(
        _ judgement: Judgement, to portal: ServerName, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run,
        _ sink: inout some RelaySink
    ) -> Step {
        sink.record(judgement, at: clientOffset)
        guard judgement.isDenied else { return bound([judgement], to: portal) }
        pending.append(PendingRequest(kind: .bind, name: portal, judgements: [judgement], proposal: propose()))
        deny(header, input, &run, &sink, by: .failingBind, judgement)
        return .replaced
    }

    /// The statement that a Bind of `name` runs, where that is certain.
    private func statement(behind name: ServerName) -> CandidateTable.Statement? {
        judge.isNamedBySQL(name) ? nil : statements.statement(of: name, in: segment)
    }

    private mutating func bound(_ judgements: [Judgement], to portal: ServerName) -> Step {
        let proposal = propose()
        if !describedPortals.isEmpty { describedPortals.remove(portal) }
        portals.propose(.init(id: proposal, segment: segment, judgements: judgements), as: portal)
        pending.append(PendingRequest(kind: .bind, name: portal, judgements: judgements, proposal: proposal))
        return .pass
    }

    mutating func receiveExecute(
        _ body: inout BodyReader, _ header: MessageHeader, _ input: ByteBuffer, _ run: inout Run, _ sink: inout some RelaySink
    ) throws(ProtocolViolation) -> Step {
        let portal = try body.serverName()
        let _: Int32 = try body.integer()
        try body.finish()
        switch withinBudget(confirmed(portal, portals.judgements(of: portal, in: segment), orElse: "fetch")) {
        case .wait(let progress): return .wait(progress)
        case .denied(let found):
            let judgement = unapproved(found)
            counters.statements &+= 1
            sink.record(judgement, at: clientOffset)
            pending.append(PendingRequest(kind: .execute, name: portal, judgements: [judgement]))
            deny(header, input, &run, &sink, by: .failingExecute, judgement)
            return .replaced
        case .allowed(let judgements):
            counters.statements &+= 1
            let copyIns = judgements.first?.copyIns ?? 0
            guard judgements.allSatisfy({ $0.copyIns == copyIns }) else {
                throw ProtocolViolation("a portal is run that may or may not copy data in: send a Sync and read its answer first")
            }
            for judgement in judgements {
                sink.record(judgement, at: clientOffset)
            }
            if hasBudgets, let first = judgements.first { judge.spend(on: first) }
            implicitTransaction = true
            if judgements.contains(where: \.mayRevealMasked), !describedPortals.contains(portal) {
                // The rows' columns must be known before the rows: ask for them, and keep the answer.
                flush(input, &run, &sink)
                sink.inject(InjectedMessage.describe(portal: portal.text), because: "describe")
                pending.append(PendingRequest(kind: .describePortal, name: portal, judgements: judgements, isInjected: true))
                describedPortals.insert(portal)
            }
            pending.append(PendingRequest(kind: .execute, name: portal, judgements: judgements, copyInsExpected: copyIns))
            beginCopyIn(judgements)
            for judgement in judgements {
                forwarded(judgement)
            }
            return .pass
        }
    }

    private enum Confirmed {
        case allowed([Judgement])
        case denied(Judgement)
        case wait(ClientProgress)
    }

    /// What may run runs only while no budget is spent.
    private func withinBudget(_ confirmed: Confirmed) -> Confirmed {
        guard hasBudgets, case .allowed(let judgements) = confirmed else { return confirmed }
        for judgement in judgements {
            if let over = judge.overBudget(judgement) { return .denied(over) }
        }
        return confirmed
    }

    /// What the candidates of `name` come to under the configuration of now. A name that SQL gave (PREPARE, DECLARE), or that
    /// the gateway does not know, is judged as a request of its own besides.
    private func confirmed(_ name: ServerName, _ candidates: [Judgement], orElse kind: String) -> Confirmed {
        guard candidates.isEmpty || judge.isNamedBySQL(name) else { return confirmed(candidates) }
        let judgement = judge.judge(request: kind, of: name)
        if judgement.isDenied { return .denied(judgement) }
        switch confirmed(candidates) {
        case .allowed(let judgements): return .allowed(judgements + [judgement])
        case .denied(let judgement): return .denied(judgement)
        case .wait(let progress): return .wait(progress)
        }
    }

    private func confirmed(_ candidates: [Judgement]) -> Confirmed {
        allHold(candidates) ? .allowed(candidates) : confirmedAnew(candidates)
    }

    private func allHold(_ candidates: [Judgement]) -> Bool {
        for candidate in candidates where candidate.isDenied || !judge.holds(candidate) { return false }
        return true
    }

    /// A text that was judged anew already is not looked at again.
    private func confirmedAnew(_ candidate: Judgement) -> JudgeOutcome {
        if let analysis = candidate.analysis, !candidate.runsNames, let judgement = judge.known(analysis) { return .ready(judgement) }
        return judge.confirm(candidate, prepared: actions(everOf:))
    }

    /// An approval stands as long as the rule that asked for it is the one that decides, or, for a budget, none does.
    private func stands(_ candidate: Judgement, beside judgement: Judgement) -> Bool {
        guard candidate.verdict.approval != nil, !candidate.runsNames else { return false }
        if judgement.isHeld { return candidate.verdict.rule == judgement.verdict.rule }
        return candidate.verdict.category == .budget && !judgement.isDenied
    }

    private func confirmedAnew(_ candidates: [Judgement]) -> Confirmed {
        var result: [Judgement] = []
        result.reserveCapacity(candidates.count)
        for candidate in candidates {
            switch confirmedAnew(candidate) {
            case .needsCatalog: return .wait(.needsCatalog)
            case .ready(let fresh):
                var judgement = fresh
                if judgement.needsEstimate, let rows = candidate.actions.first?.estimatedRows {
                    judgement = judge.estimated(judgement, rows: rows)
                }
                if stands(candidate, beside: judgement) {
                    result.append(candidate)
                    continue
                }
                if judgement.isDenied { return .denied(judgement) }
                result.append(judgement)
            }
        }
        return .allowed(result)
    }

    mutating func receiveDescribe(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let what: UInt8 = try body.integer()
        let name = try body.serverName()
        try body.finish()
        implicitTransaction = true
        switch what {
        case UInt8(ascii: "S"):
            pending.append(
                PendingRequest(kind: .describeStatement, name: name, judgements: statements.judgements(of: name, in: segment)))
        case UInt8(ascii: "P"):
            let judgements = portals.judgements(of: name, in: segment)
            pending.append(PendingRequest(kind: .describePortal, name: name, judgements: judgements))
            // Of others the columns are not kept.
            if judgements.contains(where: \.mayRevealMasked) { describedPortals.insert(name) }
        default: throw ProtocolViolation("a Describe of '\(printable(what))'")
        }
        return .pass
    }

    mutating func receiveClose(_ body: inout BodyReader) throws(ProtocolViolation) -> Step {
        let what: UInt8 = try body.integer()
        let name = try body.serverName()
        try body.finish()
        implicitTransaction = true
        switch what {
        case UInt8(ascii: "S"): pending.append(PendingRequest(kind: .closeStatement, name: name, proposal: nextProposal))
        case UInt8(ascii: "P"):
            describedPortals.remove(name)
            pending.append(PendingRequest(kind: .closePortal, name: name, proposal: nextProposal))
        default: throw ProtocolViolation("a Close of '\(printable(what))'")
        }
        return .pass
    }
}
