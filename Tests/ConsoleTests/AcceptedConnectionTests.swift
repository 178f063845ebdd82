import HummingbirdCore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import Console

@Suite struct AcceptedConnectionTests {
    /// A server that stops lets go of a connection which it had just accepted; SwiftNIO would end the process for it.
    @Test func aConnectionThatNobodyTookIsClosed() async throws {
        let http = AcceptedHTTP1Channel(HTTP1Channel { _, _, _ in })
        let channel = NIOAsyncTestingChannel()
        var accepted: AcceptedConnection? = try await channel.eventLoop.flatSubmit {
            http.setup(channel: channel, logger: Logger(label: "test"))
        }.get()
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/nobody"))
        #expect(accepted?.channel.isActive == true)
        accepted = nil
        try await channel.closeFuture.get()
        #expect(!channel.isActive)
    }
}
