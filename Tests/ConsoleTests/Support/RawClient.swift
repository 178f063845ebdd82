import Foundation
import Hummingbird
import NIOCore
import NIOPosix

@testable import Console

typealias HTTPFieldName = HTTPFields.Element.Name

/// Runs a console as the program does, on a free port.
func withServer(_ bench: Bench, _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await bench.server.run { found.yield($0?.port ?? 0) } }
        group.addTask {
            var iterator = ports.makeAsyncIterator()
            try await body(await iterator.next() ?? 0)
        }
        try await group.next()
        group.cancelAll()
    }
}

/// The bytes of one connection, written and read by hand.
enum RawConnection {
    static func with<Value: Sendable>(
        _ port: Int, send: String, _ body: @Sendable (inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: port) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: send))
            var iterator = inbound.makeAsyncIterator()
            return try await body(&iterator)
        }
    }
}

func rawStatus(_ port: Int, host: String) async throws -> Int {
    try await RawConnection.with(port, send: "GET /healthz HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n") { inbound in
        let text = try await inbound.next().map { String(buffer: $0) } ?? ""
        return Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}
