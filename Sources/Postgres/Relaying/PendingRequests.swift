import NIOCore

/// A request that went to the server and is not yet answered.
struct PendingRequest {
    enum Kind: UInt8 {
        case query, parse, bind, describeStatement, describePortal, execute, closeStatement, closePortal, sync, functionCall
        /// CopyDone or CopyFail: has no answer of its own, but marks where a COPY's data ended.
        case copyEnd
    }

    var kind: Kind
    /// Statement or portal name where the kind has one.
    var name = ServerName.unnamed
    /// What was decided of it; several where it is not certain what it stands for.
    var judgements: [Judgement] = []
    /// The proposal that a Parse or Bind makes; for a Close, the first proposal that comes after it.
    var proposal: UInt64 = 0
    /// The gateway's own request: the client must not see its answer.
    var isInjected = false
    /// How many times the server may still ask for copy data on behalf of this request.
    var copyInsExpected = 0

    /// The decision that denied it, if one did. A Parse of what is held is not denied: what fails it is the server's own.
    var denial: Judgement? { judgements.first { $0.isDenied && !$0.isHeld } }
    /// Its rows may hold values that must be masked.
    var mayRevealMasked: Bool { judgements.contains { $0.mayRevealMasked } }
    /// Who must not see what the server says about it, since that may quote such values.
    var mayEchoMasked: Views { judgements.reduce([]) { $0.union($1.mayEchoMasked) } }
}

/// The requests on their way, oldest first. The server answers in order, which is what ties an answer to its request.
struct PendingRequests {
    private var queue = CircularBuffer<PendingRequest>(initialCapacity: 8)
    /// An error ended the current pipeline: the server ignores everything up to a Sync that the client has yet to send.
    private(set) var isSkipping = false
    /// The sum over all requests; kept since it is asked for before each message.
    private var copyInsExpected = 0

    var count: Int { queue.count }
    var isEmpty: Bool { queue.isEmpty }

    mutating func append(_ request: PendingRequest) {
        queue.append(request)
        copyInsExpected += request.copyInsExpected
    }

    /// The client's next message is not going to be answered.
    mutating func startSkipping() { isSkipping = true }
    mutating func stopSkipping() { isSkipping = false }

    /// What kind of request the server's next answer belongs to.
    var headKind: PendingRequest.Kind? {
        mutating get {
            while let kind = queue.first?.kind {
                if kind != .copyEnd { return kind }
                queue.removeFirst()
            }
            return nil
        }
    }

    /// The request that the server's next answer belongs to.
    var head: PendingRequest? {
        mutating get { headKind == nil ? nil : queue.first }
    }

    mutating func pop() {
        guard let first = queue.popFirst() else { return }
        copyInsExpected -= first.copyInsExpected
        if first.kind == .query || first.kind == .sync {
            // The end of copy data whose request failed before it: nothing answers it.
            while queue.first?.kind == .copyEnd {
                queue.removeFirst()
            }
        }
    }

    /// The client ended copy data. Without a request that it could belong to, the server ignores it.
    mutating func appendCopyEnd() {
        if !queue.isEmpty { queue.append(PendingRequest(kind: .copyEnd)) }
    }

    /// An extended-query request failed: the server answers nothing more up to the next Sync. Hands each request that thereby
    /// never runs to `dropped`. Where the Sync is yet to come, what the client sends up to it is skipped as well.
    mutating func failToSync(_ dropped: (PendingRequest) -> Void) {
        while let first = queue.first, first.kind != .sync {
            dropped(first)
            pop()
        }
        if queue.isEmpty { isSkipping = true }
    }

    /// The server may yet ask for copy data, and until it does or not, what the client sends next is not certain to be a
    /// request.
    var awaitsCopyIn: Bool { copyInsExpected > 0 }

    /// Something on its way is answered by a ReadyForQuery.
    var awaitsReady: Bool { queue.contains { $0.kind == .query || $0.kind == .sync || $0.kind == .functionCall } }

    /// The client has already ended the copy data of the head request.
    var copyDataHasEnded: Bool { queue.dropFirst().first?.kind == .copyEnd }

    /// The server asks for copy data on behalf of the head request.
    ///
    /// - Returns: false when that was not to be expected.
    mutating func enterCopyIn() -> Bool {
        guard let head = queue.first, head.copyInsExpected > 0 else { return false }
        queue[queue.startIndex].copyInsExpected -= 1
        copyInsExpected -= 1
        return true
    }

    /// One of the head query's statements completed: the end of its copy data, if it had any, is behind us.
    mutating func finishStatement() {
        if copyDataHasEnded { queue.remove(at: queue.index(after: queue.startIndex)) }
    }
}
