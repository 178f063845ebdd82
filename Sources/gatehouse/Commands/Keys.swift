import ArgumentParser
import Foundation
import Recording

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The keys that recordings are sealed to and signed with. Works on files.",
        subcommands: [Generate.self, Rotate.self, List.self], defaultSubcommand: List.self)
}

extension Keys {
    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key pair to seal recordings to: NAME.key to keep, NAME.pub for the gateway.",
            discussion: """
                Run it where the recordings will be read, not on the gateway: the gateway needs only NAME.pub, named in
                recording.recipients. Whoever loses NAME.key cannot read what was sealed to it; keep a copy offline.
                A key for what masks take out is made in the same way and named in recording.break_glass_recipients.

                EXAMPLES
                  gatehouse keys generate auditor
                  gatehouse keys generate reviewer --directory /secure/keys
                  gatehouse keys generate break-glass --directory /media/safe
                """)

        @Argument(help: "The name of both files.")
        var name: String

        @Option(help: ArgumentHelp("Where to put them; made if it is missing.", valueName: "dir"))
        var directory = "."

        @OptionGroup var output: OutputOptions

        func validate() throws { try checkID(name, "a key") }

        func run() throws {
            do {
                let key = try KeyFiles.makeRecipient(directory: directory, name: name)
                let row = [
                    "id": JSON.string(key.publicKey.id), "private_key": .string("\(directory)/\(name).key"),
                    "public_key": .string("\(directory)/\(name).pub"),
                ]
                guard output.format == .text else { return print(try JSON.object(row).text(pretty: true)) }
                print("\(directory)/\(name).key  keep it where recordings are read, and a copy offline (mode 0600)")
                print("\(directory)/\(name).pub  give it to the gateway: recording.recipients, or recording.break_glass_recipients")
                print("key id \(key.publicKey.id)")
            } catch let error as KeyFileError {
                throw CommandFailure(.failure, error.message)
            }
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace a key of a data directory. Old evidence stays readable and verifiable.",
            discussion: """
                The gateway takes the new key at its next start. Of a signing key the public half stays, so that what it signed can
                still be checked; of the recipient's key both halves stay, since old recordings are sealed to it. The log's key is
                its name to those who keep its checkpoints and is not replaced: a gateway that lost it goes on under another `node`.

                EXAMPLES
                  gatehouse keys rotate manifest /var/lib/gatehouse
                  gatehouse keys rotate recipient /var/lib/gatehouse
                """)

        enum Kind: String, ExpressibleByArgument, CaseIterable {
            case manifest, recipient
        }

        @Argument(help: "manifest: the key that signs recordings; recipient: the one made at first start to seal them to.")
        var kind: Kind

        @Argument(help: "The gateway's data directory.")
        var directory: String

        func run() throws {
            do {
                let id = try KeyFiles.rotate(directory: directory + "/keys", name: kind.rawValue, keepsPrivate: kind == .recipient)
                print("The \(kind.rawValue) key is now \(id). Restart the gateway to put it in force.")
            } catch {
                throw CommandFailure(.failure, error.message)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys of a data directory, or of any directory.",
            discussion: """
                EXAMPLE
                  gatehouse keys list /var/lib/gatehouse
                """)

        @Argument(help: "The gateway's data directory, or one with key files.")
        var directory: String

        @OptionGroup var output: OutputOptions

        func run() throws {
            let nested = directory + "/keys"
            let place = FileManager.default.fileExists(atPath: nested) ? nested : directory
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: place).sorted() else {
                throw CommandFailure(.failure, "\(place) cannot be read")
            }
            var rows: [[String: JSON]] = []
            for name in names where name.hasSuffix(".pub") {
                guard let line = try? String(contentsOfFile: place + "/" + name, encoding: .utf8) else { continue }
                let known =
                    ManifestPublicKey(line: line).map { ("signs", $0.id) } ?? RecipientPublicKey(line: line).map { ("seals to", $0.id) }
                guard let (use, id) = known else { continue }
                let hasPrivate = names.contains(name.dropLast(4) + ".key")
                rows.append(["file": .string(name), "use": .string(use), "id": .string(id), "has_private_key": .boolean(hasPrivate)])
            }
            guard output.format == .text else { return print(try JSON.array(rows.map { .object($0) }).text(pretty: true)) }
            guard !rows.isEmpty else { return printNote("No key is in \(place).") }
            var table = TextTable("FILE", "USE", "PRIVATE KEY", "ID")
            for row in rows {
                table.add(
                    forTerminal(row["file"]?.string ?? ""), row["use"]?.string ?? "",
                    row["has_private_key"] == .boolean(true) ? "here" : "-",
                    row["id"]?.string ?? "")
            }
            table.lines().forEach { print($0) }
        }
    }
}
