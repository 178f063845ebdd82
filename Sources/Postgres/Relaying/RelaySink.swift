import NIOCore
import Recording

/// Where the relay machine puts what it decided. The session behind it records first and sends after the commit.
protocol RelaySink {
    /// Bytes from the client that go on to the server as they are.
    mutating func passToServer(_ bytes: ByteBuffer)
    /// The same, of which the recording holds some in other words: in order of their places, which are counted from the first of
    /// `bytes`.
    mutating func passToServer(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage])
    /// Bytes from the client that are recorded, some of them in other words, and go no further.
    mutating func hold(_ bytes: ByteBuffer, hiding hidden: [HiddenMessage])
    /// Bytes of the gateway's own for the server.
    mutating func inject(_ bytes: ByteBuffer, because reason: String)
    /// The decision on the request that starts at `offset` of the client's stream.
    mutating func record(_ judgement: Judgement, at offset: UInt64)
    /// Bytes from the server that go on to the client as they are.
    mutating func passToClient(_ bytes: ByteBuffer)
    /// `original` bytes from the server, instead of which the client gets `bytes`, and the recording has `recorded`.
    mutating func replaceForClient(original: Int, by bytes: ByteBuffer, recording recorded: ByteBuffer, because reason: Replacement)
    /// `bytes` came from that side, and masks took something out of them: what is recorded next of it, `recorded` bytes, stands for them. To
    /// be called just before those are, and only where a mask keeps originals.
    mutating func original(_ direction: Direction, _ bytes: ByteBuffer, recorded: Int)
    /// Bytes from the server that answer the gateway's own requests, and go nowhere.
    mutating func swallow(_ count: Int)
}

enum Replacement: String {
    case mask
    case denial
    case withheldMessage = "withheld message"
    /// The client got clear values.
    case maskOfRecording = "mask of the recording alone"
    /// The recording holds clear values.
    case maskOfClient = "mask of the client alone"
    case differentMasks = "different masks of the client and the recording"

    /// By whose view masks changed, where the recording does not hold what the client got.
    init(client: Bool, recording: Bool) {
        self = client ? recording ? .differentMasks : .maskOfClient : .maskOfRecording
    }
}
