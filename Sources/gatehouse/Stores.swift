import GatehouseCore
import Recording
import S3
import Settings

/// Where the configuration has recordings kept.
/// - Throws: `StoreError` when the bucket cannot be what is meant.
func makeStore(_ settings: StoreSettings, dataDirectory: String, _ clock: any GatewayClock) throws -> any ObjectStore {
    switch settings {
    case .directory(let path): LocalStore(root: path ?? dataDirectory + "/store")
    case .s3(let bucket): try S3Store(S3Configuration(bucket), clock: clock)
    }
}

extension S3Configuration {
    init(_ settings: S3Settings) {
        self.init(
            bucket: settings.bucket, region: settings.region,
            credentials: S3Credentials(
                accessKeyID: settings.accessKeyID, secretAccessKey: settings.secretAccessKey, sessionToken: settings.sessionToken),
            prefix: String(settings.prefix.dropLast()), endpoint: settings.endpoint,
            addressing: settings.style == .path ? .path : .virtualHost, authorityFile: settings.authorityFile,
            // The settings take http for loopback addresses alone.
            allowsPlainLoopback: settings.endpoint?.hasPrefix("http:") ?? false,
            lockMode: settings.objectLock.map { $0 == .compliance ? .compliance : .governance })
    }
}
