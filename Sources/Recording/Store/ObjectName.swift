public import GatehouseCore

/// Names an object of a store: words with slashes between them, such as `sessions/2026/01/31/<session>/000001.seg`.
public struct ObjectKey: Sendable, Hashable, CustomStringConvertible {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var description: String { path }

    /// Whether every word is one that a store may be asked for: not empty, not `.` or `..`, without control characters.
    public var isPlain: Bool {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .allSatisfy { word in !word.isEmpty && word != "." && word != ".." && word.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
    }
}

/// The name of one object of a session in a store.
public struct ObjectName: Sendable, Hashable {
    public var session: SessionID
    public var file: String

    public init(session: SessionID, file: String) {
        self.session = session
        self.file = file
    }

    public var key: ObjectKey { ObjectKey(Self.folder(of: session) + "/" + file) }

    /// `sessions/<yyyy>/<mm>/<dd>/<session>`, the date that of the session's start in UTC.
    public static func folder(of session: SessionID) -> String {
        "sessions/" + datePath(of: session) + "/" + session.description
    }

    public static let manifestFile = "manifest.json"
    public static let signatureFile = "manifest.sig"

    /// `000001.seg` for 1; more digits above 999,999.
    public static func segmentFile(_ ordinal: UInt32) -> String {
        let digits = String(ordinal)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".seg"
    }

    /// The ordinal in a segment's file name; nil when it is not one.
    public static func segmentOrdinal(_ file: String) -> UInt32? {
        guard file.hasSuffix(".seg"), let ordinal = UInt32(file.dropLast(4)), ordinal > 0, segmentFile(ordinal) == file else { return nil }
        return ordinal
    }
}

/// `yyyy/mm/dd` in UTC of the 48 bits of milliseconds in a version 7 UUID.
private func datePath(of session: SessionID) -> String {
    // Days to civil date in the proleptic Gregorian calendar, counting eras of 400 years from March 1 of year 0.
    let days = Int(session.high >> 16) / 86_400_000 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(year, 4))/\(padded(month, 2))/\(padded(day, 2))"
}
