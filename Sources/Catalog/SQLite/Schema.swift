import GRDB

/// The tables, version by version. A version that was released is never changed: what comes later is a new one.
enum Schema {
    static let versions = ["v1", "v2", "v3"]

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in try db.execute(sql: first) }
        // When a session's recording was deleted.
        migrator.registerMigration("v2") { db in try db.execute(sql: "ALTER TABLE sessions ADD COLUMN deleted INTEGER") }
        // What waits for a person, what people said, and what was spent of budgets.
        migrator.registerMigration("v3") { db in try db.execute(sql: approvals) }
        return migrator
    }

    /// `usable` says that it is approved and not used up; its time is `expires`.
    private static let approvals = """
        CREATE TABLE approvals (
            id TEXT PRIMARY KEY NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'withdrawn')),
            usable INTEGER NOT NULL,
            digest TEXT NOT NULL,
            issuer TEXT NOT NULL,
            subject TEXT NOT NULL,
            target TEXT NOT NULL,
            session TEXT NOT NULL,
            approval TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX approvals_by_digest ON approvals (digest, created);
        CREATE INDEX approvals_by_time ON approvals (created, id);
        CREATE INDEX approvals_by_requester ON approvals (issuer, subject, created);
        CREATE INDEX approvals_by_expiry ON approvals (expires);
        CREATE INDEX approvals_pending ON approvals (expires) WHERE state = 'pending';

        CREATE TABLE budgets (
            budget TEXT NOT NULL,
            owner TEXT NOT NULL,
            slice INTEGER NOT NULL,
            slices TEXT NOT NULL,
            PRIMARY KEY (budget, owner)
        ) STRICT, WITHOUT ROWID;
        """

    /// Times are nanoseconds since 1970; ids of sessions and tickets sort by time.
    private static let first = """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY NOT NULL,
            node TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER,
            state TEXT NOT NULL CHECK (state IN ('live', 'ended', 'interrupted', 'failed')),
            protocol TEXT NOT NULL,
            target TEXT NOT NULL,
            role TEXT NOT NULL,
            database TEXT NOT NULL,
            issuer TEXT NOT NULL,
            subject TEXT NOT NULL,
            user TEXT NOT NULL,
            ticket TEXT,
            principal TEXT NOT NULL,
            granted_by TEXT NOT NULL,
            client_address TEXT NOT NULL,
            application TEXT NOT NULL,
            statements INTEGER NOT NULL,
            denied INTEGER NOT NULL,
            rows INTEGER NOT NULL,
            bytes_in INTEGER NOT NULL,
            bytes_out INTEGER NOT NULL,
            end_reason TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_by_target ON sessions (target, id);
        CREATE INDEX sessions_by_user ON sessions (user, id);
        CREATE INDEX sessions_by_owner ON sessions (issuer, subject, id);
        CREATE INDEX sessions_by_ticket ON sessions (ticket, id) WHERE ticket IS NOT NULL;
        CREATE INDEX sessions_live ON sessions (node, id) WHERE state = 'live';

        CREATE TABLE tickets (
            id TEXT PRIMARY KEY NOT NULL,
            hash BLOB NOT NULL UNIQUE,
            issuer TEXT NOT NULL,
            subject TEXT NOT NULL,
            owner TEXT NOT NULL,
            target TEXT,
            label TEXT NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            revoked INTEGER,
            last_used INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tickets_by_owner ON tickets (issuer, subject, id);

        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time INTEGER NOT NULL,
            actor TEXT NOT NULL,
            issuer TEXT NOT NULL,
            subject TEXT NOT NULL,
            address TEXT NOT NULL,
            kind TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_by_kind ON audit (kind, id);
        CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        CREATE TRIGGER audit_is_not_erased BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        """
}
