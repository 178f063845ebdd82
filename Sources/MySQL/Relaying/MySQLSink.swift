import NIOCore

/// Where the relay puts what it decided. The session behind it records first and sends after the commit.
protocol MySQLSink {
    /// Bytes of the client's that go on to the server as they are.
    mutating func passToServer(_ bytes: ByteBuffer)
    /// The same, of which the server gets other bytes: numbers of statements and threads that it knows by others.
    mutating func passToServer(_ bytes: ByteBuffer, sending sent: ByteBuffer)
    /// The same, of which the recording holds `recorded`, since the text has `secrets` passwords in it.
    mutating func passToServer(_ bytes: ByteBuffer, sending sent: ByteBuffer, recording recorded: ByteBuffer, secrets: Int)
    /// Bytes of the client's that are recorded, perhaps without the passwords in them, and go no further.
    mutating func keep(_ bytes: ByteBuffer, recording recorded: ByteBuffer?, secrets: Int)
    /// Goes to the server, and was recorded when it was kept.
    mutating func release(_ bytes: ByteBuffer)
    /// The decision on the command that starts at `offset` of the client's stream.
    mutating func record(_ judgement: MySQLJudgement, at offset: UInt64)
    /// Bytes from the server that go on to the client as they are.
    mutating func passToClient(_ bytes: ByteBuffer)
    /// `original` bytes from the server, in whose place the client gets others that say the same in its own form.
    mutating func translate(original: Int, to bytes: ByteBuffer)
    /// Bytes of the gateway's own for the server, and bytes of the server's that answer them and go nowhere.
    mutating func inject(_ bytes: ByteBuffer, because reason: String)
    mutating func swallow(_ count: Int)
    /// Bytes of the gateway's own for the client.
    mutating func answer(_ bytes: ByteBuffer, because reason: String)
}
