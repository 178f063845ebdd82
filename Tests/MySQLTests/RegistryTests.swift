import NIOCore
import Testing

@testable import MySQL

@Suite struct RegistryTests {
    @Test func statementsAreBounded() throws {
        var registry = StatementRegistry(maximumStatements: 2, maximumLongData: 6)
        registry.prepared(1, text: Samples.text("a"), parameterCount: 1, columnCount: 0)
        #expect(registry.hasRoom)
        registry.prepared(2, text: Samples.text("b"), parameterCount: 2, columnCount: 0)
        #expect(!registry.hasRoom)
        try registry.append(longData: Samples.text("abc"), to: 1, parameter: 0)
        try registry.append(longData: Samples.text("def"), to: Command.lastPrepared, parameter: 1)
        #expect(registry[2]?.longData[1] == Samples.text("def"))
        #expect(throws: ProtocolViolation.self) { try registry.append(longData: Samples.text("g"), to: 1, parameter: 0) }
        // For what is not there, nothing is kept.
        try registry.append(longData: Samples.text("more than six"), to: 77, parameter: 0)
        try registry.append(longData: Samples.text("more than six"), to: 1, parameter: 9)
        registry.reset(1)
        try registry.append(longData: Samples.text("abc"), to: 2, parameter: 1)
        #expect(registry[2]?.longData[1] == Samples.text("defabc"))
        registry.executed(2, ParameterBlock(parameters: Samples.parameters))
        #expect(registry[2]?.longData.isEmpty == true && registry[2]?.types?.count == 4)
        registry.close(2)
        #expect(registry[2] == nil && registry.last == nil && registry[Command.lastPrepared] == nil)
        registry.removeAll()
        #expect(registry.count == 0)
    }

    @Test func aFailedPrepareLeavesNothingToBeTheLast() {
        var registry = StatementRegistry(maximumStatements: 2, maximumLongData: 6)
        registry.prepared(1, text: Samples.text("a"), parameterCount: 0, columnCount: 0)
        registry.setCursor(Command.lastPrepared, isOpen: true)
        #expect(registry[1]?.hasCursor == true)
        registry.prepareFailed()
        #expect(registry[Command.lastPrepared] == nil && registry[1] != nil)
    }

    @Test func oneEndsOnesOwnAlone() throws {
        var threads = ThreadDirectory<String>()
        let (first, second) = (threads.add(owner: "ann", target: "orders"), threads.add(owner: "bob", target: "orders"))
        let (mine, other) = (try #require(first), try #require(second))
        #expect(mine != 0 && mine != other)
        #expect(throws: ErrorPacket.self) { try threads.upstream(of: UInt64(mine), for: "ann", on: "orders") }
        threads.connected(mine, upstream: 4711)
        threads.connected(other, upstream: 4712)
        #expect(try threads.upstream(of: UInt64(mine), for: "ann", on: "orders") == 4711)
        for id in [UInt64(other), 99, 4712, UInt64(UInt32.max) + 1] {
            let error = #expect(throws: ErrorPacket.self) { try threads.upstream(of: id, for: "ann", on: "orders") }
            #expect(error?.number == 1094)
        }
        #expect(throws: ErrorPacket.self) { try threads.upstream(of: UInt64(mine), for: "ann", on: "elsewhere") }
        threads.remove(mine)
        #expect(threads[mine] == nil && threads.count == 1)
    }
}
