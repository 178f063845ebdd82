/// Field numbers of the nodes that are read by name, looked up once in the library's own description.
enum Fields {
    static let stmts = Schema.field("ParseResult", "stmts")
    static let tokens = Schema.field("ScanResult", "tokens")
    enum Raw {
        static let stmt = Schema.field("RawStmt", "stmt")
        static let location = Schema.field("RawStmt", "stmt_location")
        static let length = Schema.field("RawStmt", "stmt_len")
    }
    enum Token {
        static let start = Schema.field("ScanToken", "start")
        static let end = Schema.field("ScanToken", "end")
        static let token = Schema.field("ScanToken", "token")
        static let keyword = Schema.field("ScanToken", "keyword_kind")
    }
    enum Common {
        static let string = Schema.field("String", "sval")
        static let items = Schema.field("List", "items")
        static let aliasName = Schema.field("Alias", "aliasname")
        static let aliasColumns = Schema.field("Alias", "colnames")
        static let columnFields = Schema.field("ColumnRef", "fields")
        static let typeNames = Schema.field("TypeName", "names")
    }
    enum RangeVar {
        static let schema = Schema.field("RangeVar", "schemaname")
        static let name = Schema.field("RangeVar", "relname")
        static let alias = Schema.field("RangeVar", "alias")
    }
    enum Constant {
        static let integer = Schema.field("AConst", "ival")
        static let float = Schema.field("AConst", "fval")
        static let boolean = Schema.field("AConst", "boolval")
        static let string = Schema.field("AConst", "sval")
        static let isNull = Schema.field("AConst", "isnull")
        static let integerValue = Schema.field("Integer", "ival")
        static let floatValue = Schema.field("Float", "fval")
        static let booleanValue = Schema.field("Boolean", "boolval")
    }
    enum Expression {
        static let kind = Schema.field("AExpr", "kind")
        static let name = Schema.field("AExpr", "name")
        static let left = Schema.field("AExpr", "lexpr")
        static let right = Schema.field("AExpr", "rexpr")
        static let boolOperator = Schema.field("BoolExpr", "boolop")
        static let boolArguments = Schema.field("BoolExpr", "args")
        static let nullTest = Schema.field("NullTest", "nulltesttype")
        static let nullArgument = Schema.field("NullTest", "arg")
        static let booleanTest = Schema.field("BooleanTest", "booltesttype")
        static let booleanArgument = Schema.field("BooleanTest", "arg")
        static let castArgument = Schema.field("TypeCast", "arg")
        static let castType = Schema.field("TypeCast", "type_name")
        static let subLinkOperator = Schema.field("SubLink", "oper_name")
        static let subLinkType = Schema.field("SubLink", "sub_link_type")
        static let subLinkQuery = Schema.field("SubLink", "subselect")
        static let sortOperator = Schema.field("SortBy", "use_op")
        static let indirection = Schema.field("AIndirection", "indirection")
        static let json = Schema.field("JsonFuncExpr", "op")
    }
    enum Call {
        static let name = Schema.field("FuncCall", "funcname")
        static let arguments = Schema.field("FuncCall", "args")
        static let over = Schema.field("FuncCall", "over")
    }
    enum Target {
        static let name = Schema.field("ResTarget", "name")
        static let value = Schema.field("ResTarget", "val")
    }
    enum Range {
        static let using = Schema.field("JoinExpr", "using_clause")
        static let left = Schema.field("JoinExpr", "larg")
        static let right = Schema.field("JoinExpr", "rarg")
        static let subquery = Schema.field("RangeSubselect", "subquery")
        static let sampled = Schema.field("RangeTableSample", "relation")
        static let isNatural = Schema.field("JoinExpr", "is_natural")
        static let joinAlias = Schema.field("JoinExpr", "alias")
        static let functions = Schema.field("RangeFunction", "functions")
        static let functionAlias = Schema.field("RangeFunction", "alias")
        static let sampleMethod = Schema.field("RangeTableSample", "method")
    }
    enum With {
        static let queries = Schema.field("WithClause", "ctes")
        static let isRecursive = Schema.field("WithClause", "recursive")
        static let name = Schema.field("CommonTableExpr", "ctename")
        static let query = Schema.field("CommonTableExpr", "ctequery")
        static let columns = Schema.field("CommonTableExpr", "aliascolnames")
    }
    enum Select {
        static let targets = Schema.field("SelectStmt", "target_list")
        static let with = Schema.field("SelectStmt", "with_clause")
        static let into = Schema.field("SelectStmt", "into_clause")
        static let operation = Schema.field("SelectStmt", "op")
        static let left = Schema.field("SelectStmt", "larg")
        static let right = Schema.field("SelectStmt", "rarg")
        static let limit = Schema.field("SelectStmt", "limit_count")
        static let from = Schema.field("SelectStmt", "from_clause")
        static let condition = Schema.field("SelectStmt", "where_clause")
        static let values = Schema.field("SelectStmt", "values_lists")
        static let intoRelation = Schema.field("IntoClause", "rel")
        static let intoColumns = Schema.field("IntoClause", "col_names")
    }
    enum Insert {
        static let relation = Schema.field("InsertStmt", "relation")
        static let columns = Schema.field("InsertStmt", "cols")
        static let query = Schema.field("InsertStmt", "select_stmt")
        static let returning = Schema.field("InsertStmt", "returning_list")
        static let with = Schema.field("InsertStmt", "with_clause")
        static let conflictTargets = Schema.field("OnConflictClause", "target_list")
    }
    enum Update {
        static let relation = Schema.field("UpdateStmt", "relation")
        static let targets = Schema.field("UpdateStmt", "target_list")
        static let condition = Schema.field("UpdateStmt", "where_clause")
        static let returning = Schema.field("UpdateStmt", "returning_list")
        static let with = Schema.field("UpdateStmt", "with_clause")
    }
    enum Delete {
        static let relation = Schema.field("DeleteStmt", "relation")
        static let condition = Schema.field("DeleteStmt", "where_clause")
        static let returning = Schema.field("DeleteStmt", "returning_list")
        static let with = Schema.field("DeleteStmt", "with_clause")
    }
    enum Merge {
        static let relation = Schema.field("MergeStmt", "relation")
        static let condition = Schema.field("MergeStmt", "join_condition")
        static let clauses = Schema.field("MergeStmt", "merge_when_clauses")
        static let returning = Schema.field("MergeStmt", "returning_list")
        static let with = Schema.field("MergeStmt", "with_clause")
        static let match = Schema.field("MergeWhenClause", "match_kind")
        static let command = Schema.field("MergeWhenClause", "command_type")
        static let clauseCondition = Schema.field("MergeWhenClause", "condition")
        static let targets = Schema.field("MergeWhenClause", "target_list")
    }
    enum Set {
        static let kind = Schema.field("VariableSetStmt", "kind")
        static let name = Schema.field("VariableSetStmt", "name")
        static let values = Schema.field("VariableSetStmt", "args")
        static let isLocal = Schema.field("VariableSetStmt", "is_local")
    }
    enum Copy {
        static let relation = Schema.field("CopyStmt", "relation")
        static let isFrom = Schema.field("CopyStmt", "is_from")
        static let isProgram = Schema.field("CopyStmt", "is_program")
        static let file = Schema.field("CopyStmt", "filename")
        static let query = Schema.field("CopyStmt", "query")
        static let columns = Schema.field("CopyStmt", "attlist")
        static let options = Schema.field("CopyStmt", "options")
    }
    enum Statement {
        static let dropObjects = Schema.field("DropStmt", "objects")
        static let dropType = Schema.field("DropStmt", "remove_type")
        static let commentType = Schema.field("CommentStmt", "objtype")
        static let commentObject = Schema.field("CommentStmt", "object")
        static let labelType = Schema.field("SecLabelStmt", "objtype")
        static let labelObject = Schema.field("SecLabelStmt", "object")
        static let explainQuery = Schema.field("ExplainStmt", "query")
        static let explainOptions = Schema.field("ExplainStmt", "options")
        static let asQuery = Schema.field("CreateTableAsStmt", "query")
        static let asInto = Schema.field("CreateTableAsStmt", "into")
        static let asType = Schema.field("CreateTableAsStmt", "objtype")
        static let prepareName = Schema.field("PrepareStmt", "name")
        static let prepareQuery = Schema.field("PrepareStmt", "query")
        static let executeName = Schema.field("ExecuteStmt", "name")
        static let declareName = Schema.field("DeclareCursorStmt", "portalname")
        static let declareQuery = Schema.field("DeclareCursorStmt", "query")
        static let fetchName = Schema.field("FetchStmt", "portalname")
        static let fetchIsMove = Schema.field("FetchStmt", "ismove")
        static let vacuumOptions = Schema.field("VacuumStmt", "options")
        static let vacuumIsVacuum = Schema.field("VacuumStmt", "is_vacuumcmd")
        static let transactionKind = Schema.field("TransactionStmt", "kind")
        static let isGrant = Schema.field("GrantStmt", "is_grant")
        static let isRoleGrant = Schema.field("GrantRoleStmt", "is_grant")
        static let triggerFunction = Schema.field("CreateTrigStmt", "funcname")
        static let eventTriggerFunction = Schema.field("CreateEventTrigStmt", "funcname")
        static let isProcedure = Schema.field("CreateFunctionStmt", "is_procedure")
        static let functionOptions = Schema.field("CreateFunctionStmt", "options")
        static let functionActions = Schema.field("AlterFunctionStmt", "actions")
        static let alterCommands = Schema.field("AlterTableStmt", "cmds")
        static let alterCommandType = Schema.field("AlterTableCmd", "subtype")
        static let discardTarget = Schema.field("DiscardStmt", "target")
        static let renameType = Schema.field("RenameStmt", "rename_type")
        static let renameRelationType = Schema.field("RenameStmt", "relation_type")
        static let renameSubname = Schema.field("RenameStmt", "subname")
        static let defineKind = Schema.field("DefineStmt", "kind")
        static let optionName = Schema.field("DefElem", "defname")
        static let optionValue = Schema.field("DefElem", "arg")
        static let columnName = Schema.field("ColumnDef", "colname")
        static let indexColumn = Schema.field("IndexElem", "name")
        static let commandName = Schema.field("AlterTableCmd", "name")
        static let statisticsColumn = Schema.field("StatsElem", "name")
        static let partitionColumn = Schema.field("PartitionElem", "name")
    }
}
