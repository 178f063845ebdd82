import Foundation
import Testing

extension IntegrationTests {
    /// What can be checked of the packaging without a container engine: its steps, its files, its libraries.
    @Suite struct PackagingTests {
        private func text(_ path: String) throws -> String {
            try String(contentsOfFile: Project.root + "/packaging/" + path, encoding: .utf8)
        }

        @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")))
        func theUnitIsValid() async throws {
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            // The unit names a program that need not be installed here: any that runs stands in for it.
            let unit = try text("gatehouse.service").replacingOccurrences(of: "/usr/bin/gatehouse", with: "/usr/bin/env")
            try Data(unit.utf8).write(to: URL(fileURLWithPath: folder.file("gatehouse.service")))
            let verified = try await Shell.run("systemd-analyze", ["verify", "--man=no", folder.file("gatehouse.service")])
            #expect(verified.succeeded && verified.errors.isEmpty, "\(verified.errors)")
        }

        @Test func whatTheImageCopiesIsThere() throws {
            let lines = try text("Dockerfile").split(separator: "\n").filter { $0.hasPrefix("COPY ") && !$0.contains("--from") }
            #expect(lines.count >= 4)
            for source in lines.flatMap({ $0.split(separator: " ").dropFirst().dropLast() }) {
                #expect(FileManager.default.fileExists(atPath: Project.root + "/" + source), "\(source)")
            }
        }

        /// The image has every shared library that the program asks for, the toolchain's own (linked in statically there) apart.
        @Test func theImageInstallsTheLibrariesOfTheProgram() async throws {
            let dockerfile = try text("Dockerfile")
            let linked = try await Shell.need("ldd", [Project.gatehouse])
            let wanted = [
                "libpq.so": "libpq5", "libsqlite3.so": "libsqlite3-0", "libzstd.so": "libzstd1", "libz.so": "zlib1g",
                "libre2.so": "libre2-9", "libpcre2-8.so": "libpcre2-8-0",
            ]
            for (library, package) in wanted where linked.contains(library) {
                #expect(dockerfile.contains(package), "\(library) needs \(package)")
            }
            #expect(!linked.contains("libpg_query"), "it is linked in; the image has none")
        }

        /// The image's set-up step has three files only: they must be enough.
        @Test func setUpNeedsOnlyWhatTheImageGivesIt() async throws {
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            try FileManager.default.createDirectory(atPath: folder.file("scripts"), withIntermediateDirectories: true)
            for name in ["setup", "packages", "requirements.txt"] {
                try FileManager.default.copyItem(atPath: Project.script(name), toPath: folder.file("scripts/" + name))
            }
            // What was fetched once is not fetched again for a test.
            try FileManager.default.copyItem(atPath: Project.root + "/.build-deps", toPath: folder.file(".build-deps"))
            let made = try await Shell.run(folder.file("scripts/setup"), ["--build-only"], deadline: .seconds(120))
            #expect(made.succeeded, "\(made.errors)")
            #expect(made.output.hasSuffix("setup: everything is in place\n"))
            #expect(!FileManager.default.fileExists(atPath: folder.file(".build-venv")))
        }
    }
}
