/// A bound on how deep the parser and everything that walks its tree will recurse, from the tokens alone.
///
/// libpg_query recurses over its tree without checking the stack, so a deep text would kill the process; and it packs a chain
/// (`1+1+1+..`) in time quadratic in its length. The guard counts, an upper bound of the depth of the tree:
/// - each `(` or `[` opens a frame, and what the frame held plus 3 counts once it closes;
/// - each operator and keyword counts 1, as does any other token that may nest;
/// - a comma ends what can nest, except a chain of set operations, each of which counts 2;
/// - AND and OR are flat in the tree and bind weakest, so they end what stands since the last keyword (a keyword, CASE or
///   BETWEEN for one, may hold an AND inside);
/// - a semicolon ends everything in its frame.
enum NestingGuard {
    /// A tree of this depth takes under 3 MiB of stack in libpg_query and in the walk (debug builds included).
    static let limit = 2_000
    /// What is analysed on an event loop, whose stack is the system's usual 8 MiB and shared with what is below.
    static let inlineLimit = 400

    private struct Frame {
        /// The chain of set operations so far.
        var chain = 0
        /// Up to the last keyword since the last comma.
        var kept = 0
        var now = 0
        var most = 0
    }

    static func depth(of tokens: [ScannedText.Token]) -> Int {
        var frame = Frame()
        var outer: [Frame] = []
        for token in tokens {
            switch token.kind {
            case 0x28, 0x5b:  // ( [
                outer.append(frame)
                frame = Frame()
                // Too many open frames are too deep whatever they hold.
                if outer.count > limit { return outer.count }
            case 0x29, 0x5d:  // ) ]
                // One too many is a syntax error, and closes nothing.
                guard let last = outer.popLast() else { continue }
                let inner = max(frame.most, frame.now) + 3
                frame = last
                frame.now += inner
            case 0x2c:  // ,
                frame.most = max(frame.most, frame.now)
                frame.now = frame.chain
                frame.kept = frame.chain
            case 0x3b:  // ;
                frame.most = max(frame.most, frame.now)
                frame.now = 0
                frame.kept = 0
                frame.chain = 0
            case TokenKind.and, TokenKind.or:
                frame.most = max(frame.most, frame.now)
                frame.now = frame.kept
            case TokenKind.union, TokenKind.intersect, TokenKind.except:
                // What came before is the left arm, closed now; only the chain itself goes on nesting.
                frame.most = max(frame.most, frame.now)
                frame.chain += 2
                frame.now = frame.chain
                frame.kept = frame.chain
            case TokenKind.identifier, TokenKind.unicodeIdentifier, TokenKind.lineComment, TokenKind.blockComment, 0x2e:
                break
            default:
                if TokenKind.isLiteral(token.kind) || token.kind == TokenKind.parameter { break }
                frame.now += 1
                if token.isKeyword { frame.kept = frame.now }
            }
        }
        while let last = outer.popLast() {
            let inner = max(frame.most, frame.now) + 3
            frame = last
            frame.now += inner
        }
        return max(frame.most, frame.now)
    }
}
