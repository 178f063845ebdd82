extension RulePack {
    static let destructiveSQL = RulePack(
        name: "destructive-sql", summary: "what removes tables, columns and other objects, or empties them",
        text: """
            rules:
              - id: drop
                what: { kinds: [drop] }
                effect: deny
                reason: Objects are dropped by migrations only.
                hint: Ask whoever owns the schema for a migration.
              - id: truncate
                what: { kinds: [truncate] }
                effect: deny
                reason: TRUNCATE empties a table at once.
                hint: DELETE with a WHERE.
              - id: alter
                what:
                  kinds:
                    - alter.*.drop_column
                    - alter.*.alter_column_type
                    - alter.*.drop_constraint
                    - alter.*.detach_partition*
                    - alter.*.set_un_logged
                effect: deny
                reason: The change loses data, or what protects it.
                hint: Ask whoever owns the schema for a migration.
              - id: reassign-owned
                what: { kinds: [reassign_owned] }
                effect: deny
                reason: Objects do not change hands here.
              - id: functions
                what:
                  functions: [lo_unlink, lo_truncate, lo_truncate64, pg_drop_replication_slot, pg_replication_origin_drop, pg_stat_reset*, pg_stat_statements_reset]
                effect: deny
                reason: The function removes what is not made again.
              - id: file-of-large-object
                what: { kinds: [delete, update], tables: [pg_catalog.pg_largeobject*] }
                effect: deny
                reason: Large objects are not removed here.

            """)

    static let unboundedWrites = RulePack(
        name: "unbounded-writes", summary: "UPDATE, DELETE and MERGE that may touch every row",
        text: """
            rules:
              - id: missing-where
                what: { missing_where: true }
                effect: deny
                reason: The statement may write every row of the table.
                hint: Add a WHERE that picks the rows, or write them in parts.

            """)

    static let privilegeChanges = RulePack(
        name: "privilege-changes", summary: "roles, grants, owners, row security, and what runs with another's rights",
        text: """
            rules:
              - id: grants
                what: { kinds: [grant, revoke, alter.default_privileges, drop.owned, reassign_owned] }
                effect: deny
                reason: Privileges are given elsewhere.
              - id: roles
                what: { kinds: [create.role, alter.role, drop.role, set.role] }
                effect: deny
                reason: Roles are made and changed elsewhere.
              - id: owners
                what: { kinds: [alter.*.change_owner] }
                effect: deny
                reason: Owners do not change here.
              - id: row-security
                what:
                  kinds:
                    - create.policy
                    - alter.policy
                    - drop.policy
                    - alter.*.disable_row_security
                    - alter.*.enable_row_security
                    - alter.*.no_force_row_security
                    - alter.*.force_row_security
                    - security_label
                effect: deny
                reason: Row security is set elsewhere.
              - id: checks-off
                what:
                  kinds: [alter.*.disable_trig*, alter.*.disable_rule, alter.*.enable_replica_*]
                effect: deny
                reason: Triggers and rules stay on.
              - id: borrowed-rights
                what:
                  kinds:
                    - create.function.security_definer
                    - create.procedure.security_definer
                    - alter.function.security_definer
                    - alter.procedure.security_definer
                    - alter.routine.security_definer
                    - create.function.untrusted
                    - create.procedure.untrusted
                    - create.cast
                    - create.event_trigger
                    - alter.event_trigger
                    - create.language
                    - alter.system
                effect: deny
                reason: It lets code run with more rights than its caller's.
              - id: settings
                what: { settings: [row_security, session_replication_role, session_authorization, role] }
                effect: deny
                reason: The setting turns checks off, or changes who acts.
              - id: mappings
                what: { kinds: [create.user_mapping, alter.user_mapping, drop.user_mapping] }
                effect: deny
                reason: Credentials of foreign servers are set elsewhere.
              - id: catalogs
                what: { kinds: [insert, update, delete, merge, copy.from, truncate], tables: ["pg_catalog.pg_*"] }
                effect: deny
                reason: The server's own catalogs are not written.

            """)
}
