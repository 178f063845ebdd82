public import NIOCore

/// Where one side's bytes go out.
public protocol ByteOutlet: AnyObject {
    /// Sends all of `buffers`, now and in this order.
    func send(_ buffers: Outgoing)
}

/// Buffers in order. Nearly always there is one: it needs no array.
public struct Outgoing {
    public private(set) var first: ByteBuffer?
    public private(set) var others: [ByteBuffer] = []

    public init(_ first: ByteBuffer? = nil) {
        self.first = first
    }

    public var isEmpty: Bool { first == nil }

    public mutating func append(_ buffer: ByteBuffer) {
        if first == nil { first = buffer } else { others.append(buffer) }
    }
}
