/// The text of one statement, kept beside its facts for whoever must look at it again: its tree tells where values come from.
///
/// The text that was seen first stands for all that differ from it in their literals alone. It holds literals: it is never
/// logged, recorded or encoded.
public final class StatementSource: Sendable {
    /// Longer texts are not kept.
    public static let byteLimit = 32_768

    public let text: [UInt8]

    public init(text: [UInt8]) {
        self.text = text
    }
}

/// Two actions with the same facts are the same, whatever texts they were read from.
extension StatementSource: Hashable {
    public static func == (_: StatementSource, _: StatementSource) -> Bool { true }
    public func hash(into _: inout Hasher) {}
}
