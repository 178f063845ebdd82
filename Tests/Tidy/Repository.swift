import Foundation

/// The project's own files, as the tidy rules see them.
enum Repository {
    /// The folder that holds Package.swift.
    static let root: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file of the project: its path from the root, and its text.
    struct File: Sendable {
        let path: String
        let text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    /// Every text file, build products and whatever begins with `.build` or `.git` left out.
    static let files: [File] = {
        var found: [File] = []
        visit(root, prefix: "", into: &found)
        return found.sorted { $0.path < $1.path }
    }()

    static func files(under folder: String, ending suffixes: String...) -> [File] {
        files.filter { file in file.path.hasPrefix(folder) && suffixes.contains { file.path.hasSuffix($0) } }
    }

    static func file(_ path: String) -> File? {
        files.first { $0.path == path }
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    private static func visit(_ folder: URL, prefix: String, into found: inout [File]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where !isSkipped(name) {
            let url = folder.appendingPathComponent(name)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { continue }
            if isFolder.boolValue {
                visit(url, prefix: prefix + name + "/", into: &found)
            } else if let data = try? Data(contentsOf: url), data.count < 4_000_000, let text = String(data: data, encoding: .utf8),
                !text.utf8.contains(0)
            {
                found.append(File(path: prefix + name, text: text))
            }
        }
    }

    private static func isSkipped(_ name: String) -> Bool {
        name.hasPrefix(".build") || name == ".git" || name == ".swiftpm" || name == "__pycache__" || name == "Package.resolved"
            || name == "Corpus"
    }
}
