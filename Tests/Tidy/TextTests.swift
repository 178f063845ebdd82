import Foundation
import Testing

/// Rules over every text of the project: code, scripts, pages.
@Suite struct TextTests {
    /// Paths that mean something on one machine only.
    static let machinePaths = [["", "work", ""], ["", "root", ""], ["", "Users", ""]].map { $0.joined(separator: "/") }

    /// Hosts of package registries. Clients know theirs by their own configuration.
    static let registries = [
        ["deb", "debian", "org"], ["security", "debian", "org"], ["pypi", "org"], ["files", "pythonhosted", "org"],
        ["registry", "npmjs", "org"], ["proxy", "golang", "org"], ["crates", "io"], ["ghcr", "io"], ["docker", "io"], ["quay", "io"],
    ].map { $0.joined(separator: ".") }

    @Test func noMachinePaths() {
        for file in Repository.files {
            for (number, line) in file.lines.enumerated() {
                for path in Self.machinePaths where line.contains(path) {
                    #expect(
                        line.contains("://") && !line.contains(" \(path)"), "\(file.path):\(number + 1): \(path) is a path of one machine")
                }
            }
        }
    }

    @Test func noRegistryHosts() {
        for file in Repository.files {
            for (number, line) in file.lines.enumerated() {
                for host in Self.registries {
                    #expect(!line.contains(host), "\(file.path):\(number + 1): names a package registry's host")
                }
            }
        }
    }

    @Test func noPrivateKeysAreKept() {
        let marker = ["-----BEGIN", "PRIVATE KEY"]
        for file in Repository.files where !file.path.hasPrefix("Tests/") {
            #expect(!file.lines.contains { $0.hasPrefix(marker[0]) && $0.contains(marker[1]) }, "\(file.path) holds a private key")
        }
    }

    @Test func linksOfThePagesResolve() {
        let pages = Repository.files(under: "", ending: ".md")
        #expect(pages.contains { $0.path == "README.md" })
        for page in pages {
            let folder = page.path.split(separator: "/").dropLast().joined(separator: "/")
            for match in page.text.matches(of: /\]\(([^)\s]+)\)/) {
                let link = String(match.1)
                guard !link.contains("://"), !link.hasPrefix("mailto:") else { continue }
                let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                let target = parts[0].isEmpty ? page.path : Self.normalised(folder.isEmpty ? parts[0] : "\(folder)/\(parts[0])")
                #expect(Repository.exists(target), "\(page.path): link to \(link), which is not there")
                if parts.count == 2, let linked = Repository.file(target) {
                    #expect(Self.anchors(of: linked).contains(parts[1]), "\(page.path): \(link): no such heading")
                }
            }
        }
    }

    @Test func everyKeyOfTheExampleIsDocumented() throws {
        let example = try #require(Repository.file("gatehouse.example.yaml"))
        let pages = try ["configuration", "policy", "masking", "secrets"].map { try #require(Repository.file("docs/\($0).md")) }
        let keys = Self.yamlKeys(of: example.text)
        #expect(keys.count > 40)
        // As code, or as a key of an example.
        let undocumented = keys.filter { key in !pages.contains { $0.text.contains("`\(key)`") || $0.text.contains("\(key):") } }
        #expect(undocumented.isEmpty, "no page tells what \(undocumented.sorted()) are")
    }

    @Test func keysAreFoundWhereverTheyStand() {
        let keys = Self.yamlKeys(
            of: "a: 1\nb:\n  - name: x\n    c: { d: [e], f: 2 } # note: this\n# tls: { ca_file: ... }   default: none\n")
        #expect(keys.isSuperset(of: ["a", "b", "name", "c", "d", "f", "tls", "ca_file"]))
        #expect(!keys.contains("note"))
    }

    /// Keys, those in a line that is commented out as an optional setting included.
    static func yamlKeys(of text: String) -> Set<String> {
        var keys: Set<String> = []
        for line in text.split(separator: "\n") {
            var body = line.drop { $0 == " " }
            if body.hasPrefix("# "), body.dropFirst(2).contains(#/^[a-z_]+: /#), !body.hasSuffix(".") { body = body.dropFirst(2) }
            if let comment = body.range(of: " #") { body = body[..<comment.lowerBound] }
            if body.hasPrefix("#") { continue }
            if let remark = body.range(of: "   ") { body = body[..<remark.lowerBound] }
            for match in body.matches(of: #/(?:^|[\s{,])(?:- )?([a-z_]+):(?=\s|$)/#) { keys.insert(String(match.1)) }
        }
        return keys
    }

    static func normalised(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// The anchors that the usual renderers make of headings: lower case, spaces to dashes, punctuation gone.
    static func anchors(of page: Repository.File) -> Set<String> {
        Set(
            page.lines.filter { $0.hasPrefix("#") }.map { line in
                let heading = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
                return String(heading.compactMap { $0 == " " ? "-" : ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" ? $0 : nil) })
            })
    }
}
