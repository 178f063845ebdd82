import Testing

/// Real servers, real clients, the gateway as its own program. One after another: they share two cores and one server.
@Suite(.serialized) enum IntegrationTests {}
