/// Field numbers of the nodes that lineage reads by name, besides those in `Fields`.
enum LineageFields {
    enum Select {
        static let distinct = Schema.field("SelectStmt", "distinct_clause")
        static let group = Schema.field("SelectStmt", "group_clause")
        static let having = Schema.field("SelectStmt", "having_clause")
        static let windows = Schema.field("SelectStmt", "window_clause")
        static let sort = Schema.field("SelectStmt", "sort_clause")
        static let offset = Schema.field("SelectStmt", "limit_offset")
        static let isAll = Schema.field("SelectStmt", "all")
        static let sortNode = Schema.field("SortBy", "node")
    }
    enum With {
        static let search = Schema.field("CommonTableExpr", "search_clause")
        static let cycle = Schema.field("CommonTableExpr", "cycle_clause")
        static let searchColumn = Schema.field("CTESearchClause", "search_seq_column")
        static let markColumn = Schema.field("CTECycleClause", "cycle_mark_column")
        static let pathColumn = Schema.field("CTECycleClause", "cycle_path_column")
    }
    enum Range {
        static let isLateral = Schema.field("RangeSubselect", "lateral")
        static let subqueryAlias = Schema.field("RangeSubselect", "alias")
        static let condition = Schema.field("JoinExpr", "quals")
        static let usingAlias = Schema.field("JoinExpr", "join_using_alias")
        static let isRowsFrom = Schema.field("RangeFunction", "is_rowsfrom")
        static let ordinality = Schema.field("RangeFunction", "ordinality")
        static let definitions = Schema.field("RangeFunction", "coldeflist")
        static let sampleArguments = Schema.field("RangeTableSample", "args")
        static let tableFunctionAlias = Schema.field("RangeTableFunc", "alias")
        static let jsonTableAlias = Schema.field("JsonTable", "alias")
    }
    enum Expression {
        static let indirectionArgument = Schema.field("AIndirection", "arg")
        static let subLinkTest = Schema.field("SubLink", "testexpr")
        static let collateArgument = Schema.field("CollateClause", "arg")
        static let caseArgument = Schema.field("CaseExpr", "arg")
        static let caseArms = Schema.field("CaseExpr", "args")
        static let caseDefault = Schema.field("CaseExpr", "defresult")
        static let whenCondition = Schema.field("CaseWhen", "expr")
        static let whenResult = Schema.field("CaseWhen", "result")
        static let minMax = Schema.field("MinMaxExpr", "op")
    }
    enum Call {
        static let order = Schema.field("FuncCall", "agg_order")
        static let filter = Schema.field("FuncCall", "agg_filter")
        static let isDistinct = Schema.field("FuncCall", "agg_distinct")
    }
    enum Write {
        static let deleteUsing = Schema.field("DeleteStmt", "using_clause")
        static let updateFrom = Schema.field("UpdateStmt", "from_clause")
        static let onConflict = Schema.field("InsertStmt", "on_conflict_clause")
        static let conflictInfer = Schema.field("OnConflictClause", "infer")
        static let conflictCondition = Schema.field("OnConflictClause", "where_clause")
        static let mergeSource = Schema.field("MergeStmt", "source_relation")
        static let mergeValues = Schema.field("MergeWhenClause", "values")
        static let indirection = Schema.field("ResTarget", "indirection")
        static let viewQuery = Schema.field("ViewStmt", "query")
    }
}
