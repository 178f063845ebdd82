import Foundation
import GatehouseCore
import Testing

@testable import Outward

/// Every event against the schema itself, as far as ocsf-1.7.0.json has it.
@Suite struct OCSFTests {
    private let schema: [String: Any] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("ocsf-1.7.0.json")
        return object((try? Data(contentsOf: file)) ?? Data())
    }()

    /// What is wrong with `value`, which should be as `shape` says.
    private func problems(_ value: [String: Any], _ shape: [String: Any], _ path: String) -> [String] {
        guard let attributes = shape["attributes"] as? [String: [String: Any]] else { return ["\(path): no schema"] }
        var found = value.keys.filter { attributes[$0] == nil }.map { "\(path).\($0): not in the schema" }
        for (name, attribute) in attributes {
            guard let member = value[name] else {
                if attribute["required"] != nil { found.append("\(path).\(name): missing") }
                continue
            }
            found += problems(member, attribute, "\(path).\(name)")
        }
        if let some = shape["at_least_one"] as? [String], !some.isEmpty, !some.contains(where: { value[$0] != nil }) {
            found.append("\(path): has none of \(some)")
        }
        return found
    }

    private func problems(_ member: Any, _ attribute: [String: Any], _ path: String) -> [String] {
        if attribute["array"] != nil {
            guard let elements = member as? [Any] else { return ["\(path): not a list"] }
            return elements.flatMap { one($0, attribute, path + "[]") }
        }
        return one(member, attribute, path)
    }

    private func one(_ member: Any, _ attribute: [String: Any], _ path: String) -> [String] {
        let type = attribute["type"] as? String ?? ""
        if let numbers = attribute["enum"] as? [Int], !(member as? Int).map(numbers.contains).orFalse {
            return ["\(path): \(member) is none of \(numbers)"]
        }
        switch type {
        case "integer_t", "long_t", "timestamp_t": return member is Int ? [] : ["\(path): not a number"]
        case "boolean_t": return member is Bool ? [] : ["\(path): not true or false"]
        case "json_t", "object:object": return []
        case _ where type.hasPrefix("object:"):
            guard let inner = member as? [String: Any] else { return ["\(path): not an object"] }
            let objects = schema["objects"] as? [String: [String: Any]] ?? [:]
            guard let shape = objects[String(type.dropFirst(7))] else { return path.hasSuffix("unmapped") ? [] : ["\(path): no \(type)"] }
            return problems(inner, shape, path)
        default: return member is String ? [] : ["\(path): not text"]
        }
    }

    @Test(arguments: everyKind) func everyEventFitsTheSchema(_ kind: OutwardEvent.Kind) throws {
        for given in [event(kind), OutwardEvent(time: time, kind)] {
            let value = object(OCSF.object(given, from: source).bytes)
            let classes = try #require(schema["classes"] as? [String: [String: Any]])
            let number = try #require(value["class_uid"] as? Int)
            let shape = try #require(classes["\(number)"])
            #expect(problems(value, shape, given.name) == [])
            #expect(value["type_uid"] as? Int == number * 100 + (value["activity_id"] as? Int ?? -1))
            #expect(value["category_uid"] as? Int == number / 1_000)
            #expect(value["time"] as? Int == 1_769_860_800_250)
            let metadata = try #require(value["metadata"] as? [String: Any])
            #expect(metadata["uid"] as? String == given.id && metadata["event_code"] as? String == given.name)
        }
    }

    @Test func aDeniedStatementIsADatastoreActivityThatWasBlocked() {
        let value = object(OCSF.object(event(ruling(.deny)), from: source).bytes)
        #expect(value["class_uid"] as? Int == 6005 && value["activity_id"] as? Int == 4)
        #expect(value["action_id"] as? Int == 2 && value["disposition_id"] as? Int == 2)
        #expect((value["query_info"] as? [String: Any])?["query_string"] as? String == "DROP TABLE t")
        #expect((value["firewall_rule"] as? [String: Any])?["uid"] as? String == "no-drop")
        let actor = value["actor"] as? [String: Any]
        #expect((actor?["user"] as? [String: Any])?["name"] as? String == "alice")
        #expect(actor?["invoked_by"] as? String == "agent-7")
        #expect(value["status_detail"] as? String == "Not by \u{e4}gents.")
    }

    @Test func namesAreWhatTheyShouldBe() {
        #expect(Set(everyKind.map { event($0).name }) == Set(OutwardEvent.names))
        #expect(Set(everyKind.map { event($0).eventClass }) == Set(OutwardEvent.Class.allCases))
    }

    @Test func longTextIsCut() {
        let value = OCSF.object(event(ruling(.deny, statement: String(repeating: "x", count: 100_000))), from: source).bytes
        #expect(value.count < 8_192)
    }

    @Test func textIsEscapedIntoASCII() {
        let text = "\u{0}\t\"\\\n\u{7F}\u{e4}\u{1F600}/"
        let bytes = JSONText.string(text).bytes
        #expect(bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        #expect(object(Array("{\"a\":".utf8) + bytes + Array("}".utf8))["a"] as? String == text)
    }

    @Test func emptyMembersAreLeftOut() {
        let value: JSONText = ["a": "", "b": .null, "c": [], "d": false, "e": 0]
        #expect(value.text == #"{"c":[],"d":false,"e":0}"#)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (1_709_164_800, "2024-02-29T00:00:00.000000Z"), (4_102_444_799, "2099-12-31T23:59:59.000000Z"),
        (951_868_800, "2000-03-01T00:00:00.000000Z"),
    ])
    func timesAreRight(_ seconds: Int, _ text: String) {
        #expect(WallTime(seconds: seconds).timestamp == text)
        #expect(
            WallTime(nanoseconds: UInt64(seconds) * 1_000_000_000 + 1_002_003).timestamp == text.replacing(".000000Z", with: ".001002Z"))
    }
}

extension Bool? {
    fileprivate var orFalse: Bool { self ?? false }
}
