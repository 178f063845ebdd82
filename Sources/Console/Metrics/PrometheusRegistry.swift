public import CoreMetrics
import Synchronization

/// Keeps the gateway's metrics and writes them as Prometheus reads them (text format 0.0.4). Give it to
/// `MetricsSystem.bootstrap` at start.
///
/// Counters become counters, gauges and meters become gauges, timers become histograms in seconds, recorders histograms.
public final class PrometheusRegistry: MetricsFactory {
    /// Series of one metric. Label values that a peer chooses could be without end; what is too many is counted together,
    /// under the label `overflow`.
    static let maximumSeries = 1_000

    /// Seconds: from a statement that stays on the machine to one that somebody waits for.
    static let timerBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// Rows, bytes: powers of four up to some 68 billion.
    static let recorderBounds = (0..<19).map { index in (0..<index).reduce(1.0) { value, _ in value * 4 } }

    private struct Family {
        var kind: Kind
        var series: [Labels: Series] = [:]
    }

    enum Kind: String { case counter, gauge, histogram }

    private enum Series {
        case counter(CounterSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)
    }

    private let families = Mutex<[String: Family]>([:])

    public init() {}

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions, bounds: Self.recorderBounds) : gauge(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label.hasSuffix("_seconds") ? label : label + "_seconds", dimensions, bounds: Self.timerBounds)
    }

    /// A series once made stays: its total must not start anew when somebody drops his handle.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries {
        series(label, .counter, dimensions) {
            .counter(CounterSeries())
        } unwrap: {
            if case .counter(let one) = $0 { one } else { nil }
        }
            ?? CounterSeries()
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        series(label, .gauge, dimensions) {
            .gauge(GaugeSeries())
        } unwrap: {
            if case .gauge(let one) = $0 { one } else { nil }
        }
            ?? GaugeSeries()
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)], bounds: [Double]) -> HistogramSeries {
        series(label, .histogram, dimensions) {
            .histogram(HistogramSeries(bounds: bounds))
        } unwrap: {
            if case .histogram(let one) = $0 { one } else { nil }
        } ?? HistogramSeries(bounds: bounds)
    }

    /// The series of this name and these labels, made when there is none. nil when the name is taken by another kind: that
    /// is a mistake of ours, and its values go nowhere rather than into nonsense.
    private func series<Found>(
        _ label: String, _ kind: Kind, _ dimensions: [(String, String)], make: () -> Series, unwrap: (Series) -> Found?
    ) -> Found? {
        let name = Labels.name(label)
        return families.withLock { families in
            guard families[name, default: Family(kind: kind)].kind == kind else { return nil }
            var labels = Labels(dimensions)
            var family = families[name] ?? Family(kind: kind)
            if family.series[labels] == nil, family.series.count >= Self.maximumSeries { labels = .overflow }
            let found = family.series[labels] ?? make()
            family.series[labels] = found
            families[name] = family
            return unwrap(found)
        }
    }

    /// All metrics, those of the process too.
    public func exposition() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key.text < $1.key.text }) {
                switch series {
                case .counter(let one): text += "\(name)\(labels.braced()) \(Labels.number(one.value))\n"
                case .gauge(let one): text += "\(name)\(labels.braced()) \(Labels.number(one.value))\n"
                case .histogram(let one): text += one.lines(name, labels)
                }
            }
        }
        return text + ProcessMetrics.read()
    }
}

/// Label names and values, in the text format.
struct Labels: Hashable, Sendable {
    /// `a="b",c="d"`, escaped; empty without labels.
    let text: String

    static let overflow = Labels([("overflow", "true")])

    init(_ dimensions: [(String, String)]) {
        text = dimensions.sorted { $0.0 < $1.0 }.map { "\(Self.name($0.0))=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
    }

    func braced(_ more: String? = nil) -> String {
        let all = [text, more ?? ""].filter { !$0.isEmpty }.joined(separator: ",")
        return all.isEmpty ? "" : "{\(all)}"
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, what is not that replaced by `_`.
    static func name(_ text: String) -> String {
        var name = String(
            text.unicodeScalars.map { scalar -> Character in
                let fits = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return fits ? Character(scalar) : "_"
            })
        if name.first?.isNumber ?? true { name = "_" + name }
        return name
    }

    /// Backslash, quote and line end are escaped; values longer than a name can be are cut.
    static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars.prefix(256) {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }
}
