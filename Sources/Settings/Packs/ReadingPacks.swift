extension RulePack {
    static let serverFilesAndNetwork = RulePack(
        name: "server-files-and-network", summary: "the server's files and programs, other servers, code loaded from outside",
        text: """
            rules:
              - id: text-runners
                what: { functions: ["query_to_xml*", "cursor_to_xml*", "table_to_xml*", "schema_to_xml*", "database_to_xml*", ts_stat, "crosstab*", connectby, xpath_table] }
                effect: deny
                reason: The function runs text that is not seen, or reads a table by its text.
                hint: Send the query itself.
              - id: copy-program
                what: { copy_program: true }
                effect: deny
                reason: The server runs no programs for clients.
              - id: copy-file
                what: { copy_file: true }
                effect: deny
                reason: The server's files are not for clients.
                hint: COPY to STDOUT or from STDIN.
              - id: file-functions
                what:
                  functions:
                    - pg_read_*
                    - pg_stat_file
                    - pg_ls_*
                    - pg_file_*
                    - pg_logdir_ls
                    - pg_current_logfile
                    - pg_rotate_logfile*
                    - pg_hba_file_rules
                    - pg_ident_file_mappings
                    - pg_show_all_file_settings
                    - lo_import
                    - lo_import_with_oid
                    - lo_export
                    - be_lo_import
                    - be_lo_export
                    - pg_execute_server_program
                effect: deny
                reason: The server's files are not for clients.
              - id: large-objects
                what: { functions: ["lo_*", loread, lowrite] }
                effect: deny
                reason: Large objects are a way to the server's files.
              - id: file-views
                what: { tables: [pg_hba_file_rules, pg_ident_file_mappings, pg_file_settings] }
                effect: deny
                reason: The server's files are not for clients.
              - id: network-functions
                what: { functions: ["dblink*", "postgres_fdw_*", http, "http_*", "pgsql_http*", "net_http*", "amqp_*", "pg_background_*", schedule, schedule_in_database, "run_command_on_*"] }
                effect: deny
                reason: The server reaches no other one for clients.
              - id: server-functions
                what: { functions: [pg_reload_conf, pg_promote, pg_switch_wal, "pg_backup_*", pg_start_backup, pg_stop_backup, pg_create_restore_point, "pg_wal_replay_*", pg_terminate_backend, pg_cancel_backend] }
                effect: deny
                reason: The server is run by others.
              - id: code
                what: { kinds: [load, create.extension, alter.extension, create.language, create.function.untrusted, create.procedure.untrusted, create.access_method, create.transform] }
                effect: deny
                reason: Code from outside is not loaded.
              - id: other-servers
                what:
                  kinds:
                    - create.server
                    - alter.server
                    - create.foreign_data_wrapper
                    - alter.foreign_data_wrapper
                    - create.foreign_table
                    - import_foreign_schema
                    - create.user_mapping
                    - alter.user_mapping
                    - create.subscription
                    - alter.subscription
                effect: deny
                reason: The server reaches no other one for clients.
              - id: server-settings
                what: { kinds: [alter.system, create.tablespace, alter.tablespace, checkpoint] }
                effect: deny
                reason: The server is run by others.
              - id: settings
                what:
                  settings: ["*_preload_libraries", dynamic_library_path, "archive_*", restore_command, "ssl_*", "log_*", data_directory, hba_file, ident_file, extension_control_path]
                effect: deny
                reason: The setting names files or programs of the server, or what it logs.

            """)

    static let bulkExport = RulePack(
        name: "bulk-export", summary: "COPY TO, whole tables by SELECT, replication, and functions that read a table by its name",
        text: """
            rules:
              - id: copy
                what: { kinds: [copy.to] }
                effect: deny
                reason: Tables are not copied out.
                hint: SELECT what you need, with a WHERE and a LIMIT.
              - id: whole-table
                what: { unbounded_read: true }
                effect: deny
                reason: The query may give a table's whole content.
                hint: Add a WHERE, a LIMIT of at most 10000, or an aggregate such as count.
              - id: functions
                what:
                  functions: ["query_to_xml*", "cursor_to_xml*", "table_to_xml*", "schema_to_xml*", "database_to_xml*", "pg_logical_slot_*", "pg_create_*_replication_slot", "pg_copy_*_replication_slot", "dblink*"]
                effect: deny
                reason: The function reads whole tables, or every change of them.
              - id: replication
                what: { kinds: [replication, create.publication, alter.publication, create.subscription, alter.subscription] }
                effect: deny
                reason: Tables are not copied out.

            """)

    static let secretsTables = RulePack(
        name: "secrets-tables", summary: "tables whose names say that they hold secrets, and the server's own",
        text: """
            rules:
              - id: named
                what:
                  tables:
                    - "*secret*"
                    - "*credential*"
                    - "*password*"
                    - "*passwd*"
                    - "*token*"
                    - "*api_key*"
                    - "*apikey*"
                    - "*private_key*"
                    - "*encryption_key*"
                effect: deny
                reason: The table's name says that it holds secrets.
                hint: Ask for the one value that is needed, through its own service.
              - id: catalogs
                what:
                  tables: [pg_authid, pg_shadow, "pg_user_mapping*", "_pg_user_mappings", user_mapping_options, pg_subscription, "pg_foreign_server", "_pg_foreign_servers", foreign_server_options, pg_largeobject]
                effect: deny
                reason: The server keeps passwords there.
              - id: samples
                what: { tables: [pg_statistic, pg_statistic_ext_data, "pg_stats*"] }
                effect: deny
                reason: The planner's statistics hold values of every table.

            """)
}
