import CoreMetrics
import Testing

@testable import Console

@Suite struct PrometheusTests {
    private let registry = PrometheusRegistry()

    private func lines(_ prefix: String) -> [String] {
        registry.exposition().split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) || $0.hasPrefix("# TYPE \(prefix)") }
    }

    @Test func countersAndGauges() {
        let counter = Counter(label: "gatehouse.statements", dimensions: [("verdict", "deny"), ("target", "orders")], factory: registry)
        counter.increment(by: 2)
        Counter(label: "gatehouse.statements", dimensions: [("target", "orders"), ("verdict", "deny")], factory: registry).increment()
        counter.increment(by: -5)
        Meter(label: "gatehouse_open", factory: registry).set(7)
        Gauge(label: "gatehouse_level", factory: registry).record(1.5)
        #expect(
            lines("gatehouse_statements") == [
                "# TYPE gatehouse_statements counter", "gatehouse_statements{target=\"orders\",verdict=\"deny\"} 3",
            ])
        #expect(lines("gatehouse_open") == ["# TYPE gatehouse_open gauge", "gatehouse_open 7"])
        #expect(lines("gatehouse_level") == ["# TYPE gatehouse_level gauge", "gatehouse_level 1.5"])
    }

    @Test func histogramsAreCumulative() {
        let timer = Timer(label: "wait", factory: registry)
        timer.recordMilliseconds(3)
        timer.recordSeconds(60)
        timer.recordNanoseconds(100_000)
        let text = lines("wait_seconds")
        #expect(text.first == "# TYPE wait_seconds histogram")
        #expect(text.contains("wait_seconds_bucket{le=\"0.0001\"} 1"))
        #expect(text.contains("wait_seconds_bucket{le=\"0.0025\"} 1"))
        #expect(text.contains("wait_seconds_bucket{le=\"0.005\"} 2"))
        #expect(text.contains("wait_seconds_bucket{le=\"10\"} 2"))
        #expect(text.contains("wait_seconds_bucket{le=\"+Inf\"} 3"))
        #expect(text.contains("wait_seconds_count 3"))
        #expect(text.contains { $0.hasPrefix("wait_seconds_sum 60.003") })
        Recorder(label: "rows", dimensions: [("t", "a")], factory: registry).record(17)
        #expect(lines("rows").contains("rows_bucket{t=\"a\",le=\"16\"} 0"))
        #expect(lines("rows").contains("rows_bucket{t=\"a\",le=\"64\"} 1"))
    }

    @Test func whatAPeerNamesCannotForgeLines() {
        Counter(label: "x", dimensions: [("user", "a\"} 1\nevil{b=\"\\")], factory: registry).increment()
        #expect(lines("x") == ["# TYPE x counter", "x{user=\"a\\\"} 1\\nevil{b=\\\"\\\\\"} 1"])
        #expect(!registry.exposition().contains("\nevil"))
        #expect(Labels.name("9 bad-näme") == "_9_bad_n_me")
        #expect(Labels.name("") == "_")
        #expect(Labels.escaped(String(repeating: "x", count: 5_000)).count == 256)
    }

    @Test func seriesAreBounded() {
        for index in 0..<5_000 { Counter(label: "many", dimensions: [("user", "u\(index)")], factory: registry).increment() }
        let text = lines("many")
        #expect(text.count == 1_002)
        #expect(text.contains("many{overflow=\"true\"} 4000"))
    }

    @Test func aNameHasOneKind() {
        Counter(label: "one", factory: registry).increment()
        Meter(label: "one", factory: registry).set(9)
        #expect(lines("one") == ["# TYPE one counter", "one 1"])
    }

    @Test func theProcessIsMeasured() throws {
        let text = registry.exposition()
        for name in [
            "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads", "process_cpu_seconds_total",
        ] {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            #expect(Double(line.split(separator: " ")[1]) ?? 0 > 0)
        }
    }

    @Test func manyThreadsLoseNothing() async {
        await withTaskGroup(of: Void.self) { group in
            for lane in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        Counter(label: "busy", dimensions: [("lane", "\(lane % 2)")], factory: registry).increment()
                    }
                }
            }
        }
        #expect(lines("busy").suffix(2) == ["busy{lane=\"0\"} 4000", "busy{lane=\"1\"} 4000"])
    }
}
