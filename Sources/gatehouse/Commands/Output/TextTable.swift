import Foundation

/// Columns of text, aligned with spaces; nothing is cut.
struct TextTable {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: String...) {
        self.header = header
    }

    init(header: [String], rows: [[String]]) {
        self.header = header
        self.rows = rows
    }

    mutating func add(_ cells: String...) {
        rows.append(cells.map(forTerminal))
    }

    /// One line a row; `separator` stands between columns, and a rule under the header where there is one.
    func lines(separator: String = "  ", rule: Bool = false) -> [String] {
        let all = [header] + rows
        let columns = all.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in all.map { column < $0.count ? displayWidth($0[column]) : 0 }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = widths.indices.map { column -> String in
                let cell = column < cells.count ? cells[column] : ""
                return cell + String(repeating: " ", count: widths[column] - displayWidth(cell))
            }
            let joined = padded.joined(separator: separator)
            return String(joined.reversed().drop { $0 == " " }.reversed())
        }
        let under = rule ? [widths.map { String(repeating: "-", count: $0) }.joined(separator: separator == " | " ? "-+-" : separator)] : []
        return [line(header)] + under + rows.map(line)
    }
}

/// Columns that a text takes on a terminal: two for wide East Asian characters and emoji, one otherwise.
func displayWidth(_ text: String) -> Int {
    text.reduce(0) { width, character in
        guard let scalar = character.unicodeScalars.first else { return width }
        let isWide: Bool =
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
                true
            default: false
            }
        return width + (isWide ? 2 : 1)
    }
}

/// Text from elsewhere made safe to print: control characters and those that turn the writing direction are shown as
/// escapes, so that a recorded value can neither move the cursor nor dress up as something else.
func forTerminal(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x09: result += "\\t"
        case 0x0A: result += "\\n"
        case 0x0D: result += "\\r"
        case 0x00..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x2028, 0x2029, 0xFEFF:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// The same for text of several lines.
func linesForTerminal(_ text: String) -> [String] {
    text.replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
        .map { forTerminal($0.replacingOccurrences(of: "\t", with: "    ")) }
}

/// `2026-05-01 12:30:05Z`
func forPeople(_ time: Date?) -> String {
    guard let time else { return "-" }
    return ISO8601DateFormatter().string(from: time).replacingOccurrences(of: "T", with: " ")
}

/// `3.2s`, `4m12s`, `2h05m`
func forPeople(seconds: Double) -> String {
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "-" }
    if seconds < 60 { return String(format: "%.1fs", seconds) }
    let whole = Int(seconds)
    if whole < 3600 { return "\(whole / 60)m\(two(whole % 60))s" }
    return "\(whole / 3600)h\(two(whole % 3600 / 60))m"
}
