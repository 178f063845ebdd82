import Foundation
import Testing

extension IntegrationTests {
    /// MySQL's protocol, with a real MariaDB and the clients that people use with it.
    @Suite struct MariaDBTests {
        private static let noDrop =
            "  - { id: shop-no-drop, where: { targets: [shop] }, what: { kinds: [drop, truncate] }, effect: deny, reason: Tables stay., hint: Ask a DBA. }"
        private static let noNames =
            "  - { id: shop-no-orders, where: { targets: [shop] }, what: { tables: [shop.orders] }, effect: deny, reason: Orders are closed. }"

        @Test func aSessionIsRecordedAndVerified() async throws {
            let shop = try await MariaDB.shared().gateway(rules: [Self.noDrop])
            let marker = "maria-\(UUID().uuidString)"
            let said = try await shop.mariadb(
                """
                SELECT id, name, balance, born FROM customers ORDER BY id; DROP TABLE customers; SELECT '\(marker)';
                BEGIN; INSERT INTO orders (note) VALUES ('x'); ROLLBACK; CREATE USER IF NOT EXISTS u IDENTIFIED BY 'hunter2-secret'; DROP USER u
                """)
            let targets = try await shop.gateway.command(["targets", "list"], token: shop.bob)
            #expect(targets.output.contains("mariadb -h 127.0.0.1 -P \(shop.port) -u shop --ssl -p"), "\(targets.output)")
            #expect(said.output.contains("1\tAnn\t12.50\t1980-02-29"), "\(said.errors)")
            #expect(said.errors.contains("ERROR 1142 (42000)") && said.errors.contains("rule \"shop-no-drop\": Tables stay. Ask a DBA."))
            let recording = try await shop.gateway.recording(containing: marker, token: shop.alice)
            let rows = recording.events("rows").first
            #expect(rows?["columns"]?.strings == ["id", "name", "balance", "born"])
            #expect(rows?["rows"]?.elements.first?.strings == ["1", "Ann", "12.50", "1980-02-29"])
            #expect(recording.events("verdict").contains { $0["rule"]?.string == "shop-no-drop" && $0["decision"]?.string == "deny" })
            #expect(recording.events("error").contains { $0["message"]?.string?.contains("shop-no-drop") == true })
            #expect(!recording.text.contains("hunter2-secret") && recording.text.contains("IDENTIFIED BY '****'"))
            #expect(try await shop.gateway.stop() == 0)
            let verified = try await shop.gateway.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
        }

        /// What is denied is denied however it is written, and nothing of it runs.
        @Test func denialsCannotBeWrittenAround() async throws {
            let maria = try await MariaDB.shared()
            let shop = try await maria.gateway(rules: [Self.noDrop, Self.noNames])
            let before = try await maria.direct("SELECT COUNT(*) FROM shop.orders")
            for sql in [
                "DROP TABLE shop.orders", "/*!50000 DROP */ TABLE customers", "/*M!100000 DROP TABLE customers */",
                "DR/**/OP TABLE customers", "TRUNCATE customers", "SELECT * FROM orders", "SELECT * FROM `orders`",
                "SELECT * FROM shop . orders", "SELECT 1 UNION SELECT note FROM orders", "SELECT (SELECT MAX(note) FROM orders)",
                "WITH o AS (TABLE orders) SELECT * FROM o", "INSERT INTO customers (name) SELECT note FROM orders",
                "DELETE c FROM customers c JOIN orders o ON c.id = o.id", "HANDLER orders OPEN", "PREPARE p FROM 'DROP TABLE customers'",
                "EXECUTE IMMEDIATE CONCAT('DROP TA', 'BLE customers')", "BEGIN NOT ATOMIC DROP TABLE customers; END",
                "SET @s = 'DROP TABLE customers'; PREPARE p FROM @s; EXECUTE p", "ALTER TABLE customers DROP COLUMN ssn, RENAME TO orders",
            ] {
                let said = try await shop.mariadb(sql)
                #expect(said.errors.contains("ERROR"), "\(sql): \(said.output)")
            }
            #expect(try await maria.direct("SELECT COUNT(*) FROM shop.orders") == before)
            #expect(try await maria.direct("SELECT COUNT(*), COUNT(ssn) FROM shop.customers").hasPrefix("2\t1"))
            #expect(try await shop.gateway.stop() == 0)
        }

        @Test func driversPrepareFetchAndReadEveryType() async throws {
            let shop = try await MariaDB.shared().gateway(rules: [Self.noDrop])
            let said = try await shop.python(
                """
                c = pymysql_connect(); k = c.cursor()
                k.execute("SELECT name, balance, born FROM customers WHERE id = %s", (1,)); print(k.fetchall())
                try: k.execute("DROP TABLE customers")
                except Exception as e: print(e.args)
                k.execute("SELECT 1"); print(k.fetchall())
                m = pymysql_connect(client_flag=65536); k = m.cursor()
                try: k.execute("SELECT 1; DROP TABLE customers; SELECT 2"); print("ran")
                except Exception as e: print(e.args[0])
                k.execute("SELECT 'a'; SELECT 'b'"); print(k.fetchall(), k.nextset(), k.fetchall())
                d = connector_connect(); k = d.cursor(prepared=True)
                for number in (1, 2):
                    k.execute("SELECT name, balance, born, ssn FROM customers WHERE id = ?", (number,)); print(k.fetchall())
                try: k.execute("DROP TABLE customers")
                except Exception as e: print(e.errno)
                big = "x" * 17_000_000
                k.execute("SELECT LENGTH(?)", (big,)); print(k.fetchall())
                d.cmd_reset_connection(); k = d.cursor(); k.execute("SELECT DATABASE()"); print(k.fetchall())
                """)
            let expected = [
                "(('Ann', Decimal('12.50'), datetime.date(1980, 2, 29)),)", "shop-no-drop", "((1,),)", "1142", "(('a',),) True (('b',),)",
                "[('Ann', Decimal('12.50'), datetime.date(1980, 2, 29), '078-05-1120')]", "[('Bob', Decimal('-1.00'), None, None)]", "1142",
                "[(17000000,)]", "[('shop',)]",
            ]
            let lines = said.output.split(separator: "\n").map(String.init)
            #expect(lines.count == expected.count, "\(said.output)\(said.errors)")
            for (line, part) in zip(lines, expected) { #expect(line.contains(part), "\(line)") }
            #expect(try await shop.gateway.stop() == 0)
            #expect(try await shop.gateway.verify().succeeded)
        }

        @Test func aHeldStatementWaitsAndThenRunsOrNot() async throws {
            let maria = try await MariaDB.shared()
            let shop = try await maria.gateway(rules: [
                "  - { id: shop-ask, where: { targets: [shop] }, what: { kinds: [delete] }, effect: hold, approval: { approvers: [dba], wait: 60s } }"
            ])
            for (approves, word) in [(true, "approve"), (false, "deny")] {
                _ = try await maria.direct("INSERT INTO shop.orders (note) VALUES ('\(word)')")
                async let waiting = shop.mariadb("DELETE FROM orders WHERE note = '\(word)'; SELECT 'after'")
                let id = try await pending(shop)
                let decided = try await shop.gateway.command(["approvals", word, id, "--comment", "seen"], token: shop.alice)
                #expect(decided.succeeded, "\(decided.errors)")
                let said = try await waiting
                #expect(said.output.contains("after"))
                #expect(said.errors.contains("did not approve it: seen") == !approves, "\(said.errors)")
                #expect(try await maria.direct("SELECT COUNT(*) FROM shop.orders WHERE note = '\(word)'").hasPrefix(approves ? "0" : "1"))
            }
            #expect(try await shop.gateway.stop() == 0)
        }

        private func pending(_ shop: ShopGateway) async throws -> String {
            for _ in 0..<300 {
                let listed = try await shop.gateway.command(["approvals", "list", "--format", "json"], token: shop.alice)
                let open = try JSON.parse(listed.output).elements.first { $0["state"]?.string == "pending" }
                if let id = open?["id"]?.string { return id }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw HarnessError("nothing waits for an approval")
        }

        /// The client's own number of its session is the gateway's; only one's own can be killed.
        @Test func killsAreOfOnesOwnSessions() async throws {
            let maria = try await MariaDB.shared()
            let shop = try await maria.gateway()
            let said = try await shop.python(
                """
                import threading, time
                victim = pymysql_connect(); killer = pymysql_connect()
                def kill():
                    time.sleep(1); killer.cursor().execute("KILL QUERY %d" % victim.thread_id())
                t = threading.Thread(target=kill); t.start()
                k = victim.cursor()
                try: k.execute("SELECT SLEEP(30) UNION SELECT 2"); print(k.fetchall())
                except Exception as e: print(e.args[0])
                t.join()
                k.execute("SELECT 1"); print(k.fetchall())
                for other in (1_000_000, 0):
                    try: killer.cursor().execute("KILL %d" % other)
                    except Exception as e: print(e.args[0])
                """)
            #expect(
                said.output.contains("((1,),)") && said.output.components(separatedBy: "1094").count == 3, "\(said.output)\(said.errors)")
            #expect(!said.output.contains("((0,), (2,))"))
            #expect(try await shop.gateway.stop() == 0)
        }

        @Test func filesOfTheClientArePassedOnlyWhereTheyAreNamed() async throws {
            let maria = try await MariaDB.shared()
            let shop = try await maria.gateway(rules: [
                "  - { id: shop-no-load, where: { targets: [shop] }, what: { kinds: [load], tables: [shop.customers] }, effect: deny }"
            ])
            let folder = try TemporaryDirectory()
            defer { folder.remove() }
            let marker = "file-\(UUID().uuidString)"
            try Data("\(marker)\n".utf8).write(to: URL(fileURLWithPath: folder.file("rows")))
            let said = try await shop.mariadb(
                "LOAD DATA LOCAL INFILE '\(folder.file("rows"))' INTO TABLE orders (note); LOAD DATA LOCAL INFILE '\(folder.file("rows"))' INTO TABLE customers (name)",
                options: ["--local-infile"])
            #expect(said.errors.contains("shop-no-load"), "\(said.output)\(said.errors)")
            #expect(try await maria.direct("SELECT COUNT(*) FROM shop.orders WHERE note = '\(marker)'").hasPrefix("1"))
            #expect(try await maria.direct("SELECT COUNT(*) FROM shop.customers").hasPrefix("2"))
            _ = try await maria.direct("DELETE FROM shop.orders WHERE note = '\(marker)'")
            let recording = try await shop.gateway.recording(containing: folder.file("rows"), token: shop.alice)
            #expect(recording.events("copy").first?["bytes"]?.number == Double(marker.utf8.count + 1))
            #expect(try await shop.gateway.stop() == 0)
        }

        @Test func whoMayNotComeInIsToldSo() async throws {
            let maria = try await MariaDB.shared()
            let shop = try await maria.gateway(masks: [])
            let wrong = try await shop.mariadb("SELECT 1", token: "not-a-token")
            #expect(wrong.status != 0 && wrong.errors.contains("ERROR 1045"), "\(wrong.errors)")
            let nowhere = try await shop.mariadb("SELECT 1", user: "app@nowhere")
            #expect(nowhere.status != 0 && nowhere.errors.contains("1045"), "\(nowhere.errors)")
            let plain = try await Shell.run(
                "mariadb", ["--no-defaults", "-h127.0.0.1", "-P\(shop.port)", "-uapp@shop", "--skip-ssl", "-e", "SELECT 1"],
                environment: ["MYSQL_PWD": shop.bob])
            #expect(plain.status != 0 && plain.errors.contains("over TLS only"), "\(plain.errors)")
            #expect(try await shop.gateway.stop() == 0)
        }

        /// Nothing masks MySQL's answers yet, so a session that a mask is for does not begin.
        @Test func whereMasksApplyNobodyIsLetIn() async throws {
            let shop = try await MariaDB.shared().gateway(masks: ["detect:\n  - { id: found, detectors: [email], strategy: redact }"])
            let said = try await shop.mariadb("SELECT 1")
            #expect(said.status != 0 && said.errors.contains("gatehouse.mask"), "\(said.errors)")
            #expect(try await shop.gateway.stop() == 0)
        }

        /// kill -9 amid a session: what the client was answered is in the recording that the next start brings home.
        @Test func nothingIsLostWhenTheGatewayDies() async throws {
            let shop = try await MariaDB.shared().gateway()
            let marker = "dies-\(UUID().uuidString)"
            async let said = shop.mariadb("SELECT '\(marker)'; SELECT SLEEP(20)")
            for _ in 0..<200 {
                let sessions = try await shop.gateway.sessions(token: shop.alice)
                if !sessions.isEmpty { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            try await Task.sleep(for: .seconds(1))
            await shop.gateway.kill()
            let seen = try await said
            let again = try await Gateway.start(shop.gateway.configuration)
            #expect(try await again.stop() == 0)
            let verified = try await again.verify()
            #expect(verified.succeeded, "\(verified.output)\(verified.errors)")
            guard seen.output.contains(marker) else { return }
            let texts = try await Shell.run(
                Project.gatehouse,
                ["sessions", "export", "--all", "--store", again.configuration.dataDirectory, "--format", "jsonl"],
                environment: ["GATEHOUSE_KEY_FILE": again.configuration.dataDirectory + "/keys/recipient.key"])
            #expect(texts.status != 0 || texts.output.contains(marker))
        }
    }
}
