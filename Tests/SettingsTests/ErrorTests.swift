import Foundation
import Settings
import Testing

@Suite struct ErrorTests {
    /// A replacement in the right configuration, and what the one error must be.
    @Test(arguments: [
        ("node: gw-1", "nod: gw-1", "unknown key `nod` (did you mean `node`?)"),
        ("node: gw-1", "node: \"a b\"", "gw.yaml:1:7: `node`: `a b` is not a name"),
        ("node: gw-1", "node:", "`node` has no value"),
        ("node: gw-1", "node: [a]", "`node` must be one value, not a list"),
        ("node: gw-1", "node: ${env:MISSING}", "`node` needs the environment variable MISSING, which is not set"),
        ("node: gw-1", "node: ${env:EMPTY}", "`node` (${env:EMPTY}) is empty"),
        ("node: gw-1", "node: ${file:x}", "only ${env:NAME} is known"),
        ("node: gw-1", "node: ${env:X", "is not closed"),
        ("0.0.0.0:6432", "0.0.0.0", "has no port; write for example 0.0.0.0:6432"),
        ("0.0.0.0:6432", "0.0.0.0:99999", "has a port above 65535"),
        ("0.0.0.0:6432", "db.example.com:1", "names no IP address of this machine"),
        ("0.0.0.0:6432", ":::1", "is not an address"),
        ("0.0.0.0:6432", "127.0.0.1:9090", "listener `pg` has the address 127.0.0.1:9090 of `admin`"),
        ("listen: 0.0.0.0:6432", "listen: 0.0.0.0:6432\n    plaintext: loopback", "loopback needs `listen` to be a loopback address"),
        ("listen: 0.0.0.0:6432", "listen: 0.0.0.0:6432\n    auth: pasword", "must be password or oauth (did you mean `password`?)"),
        ("protocol: postgres\n    listen", "protocol: ssh\n    listen", "this version speaks postgres and mysql"),
        (
            "protocol: postgres\n    listen", "protocol: postgres\n    family: mariadb\n    listen",
            "is for listeners with `protocol: mysql`"
        ),
        ("protocol: postgres\n    listen", "protocol: mysql\n    auth: oauth\n    listen", "MySQL's clients bring tokens as passwords"),
        ("protocol: postgres\n    listen", "protocol: mysql\n    plaintext: loopback\n    listen", "are let in over TLS only"),
        ("protocol: postgres\n    listen", "protocol: postgre\n    listen", "(did you mean `postgres`?)"),
        ("https://login", "http://login", "is not protected: use https://"),
        ("https://login", "ldap://login", "is not a URL that begins with https://"),
        ("audiences: [gatehouse]", "audiences: gatehouse", "`issuers[1].audiences` must be a list, as in [a, b], not one value"),
        ("audiences: [gatehouse]", "audiences: []", "is an empty list"),
        ("audiences: [gatehouse]", "algorithms: [RS256]", "a token must be meant for this gateway"),
        ("audiences: [gatehouse]", "audiences: [gatehouse]\n    algorithms: [none]", "is never accepted: anybody could make such a token"),
        ("audiences: [gatehouse]", "audiences: [gatehouse]\n    algorithms: [HS256]", "is never accepted"),
        ("audiences: [gatehouse]", "audiences: [gatehouse]\n    algorithms: [RSA]", "is not a known algorithm"),
        ("password: \"${env:READER}\"", "password: hunter2", "must not be written here"),
        ("password: \"${env:READER}\"", "password: \"${env:READER}\", password_file: x", "has both `password` and `password_file`"),
        ("user: app_rw", "user: app_rw, password_file: missing", "cannot read /nowhere/missing: No such file or directory"),
        ("name: writer", "name: reader", "role `reader` is already defined in line 17"),
        ("name: writer", "name: writer@x", "is not a name"),
        ("address: db.internal:5432", "address: db.internal:0", "has port 0"),
        ("address: db.internal:5432", "address: db.internal:5432\n    tls: { mode: verify_full }", "(did you mean `verify-full`?)"),
        ("address: db.internal:5432", "address: db.internal:5432\n    default: maybe", "must be allow or deny"),
        ("targets: [orders]", "targets: [order]", "there is no target `order` (did you mean `orders`?)"),
        ("roles: [reader]", "roles: [raeder]", "has a role `raeder` (did you mean `reader`?)"),
        ("  - groups: [agents]\n    targets", "  - targets", "names nobody"),
        ("    roles: [reader]", "    role: [reader]", "unknown key `access[1].role` (did you mean `roles`?)"),
    ])
    func isReportedWithWhatToDo(_ right: String, _ wrong: String, _ expected: String) {
        let text = configuration()
        #expect(text.contains(right), "the test's own configuration has changed")
        let found = errors(text.replacingOccurrences(of: right, with: wrong))
        #expect(found.contains { $0.contains(expected) }, "\(found)")
        #expect(!found.joined().contains("hunter2"))
    }

    @Test(arguments: [
        ("retention: { keep: 3h }", "is not how long to keep: write at least 1d, or forever"),
        ("retention: { keep: none }", "is not how long to keep"),
        ("retention: { keep: 90d, every: 5m }", "is less than an hour"),
        ("retention: { rules: [{ name: a, keep: 3d }] }", "`retention.rules[1].targets` is missing"),
        ("retention: { rules: [{ name: a, targets: [x] }] }", "`retention.rules[1].keep` is missing"),
        (
            "retention: { rules: [{ name: a, targets: [x], keep: 3d }, { name: a, targets: [y], keep: 3d }] }",
            "retention rule `a` is already defined"
        ),
        ("store: {}", "`store` says nothing"),
        (
            "store: { directory: /x, s3: { bucket: abc, access_key_id: a, secret_access_key: \"${env:READER}\" } }",
            "has both `directory` and `s3`"
        ),
        ("store: { s3: { access_key_id: a, secret_access_key: \"${env:READER}\" } }", "`store.s3.bucket` is missing"),
        ("store: { s3: { bucket: Abc, access_key_id: a, secret_access_key: \"${env:READER}\" } }", "`Abc` is not a bucket"),
        ("store: { s3: { bucket: abc, access_key_id: a } }", "`store.s3.secret_access_key` is missing"),
        ("store: { s3: { bucket: abc, access_key_id: a, secret_access_key: hunter2 } }", "must not be written here"),
        (
            "store: { s3: { bucket: abc, access_key_id: a, secret_access_key: \"${env:READER}\", endpoint: \"http://s3.example.com\" } }",
            "is not protected: use https://"
        ),
        ("store: { s3: { bucket: abc, access_key_id: a, secret_access_key: \"${env:READER}\", prefix: ../x/ } }", "is not a prefix"),
        ("store: { s3: { bucket: abc, access_key_id: a, secret_access_key: \"${env:READER}\", prefix: x } }", "is not a prefix"),
        (
            "store: { s3: { bucket: abc, access_key_id: a, secret_access_key: \"${env:READER}\", object_lock: yes } }",
            "must be governance or compliance"
        ),
        ("rules:\n  - effect: deny", "`rules[1].id` is missing"),
        ("rules:\n  - { id: a }", "`rules[1].effect` is missing"),
        ("rules:\n  - { id: gatehouse.x, effect: deny }", "are built in"),
        ("rules:\n  - { id: a, effect: deny }\n  - { id: a, effect: allow }", "rule or mask id `a` is already defined"),
        ("rules:\n  - { id: a, effect: mask }", "must be allow, hold or deny"),
        ("rules:\n  - { id: a, effect: deny, priority: -1 }", "is out of range"),
        ("rules:\n  - { id: a, effect: deny, priority: high }", "is not a whole number"),
        ("rules:\n  - { id: a, effect: deny, what: { kinds: [dorp.table] } }", "there is no kind `dorp.table` (did you mean `drop`?)"),
        ("rules:\n  - { id: a, effect: deny, what: { tables: [a.b.c] } }", "has 3 parts"),
        ("rules:\n  - { id: a, effect: deny, what: { missing_where: yes } }", "is neither true nor false"),
        ("rules:\n  - { id: a, effect: deny, what: { missingWhere: true } }", "(did you mean `missing_where`?)"),
        ("rules:\n  - { id: a, effect: deny, what: {} }", "names nothing"),
        ("rules:\n  - { id: a, effect: deny, what: [drop] }", "must be a mapping"),
        ("rules: { id: a, effect: deny }", "`rules` must be a list"),
        ("rules:\n  - { id: a, effect: deny, who: { group: [x] } }", "(did you mean `groups`?)"),
        ("masks:\n  - { id: a, columns: [customers.ssn], strategy: redact }", "is not schema.table.column"),
        ("masks:\n  - { id: a, columns: [a.b.c], strategy: redacted }", "(did you mean `redact`?)"),
        ("masks:\n  - { id: a, columns: [a.b.c], strategy: redact, except: {} }", "which would mean everybody"),
        ("masks:\n  - { id: a, strategy: redact }", "`masks[1].columns` is missing"),
        ("limits: { message_bytes: 64MB }", "write a number of bytes, or with KiB, MiB or GiB"),
        ("limits: { message_bytes: 2GiB }", "is out of range"),
        ("limits: { handshake_timeout: none }", "cannot be none"),
        ("limits: { handshake_timeout: 10 }", "is not a duration"),
        ("limits: { idle_timeout: 1y }", "is not a duration"),
        ("limits: { idle_timeout: 99999999999999999999s }", "is not a duration"),
        ("limits: { idle_timeout: 9999999999999999s }", "is longer than ten years"),
        ("limits: { sessions: 0 }", "is out of range"),
        ("limits: { message_bytes: 64KiB, statement_bytes: 128KiB }", "is larger than `limits.message_bytes`"),
        ("admin: { listen: \"0.0.0.0:9090\" }", "so `admin.tls` is needed"),
        ("admin: { roles: { admin: [x] } }", "unknown key `admin.roles.admin`"),
        ("admin: { tls: { certificate_file: x } }", "`admin.tls.private_key_file` is missing"),
        ("log: { level: verbose }", "must be trace, debug, info, notice, warning or error"),
    ])
    func sectionsAreChecked(_ section: String, _ expected: String) {
        let found = errors(configuration(other: section))
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func allErrorsComeAtOnceInOrder() {
        let text = "node: gw-1\ndata_directory: /x\nlisteners:\n  - nam: pg\n    listen: x\nissuers: 3\nwhatever: 1\n"
        let found = errors(text)
        #expect(
            found.map { String($0.prefix { $0 != " " }) } == [
                "gw.yaml:1:1:", "gw.yaml:4:5:", "gw.yaml:4:5:", "gw.yaml:4:5:", "gw.yaml:5:13:", "gw.yaml:6:1:", "gw.yaml:6:10:",
                "gw.yaml:7:1:",
            ], "\(found)")
    }

    @Test(arguments: [
        ("node: a\nnode: b\n", "gw.yaml:1:1: `node` is given twice"),
        ("log: {level: info, level: debug}\n", "`level` is given twice"),
        ("a: [\n", "this is not YAML"),
        ("a: b: c\n", "gw.yaml:1:5: this is not YAML"),
        ("\tx: 1\n", "this is not YAML"),
        ("", "is empty"),
        ("- a\n", "must be a mapping"),
        ("just text\n", "must be a mapping"),
        ("a: 1\n---\nb: 2\n", "this is not YAML"),
        ("a: *b\n", "this is not YAML"),
        ("a: \u{1}\n", "is not text that YAML allows"),
    ])
    func whatIsNotAConfigurationIsRefused(_ text: String, _ expected: String) {
        let found = errors(text)
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func deepNestingIsAnErrorNotACrash() {
        for text in [
            String(repeating: "[", count: 100_000), String(repeating: "a: {", count: 100_000), String(repeating: "- ", count: 100_000),
        ] {
            #expect(errors(text).first?.contains("YAML") == true)
        }
    }

    @Test func aMissingFileSaysSo() {
        let error = #expect(throws: SettingsError.self) { try GatehouseSettings.load(file: "/nowhere/gw.yaml", environment: [:]) }
        #expect(error?.description == "/nowhere/gw.yaml: cannot be read: check that it exists and that this user may read it")
    }

    @Test func secretFilesMustBePrivate() throws {
        let folder = try Folder()
        let targets = standardTargets.replacingOccurrences(of: "user: app_rw", with: "user: app_rw, password_file: pw")
        try folder.write("x", to: "pw", mode: 0o644)
        #expect(errors(configuration(targets: targets), in: folder).contains { $0.contains("everybody on this machine can reach") })
        try folder.write("x", to: "pw", mode: 0o660)
        #expect(try load(configuration(targets: targets), in: folder).warnings.contains { $0.description.contains("its group can change") })
        try folder.write("\n", to: "pw")
        #expect(errors(configuration(targets: targets), in: folder).contains { $0.contains("is empty") })
        let admin = "admin:\n  tls: { certificate_file: crt, private_key_file: key }"
        try folder.write("x", to: "pw")
        try folder.write("x", to: "crt", mode: 0o644)
        try folder.write("x", to: "key", mode: 0o604)
        #expect(errors(configuration(admin: admin, targets: targets), in: folder).count == 1)
        try folder.write("x", to: "key")
        #expect(
            try load(configuration(admin: admin, targets: targets), in: folder).settings.admin.tls?.privateKeyFile == folder.path + "/key")
    }

    @Test func whatIsDoubtfulWarns() throws {
        let targets = standardTargets.replacingOccurrences(of: "labels:", with: "tls: { mode: require }\n    labels:")
        let rules = "rules:\n  - { id: a, effect: deny, where: { targets: [\"x*\"], labels: { env: staging } } }"
        let warnings = try load(configuration(targets: targets, access: "", rules: rules)).warnings.map(\.description)
        #expect(warnings.count == 4)
        #expect(warnings.allSatisfy { $0.contains(": warning: ") })
        #expect(warnings.contains { $0.contains("anybody on the way can pose as the server") })
        #expect(warnings.contains { $0.contains("lets nobody in") })
        #expect(warnings.contains { $0.contains("no target `x*`") })
        #expect(warnings.contains { $0.contains("no target has these labels") })
    }
}
