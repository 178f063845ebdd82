import Masking
import Testing

@testable import Postgres

/// What the catalog says of types that are made of others.
@Suite struct ValueShapeTests {
    private func shape(_ types: [UInt32: CatalogContent.MadeType], domains: [UInt32: UInt32] = [:], of oid: UInt32) -> ValueShape {
        var content = CatalogContent()
        content.madeTypes = types
        content.valueTypes = domains
        return CatalogSnapshot(content).shape(of: oid)
    }

    @Test func typesAreFollowedToTheServersOwn() {
        let types: [UInt32: CatalogContent.MadeType] = [
            20_001: .composite([23, 20_010]), 20_002: .array(of: 20_001), 20_003: .range(of: 1700), 20_004: .multirange(of: 1700),
        ]
        let pair = ValueShape.composite([.init(type: 23, shape: .scalar(23)), .init(type: 20_010, shape: .scalar(25))])
        #expect(shape(types, domains: [20_010: 25], of: 20_001) == pair)
        #expect(shape(types, domains: [20_010: 25], of: 20_002) == .array(type: 20_001, of: pair))
        #expect(shape(types, of: 20_003) == .range(of: .scalar(1700)))
        #expect(shape(types, of: 20_004) == .multirange(of: .scalar(1700)))
        #expect(shape(types, domains: [20_011: 20_003], of: 20_011) == .range(of: .scalar(1700)))
        #expect(shape(types, of: 1009) == .array(type: 25, of: .scalar(25)))
        #expect(shape(types, of: 99_999) == .scalar(99_999))
    }

    /// A thousand columns, each of a type with a thousand columns, and so on: types that anybody may make.
    @Test func whatAnybodyMayMakeCostsNoMoreThanABound() {
        var types: [UInt32: CatalogContent.MadeType] = [:]
        for level: UInt32 in 0..<8 { types[30_000 + level] = .composite([UInt32](repeating: 30_001 + level, count: 1_000)) }
        func parts(_ shape: ValueShape) -> Int {
            guard case .composite(let fields) = shape else { return 1 }
            return fields.reduce(1) { $0 + parts($1.shape) }
        }
        #expect(parts(shape(types, of: 30_000)) < 20_000)
        #expect(shape([7: .array(of: 7)], of: 7) != .scalar(7))
    }
}
