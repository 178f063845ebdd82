import GatehouseCore
import Testing

@Suite struct SessionIDTests {
    @Test func textRoundTripsAndSortsByTime() throws {
        let early = SessionID(at: WallTime(seconds: 1_700_000_000))
        let late = SessionID(at: WallTime(seconds: 1_700_000_001))
        #expect(early < late)
        #expect(try #require(SessionID(early.description)) == early)
        #expect(early.description.count == 36)
    }

    @Test(arguments: [
        "", "x", "0190-", "01900000-0000-7000-8000-00000000000g", "01900000-0000-7000-8000-0000000000000",
        "01900000000070008000000000000000",
    ])
    func refusesOtherForms(_ text: String) {
        #expect(SessionID(text) == nil)
    }
}

@Suite struct LoginNameTests {
    @Test func splitsAtTheLastAt() {
        #expect(LoginName("orders")?.role == nil)
        #expect(LoginName("writer@orders")?.role == "writer")
        #expect(LoginName("a@b@orders")?.role == "a@b")
        #expect(LoginName("@orders") == nil)
        #expect(LoginName("writer@") == nil)
        #expect(LoginName("") == nil)
    }
}

@Suite struct SecretTests {
    @Test func neverPrints() {
        let secret = Secret("hunter2")
        #expect("\(secret)" == "<secret>")
        #expect(String(reflecting: secret) == "<secret>")
        var dumped = ""
        dump([secret], to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}
