import GatehouseCore
import Recording
import Settings

/// Where the configuration has recordings kept.
func makeStore(_ settings: GatehouseSettings, _ clock: any GatewayClock) throws -> any ObjectStore {
    switch settings.store {
    case .directory(let path): LocalStore(root: path ?? settings.dataDirectory + "/store")
    case .s3: throw CommandFailure(.failure, "no bucket yet")
    }
}
