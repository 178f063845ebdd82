import Foundation
import GatehouseCore
import Recording
import StoreConformance
import Testing

@Suite struct LocalStoreTests {
    @Test(arguments: StoreConformance.Rule.allCases) func aDirectoryIsAStore(_ rule: StoreConformance.Rule) throws {
        let directory = try TemporaryDirectory()
        let conformance = StoreConformance(partBytes: 1 << 20, keys: 60 * soakFactor * soakFactor) {
            LocalStore(root: directory.path + "/store", fileSystem: FaultyFileSystem())
        }
        try conformance.check(rule)
    }

    @Test func aFolderIsNoObjectToDeleteNorIsWhatIsBelowOne() throws {
        let directory = try TemporaryDirectory()
        let store = LocalStore(root: directory.path + "/store")
        try store.put(ObjectKey("a/1"), [1], retainUntil: nil)
        for key in ["a", "a/1/x"] { try store.delete(ObjectKey(key)) }
        #expect(try store.open(ObjectKey("a/1"))?.size == 1)
    }
}
