import Foundation
import Testing

@testable import gatehouse

@Suite struct ApprovalTextTests {
    private func approval(_ changes: String = "{}") throws -> JSON {
        let plain = """
            {"id":"apr-7h3kq2m9x4pd","kind":"action","state":"pending","created":"2026-01-01T00:00:00.000Z",
            "expires":"2126-01-01T00:00:00.000Z","node":"n1","session":"s1","protocol":"postgres","target":"orders","role":"writer",
            "database":"shop","application":"psql","in_transaction":true,"user":"bob","issuer":"https://login.example.com",
            "subject":"user-2","groups":["agents"],"workload":{"ref":"main"},"delegation":[{"subject":"planner"},{"subject":"portal"}],
            "rule":"big-deletes","rule_reason":"Deletes wait.","policy":"v1","reason":"","normalized":"DELETE FROM t WHERE id = $1",
            "digest":"ab","statement":"DELETE FROM t\\nWHERE id = $1 -- \\u001b[2J","parameters":["4711",null],"approvers":["dba","on-call"],
            "break_glass":[],"needs_reason":true,"required":2,"approved":1,"use":"once","uses":0,"may":["deny"],
            "votes":[{"user":"ann","issuer":"i","subject":"s","choice":"approve","comment":"fine","at":"2026-01-01T00:01:00.000Z"}]}
            """
        guard case .object(var members) = try JSON.parse(Data(plain.utf8)), case .object(let others) = try JSON.parse(Data(changes.utf8))
        else { throw CommandFailure(.failure, "no object") }
        members.merge(others) { $1 }
        return .object(members)
    }

    @Test func whoDecidesSeesEverything() throws {
        let text = ApprovalText(try approval()).lines().joined(separator: "\n")
        for part in [
            "apr-7h3kq2m9x4pd waits: 1 of 2 approved, and a reason is asked for.", "bob (user-2 of https://login.example.com)",
            "Through:      planner", "Before that:  portal", "orders as writer, database shop", "big-deletes: Deletes wait.",
            "none yet, and one is needed", "Until:        2126-01-01 00:00:00Z, in ", "    DELETE FROM t\n    WHERE id = $1",
            "    $1 = '4711'\n    $2 = NULL", "ann, approve: fine", "Still needed: 1 of dba, on-call, after the requester has said why.",
            "    gatehouse approvals deny apr-7h3kq2m9x4pd", "which keeps locks", "ref=main",
        ] {
            #expect(text.contains(part), "\(part) is not in:\n\(text)")
        }
        #expect(!text.contains("\u{1B}"), "nothing drives the reader's terminal")
        #expect(!text.contains("approvals approve"))
    }

    @Test func withoutTheTextItSaysWhy() throws {
        let text = ApprovalText(try approval(#"{"statement":null,"parameters":null,"statement_note":"It is not known here."}"#)).lines()
        #expect(text.contains("    DELETE FROM t WHERE id = $1") && text.contains("    (It is not known here.)"))
    }

    @Test(arguments: [
        (#"{"state":"denied"}"#, "is denied"), (#"{"state":"approved"}"#, "is approved."),
        (#"{"state":"approved","votes":[{"choice":"break_glass"}]}"#, "broke the glass"), (#"{"state":"expired"}"#, "is over"),
        (#"{"state":"withdrawn"}"#, "was withdrawn"), (#"{"reason":"x"}"#, "1 of 2 approved."),
    ])
    func itsStandingIsOneSentence(_ changes: String, _ words: String) throws {
        #expect(ApprovalText(try approval(changes)).standing.contains(words))
    }

    /// What waits at first; then what is new and what has changed, each once.
    @Test func onlyNewsIsTold() throws {
        var changes = ApprovalChanges()
        let waiting = try approval()
        let old = try approval(#"{"id":"apr-old","state":"denied"}"#)
        #expect(changes.take([waiting, old, waiting]) == [waiting])
        #expect(changes.take([waiting, old]) == [])
        let second = try approval(#"{"id":"apr-2","created":"2026-01-01T00:00:01.000Z"}"#)
        let explained = try approval(#"{"reason":"because"}"#)
        #expect(changes.take([second, explained, old]) == [explained, second], "oldest first")
        let approved = try approval(#"{"state":"approved","reason":"because","approved":2}"#)
        #expect(changes.take([second, approved]) == [approved])
        #expect(changes.take([second, approved]) == [])
        let used = try approval(#"{"state":"approved","reason":"because","approved":2,"uses":1}"#)
        #expect(changes.take([second, used]) == [used])
    }
}
