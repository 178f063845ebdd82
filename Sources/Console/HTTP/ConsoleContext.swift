import GatehouseCore
import Hummingbird
import NIOCore

/// What goes with a request through the console.
struct ConsoleContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// IP address of the peer, without the port.
    let address: String
    /// Set by `Authentication`; nil on the routes that need nobody.
    var caller: Caller?

    /// The console's bodies are a handful of fields.
    var maxUploadSize: Int { 16_384 }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        address = source.channel.remoteAddress?.ipAddress ?? ""
    }

    func requireCaller() throws -> Caller {
        guard let caller else { throw Problem(.unauthorized, "say who you are: Authorization: Bearer <token or ticket>") }
        return caller
    }
}
