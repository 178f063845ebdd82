import Foundation
import GatehouseCore
import Testing

@testable import Settings

/// Passwords that are got when a session connects: nothing of it happens while the configuration is read.
@Suite struct SecretSourceTests {
    private func targets(_ lines: String) -> String {
        """
        targets:
          - name: orders
            protocol: postgres
            address: db.internal:5432
            database: orders
            roles:
              - name: reader
                user: app_ro
        """ + "\n" + lines.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
    }

    private func role(_ lines: String, in folder: Folder? = nil) throws -> Target.Role? {
        try load(configuration(targets: targets(lines)), in: folder).settings.targets.first?.roles.first
    }

    private func said(_ lines: String, in folder: Folder? = nil) -> String {
        errors(configuration(targets: targets(lines)), in: folder).joined(separator: "\n")
    }

    @Test func aProgramIsNotRun() throws {
        let folder = try Folder()
        let program = try folder.write("#!/bin/sh\ntouch \(folder.path)/ran\n", to: "program", mode: 0o700)
        let role = try #require(try role("password_exec: [\(program), a, \"b c\"]\npassword_ttl: 90s", in: folder))
        #expect(role.password == nil)
        #expect(role.source == .command(SecretCommand(program: program, arguments: ["a", "b c"], lifetime: .seconds(90))))
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/ran"))
    }

    @Test func whatCannotBeAProgramIsTold() throws {
        let folder = try Folder()
        #expect(said("password_exec: [pass, show]").contains("`pass` is not an absolute path"))
        #expect(said("password_exec: [/nowhere/pass]").contains("/nowhere/pass is not a program that this user may run"))
        let open = try folder.write("", to: "open", mode: 0o707)
        #expect(said("password_exec: [\(open)]").contains("everybody on this machine can change"))
        #expect(said("password_exec: /bin/true").contains("must be a list"))
        let warnings = try load(configuration(targets: targets("password_exec: [/bin/true, \"${env:READER}\"]"))).warnings
        #expect(warnings.contains { $0.message.contains("arguments can be seen by everybody") && !$0.message.contains("read secret") })
    }

    @Test func onlyOneSourceIsGiven() throws {
        #expect(said("password: ${env:READER}\npassword_exec: [/bin/true]").contains("has `password` and `password_exec`; keep one"))
        #expect(said("password_ttl: 5m").contains("is for `password_exec` and `password_vault`"))
        #expect(said("password_exec: [/bin/true]\npassword_ttl: none").contains("out of range"))
    }

    @Test func aVaultIsRead() throws {
        let folder = try Folder()
        let authority = try folder.write("", to: "ca.pem")
        let token = try role(
            """
            password_vault:
              address: https://vault.example.com:8200/
              path: secret/team/orders
              field: password
              token: ${env:READER}
              namespace: team-a
              ca_file: \(authority)
            """)
        #expect(
            token?.source
                == .vault(
                    VaultSecret(
                        address: "https://vault.example.com:8200", mount: "secret", path: "team/orders", field: "password",
                        login: .token("read secret"), namespace: "team-a", authorityFile: authority)))
        let file = try folder.write("id\n", to: "secret-id")
        let role = try role(
            """
            password_vault: { address: "http://127.0.0.1:8200", mount: kv/eu, path: orders, field: p, kv: 1, role_id: r, secret_id_file: \(file), approle_mount: apps }
            password_ttl: 1m
            """)
        #expect(
            role?.source
                == .vault(
                    VaultSecret(
                        address: "http://127.0.0.1:8200", mount: "kv/eu", path: "orders", field: "p", engine: .one,
                        login: .appRole(id: "r", secretFile: file, mount: "apps"), lifetime: .seconds(60))))
    }

    @Test(arguments: [
        ("address: http://vault.example.com, path: a/b, field: f, token: \"${env:READER}\"", "is not protected"),
        ("address: https://v/x, path: a/b, field: f, token: \"${env:READER}\"", "has a path"),
        ("address: https://v, path: a, field: f, token: \"${env:READER}\"", "is a mount alone"),
        ("address: https://v, path: a/../b, field: f, token: \"${env:READER}\"", "is not a path of Vault"),
        ("address: https://v, path: \"a/b?version=1\", field: f, token: \"${env:READER}\"", "is not a path of Vault"),
        ("address: https://v, path: a/b, token: \"${env:READER}\"", "field` is missing"),
        ("address: https://v, path: a/b, field: f", "says not how to log in"),
        ("address: https://v, path: a/b, field: f, token: hvs.written", "must not be written here"),
        ("address: https://v, path: a/b, field: f, role_id: r", "AppRole needs"),
        ("address: https://v, path: a/b, field: f, role_id: r, token: \"${env:READER}\"", "both a token and AppRole"),
        ("address: https://v, path: a/b, field: f, kv: 3, token: \"${env:READER}\"", "out of range"),
        ("address: https://v, path: a/b, field: f, tokn: x, token: \"${env:READER}\"", "did you mean"),
    ])
    func whatIsWrongWithAVaultIsTold(_ text: String, _ words: String) {
        let said = said("password_vault: { \(text) }")
        #expect(said.contains(words), "\(said)")
        #expect(!said.contains("hvs.written") && !said.contains("read secret"))
    }
}
