import GatehouseCore
import Synchronization

@testable import Identity

/// A ticket store in memory, so that the office is tested apart from the catalog; it can be made to fail.
final class MemoryTicketStore: TicketStore {
    struct Broken: Error {}

    private let tickets = Mutex<[TicketRecord]>([])
    let isBroken = Mutex(false)

    private func access<Value: Sendable>(_ body: (inout [TicketRecord]) throws -> Value) throws -> Value {
        if isBroken.withLock({ $0 }) { throw Broken() }
        return try tickets.withLock { value throws in try body(&value) }
    }

    func insert(_ ticket: TicketRecord) async throws { try access { $0.append(ticket) } }
    func ticket(withHash hash: [UInt8]) async throws -> TicketRecord? { try access { $0.first { $0.hash == hash } } }
    func ticket(id: String) async throws -> TicketRecord? { try access { $0.first { $0.id == id } } }
    func tickets(of owner: TicketOwner?, before: String?, limit: Int) async throws -> [TicketRecord] {
        try access { all in
            Array(
                all.reversed().filter { (owner == nil || TicketOwner($0.owner) == owner) && (before == nil || $0.id < before ?? "") }
                    .prefix(limit))
        }
    }
    func usableTickets(of owner: TicketOwner, at now: WallTime) async throws -> Int {
        try access { $0.count { TicketOwner($0.owner) == owner && $0.state(at: now) == .usable } }
    }
    func revokeTicket(id: String, at now: WallTime) async throws -> TicketRecord? {
        try access { all in
            guard let index = all.firstIndex(where: { $0.id == id }) else { return nil }
            if all[index].revoked == nil { all[index].revoked = now }
            return all[index]
        }
    }
    func ticketUsed(id: String, at now: WallTime) async throws {
        try access { all in
            if let index = all.firstIndex(where: { $0.id == id }) { all[index].lastUsed = now }
        }
    }
}
