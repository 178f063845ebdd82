/// What some frames of a session add up to, in the clear: enough to count a session without its key.
struct FrameSummary: Hashable {
    /// One direction, in bytes.
    struct Flow: Hashable, Codable {
        /// Payloads of `clientMessages` or `serverMessages`.
        var recorded: UInt64 = 0
        /// Of these, bytes that stand for something else.
        var standIns: UInt64 = 0
        var masked: UInt64 = 0
        var withheld: UInt64 = 0
        var gaps: UInt64 = 0

        var isZero: Bool { self == Flow() }

        mutating func add(_ other: Flow) {
            recorded &+= other.recorded
            standIns &+= other.standIns
            masked &+= other.masked
            withheld &+= other.withheld
            gaps &+= other.gaps
        }
    }

    /// More than the highest number of a kind: a kind of 17 needs more room here (the tests count every kind).
    private static let kinds = 17

    /// Frames, by the number of their kind. In place, since each batch has one.
    private var frames = InlineArray<17, UInt64>(repeating: 0)
    var client = Flow()
    var server = Flow()
    /// A payload that could not be read; the sums are then wrong.
    private(set) var fault: PayloadError?

    /// Frames of all kinds.
    var count: UInt64 {
        var sum: UInt64 = 0
        for index in frames.indices { sum &+= frames[index] }
        return sum
    }

    static func == (left: Self, right: Self) -> Bool {
        for index in left.frames.indices where left.frames[index] != right.frames[index] { return false }
        return left.client == right.client && left.server == right.server && left.fault == right.fault
    }

    func hash(into hasher: inout Hasher) {
        for index in frames.indices { hasher.combine(frames[index]) }
        hasher.combine(client)
        hasher.combine(server)
    }

    mutating func reset() {
        for index in frames.indices { frames[index] = 0 }
        client = Flow()
        server = Flow()
        fault = nil
    }

    mutating func add(_ other: FrameSummary) {
        for index in frames.indices { frames[index] &+= other.frames[index] }
        client.add(other.client)
        server.add(other.server)
        fault = fault ?? other.fault
    }

    /// Counts a frame whose payload is `prefix` and then `payload`.
    @inline(__always)
    mutating func add(_ kind: RecordKind, prefix: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        frames[Int(kind.rawValue)] &+= 1
        switch kind {
        case .clientMessages: client.recorded &+= UInt64(payload.count + prefix.count)
        case .serverMessages: server.recorded &+= UInt64(payload.count + prefix.count)
        case .masked, .withheld, .gap: substitute(kind, Array(prefix) + Array(payload))
        case .file, .start, .identity, .verdict, .injected, .notice, .cancel, .error, .end, .upstream, .approval, .original: break
        }
    }

    mutating func add(_ frame: Frame) {
        frame.payload.withUnsafeBytes { add(frame.kind, prefix: UnsafeRawBufferPointer(start: nil, count: 0), payload: $0) }
    }

    private mutating func substitute(_ kind: RecordKind, _ payload: [UInt8]) {
        do throws(PayloadError) {
            let substitution = try Substitution(payload: payload, of: kind)
            var flow = Flow(standIns: substitution.recordedBytes)
            switch kind {
            case .masked: flow.masked = substitution.seenBytes
            case .withheld: flow.withheld = substitution.seenBytes
            default: flow.gaps = substitution.seenBytes
            }
            if substitution.direction == .client { client.add(flow) } else { server.add(flow) }
        } catch {
            fault = error
        }
    }

    // MARK: What they come to

    /// Frames by the name of their kind; none that is 0.
    var frameCounts: [String: UInt64] {
        var named: [String: UInt64] = [:]
        for kind in RecordKind.allCases where frames[Int(kind.rawValue)] > 0 { named[kind.name] = frames[Int(kind.rawValue)] }
        return named
    }

    /// The sums. A substitution is recorded before the messages that it is about: where an interrupted session ends between the two,
    /// more stands in than is recorded, and `verbatim` is 0.
    var accounting: Accounting {
        func flow(_ flow: Flow) -> Accounting.Flow {
            let verbatim = flow.recorded > flow.standIns ? flow.recorded - flow.standIns : 0
            return Accounting.Flow(
                seen: verbatim &+ flow.masked &+ flow.withheld &+ flow.gaps, verbatim: verbatim, replacedByMasks: flow.masked,
                withheldSecrets: flow.withheld, gaps: flow.gaps)
        }
        return Accounting(client: flow(client), server: flow(server))
    }

    /// Whether more is said to stand in for something than was recorded at all.
    var isImpossible: Bool { client.standIns > client.recorded || server.standIns > server.recorded }

    // MARK: As bytes

    /// One byte of tag and a LEB128 number for each that is not zero, then a tag of 255: at most this much.
    static let maximumSize = (kinds + 10) * 11 + 1
    private static let flowTags: UInt8 = 32
    private static let endTag: UInt8 = 255

    /// Writes it; returns the size.
    func write(to target: UnsafeMutableRawPointer) -> Int {
        var size = 0
        func put(_ tag: UInt8, _ value: UInt64) {
            guard value != 0 else { return }
            target.storeBytes(of: tag, toByteOffset: size, as: UInt8.self)
            size += 1
            var rest = value
            repeat {
                let low = UInt8(truncatingIfNeeded: rest & 0x7f)
                rest >>= 7
                target.storeBytes(of: rest == 0 ? low : low | 0x80, toByteOffset: size, as: UInt8.self)
                size += 1
            } while rest != 0
        }
        for kind in frames.indices { put(UInt8(truncatingIfNeeded: kind), frames[kind]) }
        put(Self.flowTags, client.recorded)
        put(Self.flowTags + 1, client.standIns)
        put(Self.flowTags + 2, client.masked)
        put(Self.flowTags + 3, client.withheld)
        put(Self.flowTags + 4, client.gaps)
        put(Self.flowTags + 5, server.recorded)
        put(Self.flowTags + 6, server.standIns)
        put(Self.flowTags + 7, server.masked)
        put(Self.flowTags + 8, server.withheld)
        put(Self.flowTags + 9, server.gaps)
        target.storeBytes(of: Self.endTag, toByteOffset: size, as: UInt8.self)
        return size + 1
    }

    init() {}

    /// Reads one from the beginning of `bytes`; nil when it is not one.
    /// - Parameter size: how much of `bytes` it is.
    init?(_ bytes: UnsafeRawBufferPointer, size: inout Int) {
        var position = 0
        var last: UInt8?
        while position < bytes.count {
            let tag = bytes[position]
            position += 1
            if tag == Self.endTag {
                size = position
                return
            }
            // Ascending: one encoding for one value.
            if let last, tag <= last { return nil }
            last = tag
            guard let value = Self.number(bytes, &position), value != 0, put(tag, value) else { return nil }
        }
        return nil
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : value }
        }
        return nil
    }

    private mutating func put(_ tag: UInt8, _ value: UInt64) -> Bool {
        if let kind = RecordKind(rawValue: tag), kind != .file {
            frames[Int(kind.rawValue)] = value
            return true
        }
        switch tag {
        case Self.flowTags: client.recorded = value
        case Self.flowTags + 1: client.standIns = value
        case Self.flowTags + 2: client.masked = value
        case Self.flowTags + 3: client.withheld = value
        case Self.flowTags + 4: client.gaps = value
        case Self.flowTags + 5: server.recorded = value
        case Self.flowTags + 6: server.standIns = value
        case Self.flowTags + 7: server.masked = value
        case Self.flowTags + 8: server.withheld = value
        case Self.flowTags + 9: server.gaps = value
        default: return false
        }
        return true
    }
}

extension FrameSummary: Codable {
    private enum Keys: String, CodingKey { case frames, client, server }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        for (name, number) in try container.decode([String: UInt64].self, forKey: .frames) {
            guard let kind = RecordKind.allCases.first(where: { $0.name == name }), kind != .file else {
                throw DecodingError.dataCorruptedError(forKey: .frames, in: container, debugDescription: "no kind of frame is called so")
            }
            frames[Int(kind.rawValue)] = number
        }
        client = try container.decode(Flow.self, forKey: .client)
        server = try container.decode(Flow.self, forKey: .server)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(frameCounts, forKey: .frames)
        try container.encode(client, forKey: .client)
        try container.encode(server, forKey: .server)
    }
}
