import Settings

/// Runs the gateway until it is told to stop.
func serve(_ settings: GatehouseSettings, configurationPath: String) async throws {
    throw CommandFailure(.failure, "not composed yet")
}
