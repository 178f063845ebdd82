import Foundation
import Settings

/// A folder of its own, gone when the test is.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("gatehouse-settings-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}

let variables = ["READER": "read secret", "EMPTY": "", "PORT": "7000", "GROUP": "agents"]

func load(_ text: String, in folder: Folder? = nil) throws -> GatehouseSettings.Loaded {
    try GatehouseSettings.load(text, file: "gw.yaml", directory: folder?.path ?? "/nowhere", environment: variables)
}

/// The errors of a configuration, each as printed.
func errors(_ text: String, in folder: Folder? = nil) -> [String] {
    do {
        _ = try load(text, in: folder)
        return []
    } catch let error as SettingsError {
        return error.problems.map(\.description)
    } catch {
        return ["not a SettingsError"]
    }
}

/// A configuration that is right, one section a parameter.
func configuration(
    node: String = "node: gw-1\ndata_directory: /var/lib/gatehouse", admin: String = "", issuers: String = standardIssuers,
    listeners: String = standardListeners, targets: String = standardTargets, access: String = standardAccess, rules: String = "",
    masks: String = "", limits: String = "", other: String = ""
) -> String {
    [node, admin, issuers, listeners, targets, access, rules, masks, limits, other].filter { !$0.isEmpty }.joined(separator: "\n") + "\n"
}

let standardIssuers = "issuers:\n  - issuer: https://login.example.com\n    audiences: [gatehouse]"
let standardListeners = "listeners:\n  - name: pg\n    protocol: postgres\n    listen: 0.0.0.0:6432"
let standardTargets = """
    targets:
      - name: orders
        protocol: postgres
        address: db.internal:5432
        database: orders
        labels: { env: production }
        roles:
          - { name: reader, user: app_ro, password: "${env:READER}" }
          - { name: writer, user: app_rw }
    """
let standardAccess = "access:\n  - groups: [agents]\n    targets: [orders]\n    roles: [reader]"
