import GatehouseCore
public import Masking

/// One field of a RowDescription.
public struct MaskableColumn: Sendable, Hashable {
    public var name: String
    /// The table that the field is a column of; 0 when it is computed.
    public var tableOID: UInt32
    public var attnum: Int16
    public var typeOID: UInt32
    /// The format that its rows will have (Bind's result formats, not what Describe of a statement says).
    public var format: ValueFormat

    public init(name: String, tableOID: UInt32, attnum: Int16, typeOID: UInt32, format: ValueFormat) {
        self.name = name
        self.tableOID = tableOID
        self.attnum = attnum
        self.typeOID = typeOID
        self.format = format
    }
}

/// What of a session's state decides what a statement's names mean.
public struct StatementContext: Sendable, Hashable {
    /// The session's search path; nil when it is not known.
    public var searchPath: [String]?
    /// The session changed the schema in a transaction that has not ended: the catalog cannot be seen from outside.
    public var schemaChanged: Bool

    public init(searchPath: [String]?, schemaChanged: Bool = false) {
        self.searchPath = searchPath
        self.schemaChanged = schemaChanged
    }
}

/// How the rows of one result are masked.
public struct MaskPlan: Sendable {
    /// One a column.
    public let decisions: [MaskDecision]
    /// nil: the rows pass as they are.
    public let rows: RowMask?
    /// A column's table or place is not known to the snapshot. The columns are withheld; a plan from a newer snapshot may not
    /// need to. Refresh before any row goes on, and plan again, once.
    public let needsRefresh: Bool

    init(columns: [MaskableColumn], decisions: [MaskDecision], snapshot: CatalogSnapshot?, needsRefresh: Bool) {
        self.decisions = decisions
        self.needsRefresh = needsRefresh
        let masks = zip(columns, decisions).map { column, decision -> ColumnMask? in
            decision.mask(shape: snapshot?.shape(of: column.typeOID) ?? .scalar(column.typeOID), format: column.format)
        }
        rows = masks.allSatisfy { $0 == nil } ? nil : RowMask(columns: masks)
    }

    /// For a session with masks whose target's catalog cannot be read: nothing is shown.
    public static func withholdingAll(_ columns: [MaskableColumn]) -> MaskPlan {
        let decisions = columns.map { _ in MaskDecision.withhold(because: "the target's catalog could not be read") }
        return MaskPlan(columns: columns, decisions: decisions, snapshot: nil, needsRefresh: true)
    }
}

/// How the data of a COPY .. TO STDOUT is masked.
public enum CopyPlan: Sendable, Hashable {
    /// As it is.
    case pass
    /// One entry a column that is sent, for `CopyMask`.
    case mask(columns: [ColumnMask?], decisions: [MaskDecision])
    case deny(because: String)
}

extension MaskDecision {
    func mask(shape: @autoclosure () -> ValueShape, format: ValueFormat) -> ColumnMask? {
        switch self {
        case .pass: nil
        case .mask(_, let strategy): ColumnMask(shape: shape(), format: format, strategy: strategy)
        case .withhold: ColumnMask(shape: shape(), format: format, strategy: .null)
        }
    }
}
