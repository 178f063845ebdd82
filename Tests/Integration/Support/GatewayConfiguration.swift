/// The configuration that the tests run the gateway with: two targets on one server. `orders` has rules and masks;
/// `bench` lets everything through, recorded.
struct GatewayConfiguration: Sendable {
    enum Upstream: Sendable {
        case disable
        case verifyFull
    }

    var dataDirectory: String
    var node = "test-1"
    var port: Int
    var adminPort: Int
    var issuer: String
    var audience: String
    var server: PostgresServer
    var readerPassword: String
    var writerPasswordFile: String
    /// `refuse` or `loopback`.
    var plaintext = "refuse"
    var upstream = Upstream.verifyFull
    var durability = "written"
    /// Rules in front of the others.
    var rules: [String] = []
    /// What the target `bench` opens.
    var benchDatabase = "bench"
    /// Lines of the target `bench` besides the others.
    var benchLines: [String] = []
    /// Lines of `admin.roles` besides the others.
    var roles: [String] = []
    /// The account behind `reader`, and where its password comes from.
    var readerUser = "app_ro"
    var readerPasswordLine = "password: ${env:\(Self.readerVariable)}"
    /// Lines of the mask `customer-ssn` besides the others.
    var maskLines: [String] = []
    /// Lines of the mask `cards` besides the others.
    var cardMaskLines: [String] = []
    /// Further listeners, targets and grants, each a line or more of YAML.
    var listeners: [String] = []
    var targets: [String] = []
    var access: [String] = []
    /// Whole sections besides the others.
    var sections: [String] = []
    /// Lines of the `limits` section.
    var limits = ["handshake_timeout: 5s"]

    static let readerVariable = "GATEHOUSE_TEST_READER_PASSWORD"

    var yaml: String {
        """
        node: \(node)
        data_directory: \(dataDirectory)
        log:
          format: text
          level: debug
        admin:
          listen: 127.0.0.1:\(adminPort)
          roles:
            administrator: [sre]
            auditor: [dba]
        \(roles.map { "    \($0)" }.joined(separator: "\n"))
        issuers:
          - issuer: \(issuer)
            audiences: [\(audience)]
            algorithms: [RS256]
            claims:
              user: email
              groups: groups
        listeners:
          - name: postgres
            protocol: postgres
            listen: 127.0.0.1:\(port)
            auth: password
            plaintext: \(plaintext)
        \(listeners.joined(separator: "\n"))
        targets:
        \(targets.joined(separator: "\n"))
        \(target("orders", database: "orders", roles: ["reader", "writer"], fallback: "allow"))
        \(target("bench", database: benchDatabase, roles: ["writer"], fallback: "allow"))
        \(target("closed", database: "orders", roles: ["reader"], fallback: "deny"))
        access:
        \(access.joined(separator: "\n"))
          - groups: [dba]
            targets: [orders, bench, closed]
            roles: [reader, writer]
          - groups: [deploy-bots]
            labels: { shop: yes-it-is }
            roles: [reader]
        rules:
        \(rules.joined(separator: "\n"))
          - id: no-drop
            priority: 10
            where: { targets: [orders] }
            what: { kinds: [drop, truncate] }
            effect: deny
            reason: Tables are dropped by migrations only.
            hint: Ask the platform team for a migration.
          - id: no-unbounded-writes
            where: { targets: [orders] }
            what: { missing_where: true }
            effect: deny
            reason: A write needs a WHERE.
          - id: no-files
            where: { targets: [orders] }
            what: { functions: [pg_read_file, pg_ls_dir, lo_export, lo_import, "dblink*"] }
            effect: deny
            reason: The server's files are not for clients.
          - id: no-programs
            where: { targets: [orders] }
            what: { copy_program: true }
            effect: deny
            reason: The server runs no programs for clients.
          - id: no-refunds
            where: { targets: [orders] }
            what: { tables: [public.refunds] }
            effect: deny
            reason: Refunds are closed.
          - id: closed-reads
            where: { targets: [closed] }
            what: { kinds: [select], tables: [public.products] }
            effect: allow
        masks:
          - id: customer-ssn
            columns: [public.customers.ssn]
            strategy: redact
            where: { targets: [orders] }
            except: { groups: [sre] }
        \(maskLines.map { "    \($0)" }.joined(separator: "\n"))
          - id: cards
            columns: ["*.*.card_number"]
            strategy: partial
            where: { targets: [orders] }
        \(cardMaskLines.map { "    \($0)" }.joined(separator: "\n"))
        \(sections.joined(separator: "\n"))
        \(limits.isEmpty ? "" : "limits:\n" + limits.map { "  \($0)\n" }.joined())
        """
    }

    private func target(_ name: String, database: String, roles: [String], fallback: String) -> String {
        let tls =
            switch upstream {
            case .disable: "{ mode: disable }"
            case .verifyFull: "{ mode: verify-full, ca_file: \(server.authorityFile) }"
            }
        var lines = """
              - name: \(name)
                protocol: postgres
                address: localhost:\(server.port)
                database: \(database)
                labels: { \(name == "bench" ? "load" : "shop"): yes-it-is }
                tls: \(tls)
                durability: \(durability)
                default: \(fallback)

            """
        if name == "bench" { lines += benchLines.map { "    \($0)\n" }.joined() }
        lines += "    roles:\n"
        if roles.contains("reader") {
            lines += "      - name: reader\n        user: \(readerUser)\n        \(readerPasswordLine)\n"
        }
        if roles.contains("writer") {
            lines += "      - name: writer\n        user: app_rw\n        password_file: \(writerPasswordFile)\n"
        }
        return String(lines.dropLast())
    }
}
