import ArgumentParser
import Foundation
import Masking
import Policy
import Settings

struct DetectorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detectors", abstract: "What finds personal data and secrets in text: list, try, and use it on a file.",
        subcommands: [List.self, Test.self, Scan.self, Bench.self])

    struct Source: ParsableArguments {
        @Option(name: .shortAndLong, help: ArgumentHelp("A configuration whose own detectors are used too.", valueName: "file"))
        var config: String?

        func detectors() throws -> [Detector] {
            guard let config else { return Detector.builtIn }
            do {
                let policy = try PolicyFile.load(file: config).policy
                return try Detector.builtIn + policy.detectors.map { try Detector(CustomDetector($0)) }
            } catch let error as SettingsError {
                throw CommandFailure(.usage, "the configuration cannot be used:\n\(error.description)")
            }
        }
    }
}

extension DetectorsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Name the detectors.",
            discussion: """
                EXAMPLES
                  gatehouse detectors list
                  gatehouse detectors list --config gatehouse.yaml --format json
                """)

        @OptionGroup var source: Source
        @OptionGroup var output: OutputOptions

        func run() throws {
            let detectors = try source.detectors()
            if output.format == .json {
                let rows = detectors.map { JSON.object(["id": .string($0.id), "summary": .string($0.summary)]) }
                return print(try JSON.array(rows).text(pretty: true))
            }
            var table = TextTable("DETECTOR", "FINDS")
            for detector in detectors { table.add(detector.id, detector.summary) }
            table.lines().forEach { print($0) }
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print precision and recall of each detector over its corpus.",
            discussion: """
                A corpus is two files, ID.positive and ID.negative (Tests/Detectors/README.md tells of the format). Detectors without \
                one are passed over. Exit status 0: all are at least as good as asked for; 1: one is not; 2: a file cannot be read.

                EXAMPLES
                  gatehouse detectors test
                  gatehouse detectors test --corpus corpora --config gatehouse.yaml --min-recall 0.99
                """)

        @Option(help: ArgumentHelp("The folder of the corpora.", valueName: "dir"))
        var corpus = "Tests/Detectors"
        @Option(help: "The least precision, 0 to 1.")
        var minPrecision = 0.95
        @Option(help: "The least recall, 0 to 1.")
        var minRecall = 0.95
        @Flag(help: "Show the lines that are not as they should be.")
        var lines = false

        @OptionGroup var source: Source
        @OptionGroup var output: OutputOptions

        func run() throws {
            var table = TextTable("DETECTOR", "PRECISION", "RECALL", "RIGHT", "WRONG", "MISSED")
            var rows: [JSON] = []
            var failed: [String] = []
            for detector in try source.detectors() {
                guard let corpus = try read(detector.id) else { continue }
                let score = DetectorScore(of: 0, in: try DetectorSet([detector]), on: corpus)
                if score.precision < minPrecision || score.recall < minRecall { failed.append(detector.id) }
                table.add(
                    detector.id, String(format: "%.3f", score.precision), String(format: "%.3f", score.recall), "\(score.right)",
                    "\(score.wrong)", "\(score.missed)")
                rows.append(
                    .object([
                        "id": .string(detector.id), "precision": .number(score.precision),
                        "recall": .number(score.recall), "right": .integer(score.right), "wrong": .integer(score.wrong),
                        "missed": .integer(score.missed),
                    ]))
                guard lines else { continue }
                for complaint in score.complaints {
                    printNote(
                        forTerminal("\(detector.id).\(complaint.isPositive ? "positive" : "negative"):\(complaint.line): \(complaint.text)")
                    )
                }
            }
            if rows.isEmpty {
                throw CommandFailure(.usage, "\(corpus): there is no corpus of any detector here; name its folder by --corpus")
            }
            switch output.format {
            case .json: print(try JSON.object(["detectors": .array(rows), "failed": .array(failed.map(JSON.string))]).text(pretty: true))
            case .text: table.lines().forEach { print($0) }
            }
            if !failed.isEmpty {
                throw CommandFailure(.failure, "not as good as asked for: \(failed.joined(separator: ", ")) (see --lines)")
            }
        }

        private func read(_ id: String) throws -> DetectorCorpus? {
            let files = ["positive", "negative"].map { "\(corpus)/\(id).\($0)" }
            let texts = files.map { FileManager.default.contents(atPath: $0).flatMap { String(data: $0, encoding: .utf8) } }
            guard let positive = texts[0], let negative = texts[1] else {
                guard texts.allSatisfy({ $0 == nil }) else {
                    throw CommandFailure(.usage, "\(corpus)/\(id).positive and .negative go together")
                }
                return nil
            }
            do {
                return try DetectorCorpus(positive: positive, negative: negative)
            } catch {
                throw CommandFailure(.usage, "\(corpus)/\(id): line \(error.line): \(error.reason)")
            }
        }
    }

    struct Scan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what is found in a file, and where.",
            discussion: """
                What was found is not printed, unless asked for. `-` is the standard input; 256 MiB are read at most. Exit status 0, \
                whatever was found.

                EXAMPLES
                  gatehouse detectors scan dump.sql
                  pg_dump orders | gatehouse detectors scan - --format json
                  gatehouse detectors scan notes.txt --minimum-confidence 0.3 --redact > clean.txt
                """)

        static let mostBytes = 256 * 1_048_576

        @Argument(help: "The file.")
        var file: String
        @Option(help: "The least confidence, 0 to 1.")
        var minimumConfidence = DetectorSet.defaultConfidence
        @Flag(help: "Print the text with what was found replaced, instead.")
        var redact = false

        @OptionGroup var source: Source
        @OptionGroup var output: OutputOptions

        func run() throws {
            let data = try read()
            let choices = try source.detectors().map { Redactor.Choice(detector: $0, minimum: minimumConfidence) }
            let redactor = try Redactor(choices)
            if redact {
                var clean: [UInt8] = []
                let outcome = data.withUnsafeBytes { redactor.redact($0, as: .text, into: &clean) }
                FileHandle.standardOutput.write(outcome == .clean ? data : Data(clean))
                return
            }
            let findings = data.withUnsafeBytes { redactor.set.findings(in: $0) }
            var line = 1
            var counted = data.startIndex
            var rows: [JSON] = []
            var table = TextTable("LINE", "BYTES", "DETECTOR", "CONFIDENCE")
            for finding in findings {
                line += data[counted..<finding.range.lowerBound].count { $0 == 0x0A }
                counted = finding.range.lowerBound
                let id = redactor.set.detectors[finding.detector].id
                let confidence = String(format: "%.2f", finding.confidence)
                table.add("\(line)", "\(finding.range.lowerBound)-\(finding.range.upperBound)", id, confidence)
                rows.append(
                    .object([
                        "line": .integer(line), "from": .integer(finding.range.lowerBound), "to": .integer(finding.range.upperBound),
                        "detector": .string(id), "confidence": .number(finding.confidence),
                    ]))
            }
            switch output.format {
            case .json: print(try JSON.array(rows).text(pretty: true))
            case .text: table.lines().forEach { print($0) }
            }
        }

        private func read() throws -> Data {
            let handle = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
            guard let handle else {
                throw CommandFailure(.usage, "\(file) cannot be read: check that it exists and that this user may read it")
            }
            let data = try handle.read(upToCount: Self.mostBytes + 1) ?? Data()
            guard data.count <= Self.mostBytes else { throw CommandFailure(.usage, "\(file) is larger than 256 MiB; cut it") }
            return data
        }
    }
}

extension CustomDetector {
    init(_ definition: DetectorDefinition) {
        self.init(
            id: definition.id, pattern: definition.pattern, checksum: Checksum(rawValue: definition.checksum) ?? .none,
            keywords: definition.keywords, allow: definition.allow, confidence: definition.confidence)
    }
}
