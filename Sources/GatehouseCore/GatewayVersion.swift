/// The gateway's own version, as recordings and `gatehouse version` tell it.
public let gatewayVersion = "0.1.0"
