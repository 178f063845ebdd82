package import HummingbirdCore
package import Logging
package import NIOCore
import Synchronization

/// A connection between its acceptance and the task that serves it.
///
/// A server that stops may accept one more whose task never comes. SwiftNIO ends the whole process when such a
/// connection's writer is let go unfinished, so what nobody took is finished and closed here.
package final class AcceptedConnection: ServerChildChannelValue {
    private let connection: HTTP1Channel.Value
    private let isTaken = Mutex(false)

    package var channel: any Channel { connection.channel }

    fileprivate init(_ connection: HTTP1Channel.Value) {
        self.connection = connection
    }

    fileprivate func take() -> HTTP1Channel.Value {
        isTaken.withLock { $0 = true }
        return connection
    }

    deinit {
        guard !isTaken.withLock({ $0 }) else { return }
        let left = connection
        Task { try? await left.executeThenClose { _, _ in } }
    }
}

/// HTTP/1.1 that survives a server stopped while connections arrive.
package struct AcceptedHTTP1Channel: ServerChildChannel {
    private let base: HTTP1Channel

    package init(_ base: HTTP1Channel) {
        self.base = base
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<AcceptedConnection> {
        base.setup(channel: channel, logger: logger).map(AcceptedConnection.init)
    }

    package func handle(value: AcceptedConnection, logger: Logger) async {
        await base.handle(value: value.take(), logger: logger)
    }
}

extension HTTPServerBuilder {
    /// `http1` over `AcceptedHTTP1Channel`.
    package static func accepting(_ configuration: HTTP1Channel.Configuration = .init()) -> HTTPServerBuilder {
        .init { responder in AcceptedHTTP1Channel(HTTP1Channel(responder: responder, configuration: configuration)) }
    }
}
