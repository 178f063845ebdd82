import GatehouseCore
import Recording
import StoreConformance
import Testing

@testable import S3

@Suite struct ConformanceTests {
    private func check(_ rule: StoreConformance.Rule, _ server: S3Server, bucket: String = "evidence", keys: Int) throws {
        let configuration = server.configuration(bucket: bucket)
        let conformance = StoreConformance(partBytes: configuration.partBytes, keys: isSoak ? 5_000 : keys) { try S3Store(configuration) }
        try conformance.check(rule)
    }

    @Test(arguments: StoreConformance.Rule.allCases) func aBucketOfRclone(_ rule: StoreConformance.Rule) throws {
        try check(rule, try S3Server.rclone.get(), keys: 1_050)
    }

    @Test(arguments: StoreConformance.Rule.allCases) func aBucketInTheHostNameOverTLS(_ rule: StoreConformance.Rule) throws {
        try check(rule, try S3Server.rcloneTLS.get(), keys: 60)
    }

    @Test(arguments: StoreConformance.Rule.allCases, ["evidence", "versions"])
    func aBucketOfMoto(_ rule: StoreConformance.Rule, _ bucket: String) throws {
        try check(rule, try S3Server.moto.get(), bucket: bucket, keys: 60)
    }
}
