import Foundation
import Testing

/// What the compiler does not check and a reviewer should not have to.
@Suite struct SourceTests {
    /// Ways to end the process, and where each is allowed and why. A peer can reach none of these.
    static let allowedTraps: [(path: String, token: String, reason: String)] = [
        (
            "Sources/Analysis/SQL/Schema.swift", "precondition(",
            "reads how the linked libpg_query lays out its own tables, once, before any peer"
        ),
        ("Sources/Analysis/SQL/Schema.swift", "preconditionFailure(", "a field name of ours that the linked libpg_query does not have"),
        ("Sources/Analysis/SQL/Scan.swift", "preconditionFailure(", "a token name of ours that the linked libpg_query does not have"),
    ]

    /// Calls and operators that end the process when they fail.
    static let traps = ["try!", "as!", "fatalError(", "precondition(", "preconditionFailure(", "unsafelyUnwrapped"]

    @Test func nothingInTheSourcesTraps() {
        for file in Repository.files(under: "Sources/", ending: ".swift") {
            for (number, line) in SwiftText.codeLines(of: file.text).enumerated() {
                for token in Self.traps.filter({ Self.holds(line, word: $0) }) + (Self.unwrapsByForce(line) ? ["force unwrap"] : []) {
                    let allowed = Self.allowedTraps.contains { $0.path == file.path && $0.token == token && !$0.reason.isEmpty }
                    #expect(allowed, "\(file.path):\(number + 1): \(token): throw an error that ends the session instead")
                }
            }
        }
    }

    /// Whether `word` stands in the line and is not the end of a longer word.
    static func holds(_ line: String, word: String) -> Bool {
        var rest = line[...]
        while let found = rest.range(of: word) {
            let before = found.lowerBound > line.startIndex ? line[line.index(before: found.lowerBound)] : " "
            if !before.isLetter, !before.isNumber, before != "_" { return true }
            rest = rest[found.upperBound...]
        }
        return false
    }

    /// An exclamation mark right after a value, and no `!=`.
    static func unwrapsByForce(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        return bytes.indices.dropFirst().contains { index in
            guard bytes[index] == UInt8(ascii: "!"), index + 1 == bytes.count || bytes[index + 1] != UInt8(ascii: "=") else { return false }
            let words = line.utf8.prefix(index).split(separator: UInt8(ascii: " ")).last.map { String($0) ?? "" } ?? ""
            if words == "try" || words == "as" { return false }
            switch bytes[index - 1] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                return true
            default: return false
            }
        }
    }

    @Test func onlyTheProgramPrints() {
        for file in Repository.files(under: "Sources/", ending: ".swift") where !file.path.hasPrefix("Sources/gatehouse/") {
            for (number, line) in SwiftText.codeLines(of: file.text).enumerated() {
                let prints = ["print(", "debugPrint(", "dump("].contains { Self.holds(line, word: $0) && !line.contains("." + $0) }
                #expect(!prints, "\(file.path):\(number + 1): prints")
            }
        }
    }

    @Test func filesStayShort() {
        for file in Repository.files(under: "", ending: ".swift") where file.path != "Package.swift" {
            #expect(file.lines.count <= 451, "\(file.path) has \(file.lines.count) lines: it holds two concepts")
        }
    }

    @Test func testsAreSwiftTesting() {
        for file in Repository.files(under: "Tests/", ending: ".swift") {
            #expect(
                !SwiftText.codeLines(of: file.text).contains { ArrowTests.importedModule($0) == "XCTest" }, "\(file.path) imports XCTest")
        }
    }

    @Test func commentsAndStringsAreNotCode() {
        let text = #"""
            let a = "x! // not \(f(")")) a comment" // try! here
            /* a /* nested */ fatalError() */ let b = #"raw " \(no) "#
            let c = value!
            """#
        let lines = SwiftText.codeLines(of: text)
        #expect(lines.count == 3)
        #expect(!lines[0].contains("try!") && !lines[0].contains("not"))
        #expect(lines[0].contains("f("))
        #expect(!lines[1].contains("fatalError") && lines[1].contains("let b") && !lines[1].contains("raw"))
        #expect(Self.unwrapsByForce(lines[2]))
        #expect(!Self.unwrapsByForce("if a != b, a!=b, !c { try! d() }"))
        #expect(Self.holds("let a = try! b()", word: "try!") && !Self.holds("myprecondition(x)", word: "precondition("))
    }
}
