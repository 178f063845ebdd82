/// The number of letters to change, add, leave out or swap with their neighbour to get from one word to the other.
func editDistance(_ left: String, _ right: String) -> Int {
    let a = Array(left.lowercased())
    let b = Array(right.lowercased())
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
            row.append(best)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}

/// ` (did you mean X?)` when one of `names` is near enough to `word` to have been meant, else nothing.
func suggestion(for word: String, among names: some Sequence<String>) -> String {
    let nearest = names.map { (name: $0, distance: editDistance(word, $0)) }.min { ($0.distance, $0.name) < ($1.distance, $1.name) }
    guard let nearest, nearest.distance <= max(1, min(word.count, nearest.name.count) / 3) else { return "" }
    return " (did you mean `\(nearest.name)`?)"
}

/// `a, b or c`
func choices(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " or " + last
}
