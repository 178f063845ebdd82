import Foundation

/// How the program ends; scripts rely on these numbers (docs/cli.md).
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    /// It was tried and did not work.
    case failure = 1
    /// The arguments or the configuration are wrong; nothing was tried.
    case usage = 2
    /// The gateway or the issuer refused the caller.
    case refused = 3
    /// The evidence is not whole.
    case verificationFailed = 4
    /// The gateway or the issuer did not answer.
    case unreachable = 5

    var meaning: String {
        switch self {
        case .success: "done"
        case .failure: "tried, and failed"
        case .usage: "wrong arguments or configuration"
        case .refused: "refused: no token, a wrong one, or not allowed"
        case .verificationFailed: "the evidence is not whole"
        case .unreachable: "no answer from the gateway or the issuer"
        }
    }

    static func table(indent: String) -> String {
        allCases.map { "\(indent)\($0.rawValue)  \($0.meaning)" }.joined(separator: "\n")
    }
}

/// An error that a person meets: what is wrong, where, and what to do.
struct CommandFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    var description: String { message }
}

func printError(_ message: String) {
    FileHandle.standardError.write(Data("gatehouse: \(message)\n".utf8))
}

func printNote(_ message: String) {
    FileHandle.standardError.write(Data("\(message)\n".utf8))
}
