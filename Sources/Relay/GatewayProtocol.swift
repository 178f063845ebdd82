public import GatehouseCore
public import NIOCore

/// A protocol that Gatehouse speaks with clients on one side and targets on the other.
///
/// Read this first. A protocol is a plug-in of the relay: the listener accepts a connection, and hands it over here.
/// From then on the protocol owns the channel and walks it through the stages (`Accepted` -> `Identified` ->
/// `Permitted` -> connected), each of which is the next one's only way in. What it must do, whatever it speaks:
///
/// 1. Ask for proof only where it cannot be overheard, within `Limits.handshakeTimeout`.
/// 2. Decode everything that either side says; what it does not understand ends the session.
/// 3. Ask policy of every action before it goes on, and record both before anything is forwarded (`SessionRecorder`).
/// 4. Answer a denial in its own words, and go on.
public protocol GatewayProtocol: Sendable {
    static var name: Target.ProtocolName { get }

    /// Takes over a connection that a listener accepted. Called on the channel's event loop, before its first read.
    func takeOver(_ channel: any Channel, accepted: Accepted) throws
}
