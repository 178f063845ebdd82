import CFuzz

@testable import Masking

/// Feeds a server's value to masks of every shape.
///
/// The first byte picks the shape, the second the strategy and the format, the rest is the value. What must hold: nothing traps;
/// what comes out is bounded; a replacement can be masked again (it is still a value of its type), which constants and digests show.
@main
enum FuzzMasks {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzMasks.one(Array(UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    private static let scalars: [UInt32] = [
        25, 1042, 18, 114, 3802, 142, 17, 2950, 16, 21, 23, 20, 26, 700, 701, 1700, 1082, 1114, 1184, 1083, 1266, 1186, 869, 650, 829, 774,
    ]
    private static let shapes: [ValueShape] =
        scalars.map(ValueShape.scalar) + [1009, 1007, 1231, 3807, 3904, 3908, 4451, 4535, 6151].map(ValueShape.init(oid:)) + [
            .composite([.init(type: 23, shape: .scalar(23)), .init(type: 1009, shape: ValueShape(oid: 1009))]),
            .array(type: 99, of: .composite([.init(type: 25, shape: .scalar(25))])),
        ]

    private static let strategies: [MaskStrategy] = {
        guard let key = MaskKey(bytes: Array("0123456789abcdef".utf8)), let step = RoundingStep("12.5") else { return [] }
        return [
            .redact, .partial, .partially(PartialShape(first: 2, last: 3, keepsDomain: true)), .hash(key), .token(key),
            .dateShift(key, within: 400), .round(step),
        ]
    }()

    private static func one(_ input: [UInt8]) -> Int32 {
        guard input.count >= 2 else { return 0 }
        let strategy = strategies[Int(input[1] >> 1) % strategies.count]
        let column = ColumnMask(
            shape: shapes[Int(input[0]) % shapes.count], format: input[1] & 1 == 0 ? .text : .binary, strategy: strategy)
        let mask = PreparedMask(column)
        let value = Array(input.dropFirst(2))
        guard let replacement = mask.replacement(of: value) else { return 0 }
        precondition(replacement.count <= value.count * 4 + 16 * 1_048_576 + ValueMask.maximumGrowth, "a replacement without a bound")
        switch (strategy, column.shape) {
        case (.redact, .array), (.redact, .composite):
            precondition(mask.replacement(of: replacement) == replacement, "what was redacted is no value of its type")
        default: break
        }
        return 0
    }
}
