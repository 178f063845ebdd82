/// How statements without facts of their own are called, by the library's names.
enum Kinds {
    static let byNode: [String: String] = [
        "CreateStmt": "create.table", "CreateForeignTableStmt": "create.foreign_table", "CreateSchemaStmt": "create.schema",
        "CreateTableSpaceStmt": "create.tablespace", "DropTableSpaceStmt": "drop.tablespace",
        "AlterTableSpaceOptionsStmt": "alter.tablespace", "AlterTableMoveAllStmt": "alter.table",
        "CreateExtensionStmt": "create.extension", "AlterExtensionStmt": "alter.extension",
        "AlterExtensionContentsStmt": "alter.extension", "CreateFdwStmt": "create.foreign_data_wrapper",
        "AlterFdwStmt": "alter.foreign_data_wrapper", "CreateForeignServerStmt": "create.server",
        "AlterForeignServerStmt": "alter.server", "CreateUserMappingStmt": "create.user_mapping",
        "AlterUserMappingStmt": "alter.user_mapping", "DropUserMappingStmt": "drop.user_mapping",
        "ImportForeignSchemaStmt": "import_foreign_schema", "CreatePolicyStmt": "create.policy", "AlterPolicyStmt": "alter.policy",
        "CreateAmStmt": "create.access_method", "AlterEventTrigStmt": "alter.event_trigger", "CreatePLangStmt": "create.language",
        "CreateRoleStmt": "create.role", "AlterRoleStmt": "alter.role", "DropRoleStmt": "drop.role",
        "CreateSeqStmt": "create.sequence", "AlterSeqStmt": "alter.sequence", "CreateDomainStmt": "create.domain",
        "CreateOpClassStmt": "create.operator_class", "CreateOpFamilyStmt": "create.operator_family",
        "AlterOpFamilyStmt": "alter.operator_family", "ClosePortalStmt": "close", "IndexStmt": "create.index",
        "CreateStatsStmt": "create.statistics", "AlterStatsStmt": "alter.statistics", "AlterFunctionStmt": "alter.function",
        "AlterOperatorStmt": "alter.operator", "AlterTypeStmt": "alter.type", "NotifyStmt": "notify", "ListenStmt": "listen",
        "UnlistenStmt": "unlisten", "CompositeTypeStmt": "create.type", "CreateEnumStmt": "create.type",
        "CreateRangeStmt": "create.type", "AlterEnumStmt": "alter.type", "LoadStmt": "load", "CreatedbStmt": "create.database",
        "AlterDatabaseStmt": "alter.database", "AlterDatabaseRefreshCollStmt": "alter.database",
        "AlterDatabaseSetStmt": "alter.database", "DropdbStmt": "drop.database", "AlterSystemStmt": "alter.system",
        "AlterRoleSetStmt": "alter.role", "ClusterStmt": "cluster", "RefreshMatViewStmt": "refresh", "CheckPointStmt": "checkpoint",
        "LockStmt": "lock", "ConstraintsSetStmt": "transaction.constraints", "ReindexStmt": "reindex",
        "CreateConversionStmt": "create.conversion", "CreateCastStmt": "create.cast", "CreateTransformStmt": "create.transform",
        "DeallocateStmt": "deallocate", "DropOwnedStmt": "drop.owned", "ReassignOwnedStmt": "reassign_owned",
        "AlterTSDictionaryStmt": "alter.text_search_dictionary", "AlterTSConfigurationStmt": "alter.text_search_configuration",
        "CreatePublicationStmt": "create.publication", "AlterPublicationStmt": "alter.publication",
        "CreateSubscriptionStmt": "create.subscription", "AlterSubscriptionStmt": "alter.subscription",
        "DropSubscriptionStmt": "drop.subscription", "AlterDomainStmt": "alter.domain", "AlterCollationStmt": "alter.collation",
        "AlterDefaultPrivilegesStmt": "alter.default_privileges", "VariableShowStmt": "show", "ViewStmt": "create.view",
        "RuleStmt": "create.rule", "CreateTrigStmt": "create.trigger", "CreateEventTrigStmt": "create.event_trigger",
        "TruncateStmt": "truncate", "CommentStmt": "comment", "SecLabelStmt": "security_label",
    ]

    /// Statements whose parts are statements that take effect with them.
    static let holdsStatements = ["CreateSchemaStmt": "create.schema", "AlterDefaultPrivilegesStmt": "alter.default_privileges"]

    /// Statements that say in this field what sort of object they change: "alter." and that sort.
    static let alterBySort: [String: String] = [
        "AlterTableStmt": "objtype", "AlterObjectDependsStmt": "object_type", "AlterObjectSchemaStmt": "object_type",
        "AlterOwnerStmt": "object_type", "AlterFunctionStmt": "objtype", "AlterTableMoveAllStmt": "objtype",
    ]

    /// Sorts of object whose SQL name is not the library's; a part counts as what it is part of.
    private static let sorts: [String: String] = [
        "matview": "materialized_view", "fdw": "foreign_data_wrapper", "foreign_server": "server", "opclass": "operator_class",
        "opfamily": "operator_family", "statistic_ext": "statistics", "domconstraint": "domain", "tabconstraint": "table",
        "column": "table", "attribute": "type", "tsconfiguration": "text_search_configuration", "tsdictionary": "text_search_dictionary",
        "tsparser": "text_search_parser", "tstemplate": "text_search_template", "largeobject": "large_object",
    ]

    static func sort(_ value: Int) -> String {
        let name = Schema.enumName("ObjectType", value, dropping: "OBJECT_")
        return sorts[name] ?? name
    }

    /// `DropColumn` as `drop_column`.
    static func snakeCase(_ name: String) -> String {
        var result = ""
        for character in name {
            if character.isUppercase, !result.isEmpty { result.append("_") }
            result += character.lowercased()
        }
        return result
    }

    /// Sorts that live among the relations, so that their names are relations'.
    static let relations: Set<String> = ["table", "view", "materialized_view", "index", "sequence", "foreign_table"]
    /// Sorts that are named as the last part after their table's name.
    static let partsOfRelations: Set<String> = ["trigger", "rule", "policy"]

    /// Whether what `kind` does may change what a name means.
    static func changesSchema(_ kind: String) -> Bool {
        let first = kind.prefix { $0 != "." }
        return ["create", "alter", "drop", "grant", "revoke", "import_foreign_schema", "reassign_owned", "load"].contains(first)
    }

    /// How a statement that is not a query uses the relation in one of its own fields.
    static func usesRelation(kind: String, field: String) -> Bool {
        switch field {
        case "relation", "relations", "rels", "view", "sequence", "typevar", "table", "base_stmt": kind != "create.statistics"
        default: false
        }
    }
}
