import MySQLSyntax
import Testing

/// What statements of every sort do.
///
/// Left of `⟹` the text, right of it the facts as `shown` writes them; what they are was read by eye, and a 10.11 server asked.
@Suite struct StatementTests {
    @Test(arguments: Self.words.split(separator: "\n"))
    func wordsSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.queries.split(separator: "\n"))
    func queriesSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.writes.split(separator: "\n"))
    func writesSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.definitions.split(separator: "\n"))
    func definitionsSayWhatTheyDo(line: Substring) throws { try check(line) }

    @Test(arguments: Self.others.split(separator: "\n"))
    func othersSayWhatTheyDo(line: Substring) throws { try check(line) }

    /// Keywords as names.
    static let words = #"""
        SELECT a FROM end ⟹ select r:end
        SELECT status FROM user ⟹ select r:user
        SELECT value, name FROM data ⟹ select r:data
        SELECT a offset FROM t ⟹ unparsed
        SELECT a AS 'from' FROM t ⟹ select r:t
        SELECT a 'where' FROM t ⟹ select r:t
        SELECT a from_ FROM t ⟹ select r:t
        SELECT date FROM time ⟹ select r:time
        SELECT DATE '2020-01-01' FROM t ⟹ select r:t
        SELECT TIMESTAMP('2020-01-01') FROM t ⟹ select r:t timestamp()
        SELECT count FROM t ⟹ select r:t
        SELECT count(*) FROM t ⟹ select r:t count()
        SELECT count (*) FROM t ⟹ select r:t count()
        SELECT if(1, sleep(5), 0) ⟹ select if() sleep()
        SELECT left('a', 1), right('a', 1), replace('a', 'b', 'c') ⟹ select left() right() replace()
        SELECT insert('a', 1, 1, 'b') ⟹ select insert()
        SELECT user() ⟹ select user()
        SELECT user FROM t ⟹ select r:t
        SELECT current_user ⟹ select current_user()
        SELECT current_user() ⟹ select current_user()
        SELECT database(), schema() ⟹ select database() schema()
        SELECT `sleep`(5) ⟹ select sleep()
        SELECT sys.fn(1) ⟹ select sys.fn()
        SELECT `sys`.`fn`(1) ⟹ select sys.fn()
        SELECT sleep/**/(5) ⟹ select sleep()
        SELECT SLEEP (5) ⟹ select sleep()
        SELECT benchmark(1, md5('a')) ⟹ select benchmark() md5()
        SELECT get_lock('a', 1) ⟹ select get_lock()
        SELECT load_file('/etc/passwd') ⟹ select load_file() READS-FILE
        SELECT LOAD_FILE/**/(0x2f) ⟹ select load_file() READS-FILE
        SELECT extractvalue(1, concat(0x7e, version())) ⟹ select extractvalue() concat() version()
        SELECT @@version ⟹ select @@version
        SELECT @@global.sql_mode ⟹ select @@global.sql_mode
        SELECT @@`version` ⟹ select @@version
        SELECT @@session . sql_mode ⟹ select @@session.sql_mode
        SELECT @a ⟹ select @a
        SELECT @a := 1 ⟹ select >@a
        SELECT @a:=@a+1 FROM t ⟹ select r:t >@a @a
        SELECT @`a b` ⟹ select @a b
        SELECT @'a b' ⟹ select @a b
        SELECT @"a b" ⟹ select @a b
        SELECT @a.b ⟹ select @a.b
        SELECT @ a ⟹ unparsed
        SELECT @ ⟹ unparsed
        SELECT @@ ⟹ unparsed
        SELECT @A := ssn FROM people ⟹ select r:people >@a
        SELECT ssn INTO @a FROM people ⟹ select r:people >@a
        SELECT ssn FROM people INTO @a ⟹ select r:people >@a
        SELECT ssn INTO @a, @b FROM people ⟹ select r:people >@a >@b
        SELECT 1 INTO OUTFILE '/tmp/x' ⟹ select file:/tmp/x WRITES-FILE
        SELECT * FROM t INTO OUTFILE '/tmp/x' ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * INTO OUTFILE '/tmp/x' FROM t ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * INTO DUMPFILE '/tmp/x' FROM t ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * FROM t INTO DUMPFILE '/tmp/x' ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * FROM t UNION SELECT * FROM u INTO OUTFILE '/tmp/x' ⟹ select r:t r:u file:/tmp/x WRITES-FILE
        SELECT * FROM t INTO OUTFILE '/tmp/x' FIELDS TERMINATED BY ',' LINES TERMINATED BY '\n' ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * FROM t INTO/**/OUTFILE/**/'/tmp/x' ⟹ select r:t file:/tmp/x WRITES-FILE
        SELECT * FROM t FOR UPDATE ⟹ select r:t
        SELECT * FROM t LOCK IN SHARE MODE ⟹ select r:t
        SELECT * FROM t PROCEDURE ANALYSE() ⟹ select r:t analyse()
        """#

    /// Queries.
    static let queries = #"""
        SELECT * FROM t UNION SELECT * FROM u ⟹ select r:t r:u
        SELECT * FROM t WHERE a IN (SELECT b FROM u) ⟹ select r:t r:u
        SELECT (SELECT ssn FROM people LIMIT 1) ⟹ select r:people
        SELECT EXISTS (SELECT 1 FROM u) ⟹ select r:u
        SELECT * FROM (SELECT * FROM u) x ⟹ select r:u
        SELECT * FROM (SELECT * FROM u) AS x (a, b) ⟹ select r:u
        SELECT * FROM ((SELECT * FROM u) UNION (SELECT * FROM v)) x ⟹ select r:u r:v
        SELECT * FROM ((SELECT * FROM u) x JOIN v) ⟹ select r:u r:v
        SELECT * FROM (t, u) LEFT JOIN (v CROSS JOIN w) ON 1 ⟹ select r:t r:u r:v r:w
        SELECT * FROM t NATURAL JOIN u ⟹ select r:t r:u
        SELECT * FROM t STRAIGHT_JOIN u ⟹ select r:t r:u
        SELECT * FROM { OJ t LEFT OUTER JOIN u ON 1 } ⟹ select r:t r:u
        SELECT * FROM t USE INDEX (a) IGNORE INDEX FOR JOIN (b), u ⟹ select r:t r:u
        SELECT * FROM t PARTITION (p0) AS x ⟹ select r:t=x
        SELECT * FROM t FOR SYSTEM_TIME ALL ⟹ select r:t
        SELECT * FROM t FOR SYSTEM_TIME AS OF (SELECT max(a) FROM u) ⟹ select r:u r:t max()
        WITH c AS (SELECT * FROM t) SELECT * FROM c ⟹ select r:t
        WITH c AS (SELECT * FROM c) SELECT * FROM c ⟹ select r:c
        WITH c AS (SELECT * FROM t) SELECT * FROM db.c ⟹ select r:t r:db.c
        WITH RECURSIVE c AS (SELECT 1 UNION SELECT n FROM c) SELECT * FROM c ⟹ select
        WITH c AS (SELECT 1), d AS (SELECT * FROM c) SELECT * FROM d, e ⟹ select r:e
        WITH c AS (SELECT * FROM d), d AS (SELECT 1) SELECT * FROM c ⟹ select r:d
        SELECT * FROM c WHERE a IN (WITH c AS (SELECT 1) SELECT * FROM c) ⟹ select r:c
        WITH c AS (WITH d AS (SELECT * FROM t) SELECT * FROM d) SELECT * FROM c, d ⟹ select r:t r:d
        TABLE t ⟹ unparsed
        VALUES (1), (2) ⟹ select
        VALUES ROW(1), ROW(2) ⟹ unparsed
        SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$.a')) AS j ⟹ select json_table()
        SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ⟹ select r:t sum()
        SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b) ⟹ select r:t sum()
        SELECT * FROM t WHERE a BETWEEN 1 AND 2 AND b = 3 ⟹ select r:t
        SELECT * FROM t ORDER BY (SELECT ssn FROM people LIMIT 1) ⟹ select r:t r:people
        SELECT * FROM t LIMIT 1, 2 ⟹ select r:t
        SELECT * FROM t GROUP BY a WITH ROLLUP HAVING count(*) > 1 ⟹ select r:t count()
        SELECT CASE WHEN a THEN (SELECT 1 FROM u) ELSE sleep(1) END FROM t ⟹ select r:u r:t sleep()
        SELECT a FROM t WHERE MATCH (b) AGAINST ('x' IN BOOLEAN MODE) ⟹ select r:t match()
        SELECT a REGEXP 'x', a RLIKE 'y', a SOUNDS LIKE 'z', NOT a, a IS NOT NULL FROM t ⟹ select r:t
        SELECT INTERVAL 1 DAY + a FROM t ⟹ select r:t
        SELECT NEXT VALUE FOR s ⟹ select w:s nextval()
        SELECT nextval(s), lastval(db.s) ⟹ select w:s r:db.s nextval() lastval()
        SELECT * FROM DUAL ⟹ select
        SELECT 1 FROM DUAL WHERE 1 ⟹ select
        """#

    /// Writes.
    static let writes = #"""
        DELETE FROM t ⟹ delete w:t where-missing
        DELETE FROM t WHERE 1 ⟹ delete w:t where-constant
        DELETE FROM t WHERE 1 = 1 ⟹ delete w:t where-constant
        DELETE FROM t WHERE true ⟹ delete w:t where-constant
        DELETE FROM t WHERE id = id ⟹ delete w:t where-constant
        DELETE FROM t WHERE t.id = id ⟹ delete w:t where-constant
        DELETE FROM t WHERE id LIKE '%' ⟹ delete w:t where-constant
        DELETE FROM t WHERE id LIKE 'a%' ⟹ delete w:t where-present
        DELETE FROM t WHERE id = 1 OR 1 = 1 ⟹ delete w:t where-constant
        DELETE FROM t WHERE id = 1 AND 1 = 1 ⟹ delete w:t where-present
        DELETE FROM t WHERE NOT 0 ⟹ delete w:t where-constant
        DELETE FROM t WHERE @a ⟹ delete w:t @a where-constant
        DELETE FROM t WHERE EXISTS (SELECT 1) ⟹ delete w:t where-constant
        DELETE FROM t WHERE id IN (SELECT id FROM u) ⟹ delete w:t r:u where-present
        DELETE FROM t LIMIT 1 ⟹ delete w:t where-missing
        DELETE FROM t ORDER BY a LIMIT 1 ⟹ delete w:t where-missing
        DELETE FROM t WHERE id = 1 LIMIT 1 ⟹ delete w:t where-present
        DELETE FROM t WHERE 'a' = 'a' ⟹ delete w:t where-constant
        DELETE FROM t WHERE id BETWEEN id AND id ⟹ delete w:t where-constant
        DELETE FROM t WHERE id IN (id) ⟹ delete w:t where-constant
        DELETE FROM t WHERE !0 ⟹ delete w:t where-constant
        DELETE FROM t WHERE id IS NOT NULL ⟹ delete w:t where-present
        DELETE QUICK FROM t ⟹ delete w:t where-missing
        DELETE t FROM t ⟹ delete w:t where-missing
        DELETE a FROM t AS a JOIN u AS b ON a.id = b.id WHERE b.x = 1 ⟹ delete w:t=a r:u=b where-present
        DELETE a, b FROM t AS a, u AS b ⟹ delete w:t=a w:u=b where-missing
        DELETE FROM a USING t AS a, u WHERE a.id = u.id ⟹ delete w:t=a r:u where-present
        DELETE t.*, u.* FROM t, u ⟹ delete w:t w:u where-missing
        DELETE db.t FROM db.t, u ⟹ delete w:db.t r:u where-missing
        DELETE FROM t PARTITION (p0) ⟹ delete w:t where-missing
        DELETE FROM t WHERE id = 1 RETURNING * ⟹ delete+select w:t where-present
        UPDATE t SET a = 1 ⟹ update w:t where-missing
        UPDATE t SET a = 1 WHERE id = 2 ⟹ update w:t where-present
        UPDATE t SET a = (SELECT ssn FROM people LIMIT 1) WHERE id = 2 ⟹ update w:t r:people where-present
        UPDATE t, u SET t.a = u.a WHERE t.id = u.id ⟹ update w:t r:u where-present
        UPDATE t JOIN u ON t.id = u.id SET a = 1 ⟹ update w:t w:u where-missing
        UPDATE t AS x, u SET x.a = 1 WHERE 1 ⟹ update w:t=x r:u where-constant
        UPDATE LOW_PRIORITY IGNORE t SET a = DEFAULT LIMIT 3 ⟹ update w:t where-missing
        UPDATE/**/t/**/SET/**/a=1 ⟹ update w:t where-missing
        INSERT INTO t VALUES (1) ⟹ insert w:t
        INSERT t VALUES (1) ⟹ insert w:t
        INSERT INTO t (a, b) VALUES (1, 2), (3, 4) ⟹ insert w:t
        INSERT INTO t SET a = 1 ⟹ insert w:t
        INSERT INTO t SELECT * FROM u ⟹ insert+select w:t r:u
        INSERT INTO t (SELECT * FROM u) ⟹ insert+select w:t r:u
        INSERT INTO t (a) SELECT * FROM u ⟹ insert+select w:t r:u
        INSERT INTO t WITH c AS (SELECT * FROM u) SELECT * FROM c ⟹ insert+select w:t r:u
        INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a) ⟹ insert+update w:t values()
        INSERT INTO t VALUES ((SELECT ssn FROM people LIMIT 1)) ⟹ insert w:t r:people
        INSERT INTO t VALUES (1) RETURNING a ⟹ insert+select w:t
        INSERT INTO t () VALUES () ⟹ insert w:t
        REPLACE INTO t VALUES (1) ⟹ replace w:t
        REPLACE t SELECT * FROM u ⟹ replace+select w:t r:u
        LOAD DATA INFILE '/x' INTO TABLE t ⟹ load.data w:t file:/x READS-FILE
        LOAD DATA LOCAL INFILE '/x' INTO TABLE t ⟹ load.data w:t file:/x LOCAL-FILE
        LOAD DATA LOCAL INFILE '/x' REPLACE INTO TABLE t FIELDS TERMINATED BY ',' IGNORE 1 LINES (a, @b) SET c = sleep(1) ⟹ load.data w:t sleep() >@b file:/x LOCAL-FILE
        LOAD XML INFILE '/x' INTO TABLE t ROWS IDENTIFIED BY '<r>' ⟹ load.xml w:t file:/x READS-FILE
        LOAD/**/DATA/**/LOCAL/**/INFILE/**/'/x'/**/INTO/**/TABLE/**/t ⟹ load.data w:t file:/x LOCAL-FILE
        """#

    /// Definitions.
    static let definitions = #"""
        DROP TABLE t ⟹ drop.table d:t
        DROP TABLE IF EXISTS t, u ⟹ drop.table d:t d:u
        DROP TEMPORARY TABLE t ⟹ drop.table d:t
        drop/**/table/**/t ⟹ drop.table d:t
        dRoP tAbLe t ⟹ drop.table d:t
        DROP DATABASE d ⟹ drop.database db:d
        DROP VIEW v ⟹ drop.view d:v
        DROP INDEX i ON t ⟹ drop.index d:t
        DROP PROCEDURE p ⟹ drop.procedure routine:p
        DROP FUNCTION IF EXISTS db.f ⟹ drop.function routine:f
        TRUNCATE t ⟹ truncate d:t
        TRUNCATE TABLE t ⟹ truncate d:t
        RENAME TABLE t TO u, v TO w ⟹ alter.table.rename d:t d:u d:v d:w
        ALTER TABLE t DROP COLUMN a ⟹ alter.table+alter.table.drop_column d:t
        ALTER TABLE t RENAME TO u ⟹ alter.table+alter.table.rename d:t d:u
        ALTER TABLE t ADD COLUMN a INT DEFAULT (sleep(1)) ⟹ alter.table+alter.table.add_column d:t sleep()
        ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u ⟹ alter.table+alter.table.exchange_partition d:t d:u
        ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (b) ⟹ alter.table+alter.table.add_constraint d:t m:u
        ALTER TABLE t ENGINE = FEDERATED CONNECTION = 'mysql://u:p@h/d/t' ⟹ alter.table+alter.table.options d:t secrets-1
        CREATE TABLE t (a INT) ⟹ create.table d:t
        CREATE TABLE t LIKE u ⟹ create.table d:t m:u
        CREATE TABLE t SELECT * FROM u ⟹ create.table+select d:t r:u
        CREATE TABLE t (a INT) AS SELECT * FROM u ⟹ create.table+select d:t r:u
        CREATE TABLE t (a INT, KEY (a)) ENGINE = InnoDB PARTITION BY HASH (a) PARTITIONS 4 ⟹ create.table d:t
        CREATE TEMPORARY TABLE t AS SELECT ssn FROM people ⟹ create.table+select d:t r:people
        CREATE TABLE t (a INT) ENGINE = MERGE UNION = (u, v) ⟹ create.table d:t m:u m:v
        CREATE OR REPLACE VIEW v AS SELECT * FROM t ⟹ create.or_replace+create.view d:v r:t
        CREATE ALGORITHM = MERGE DEFINER = root@localhost SQL SECURITY DEFINER VIEW v AS SELECT * FROM t ⟹ create.view d:v r:t
        CREATE INDEX i ON t (a) ⟹ create.index d:t
        CREATE DATABASE d ⟹ create.database db:d
        CREATE PROCEDURE p() DROP TABLE t ⟹ create.procedure routine:p OPAQUE
        CREATE PROCEDURE p() SELECT 1; DROP TABLE t ⟹ create.procedure routine:p OPAQUE; drop.table d:t
        CREATE PROCEDURE p() BEGIN SELECT 1; DROP TABLE t; END ⟹ create.procedure routine:p OPAQUE
        CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE t ⟹ create.procedure routine:p OPAQUE; drop.table d:t
        CREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN IF(1, 2, 3) END; END; DROP TABLE t; END ⟹ create.procedure routine:p OPAQUE; drop.table d:t; unparsed
        CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END; DROP TABLE t ⟹ create.procedure routine:p OPAQUE; drop.table d:t
        CREATE PROCEDURE p() BEGIN CASE 1 WHEN 1 THEN SELECT 1; END CASE; END; DROP TABLE t ⟹ create.procedure routine:p OPAQUE; drop.table d:t
        CREATE FUNCTION f() RETURNS INT RETURN 1 ⟹ create.function routine:f OPAQUE
        CREATE FUNCTION f RETURNS STRING SONAME 'x.so' ⟹ create.function routine:f OPAQUE
        CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW DELETE FROM u ⟹ create.trigger d:t routine:x OPAQUE
        CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t ⟹ create.event routine:e OPAQUE
        /*!50003 CREATE*/ /*!50020 DEFINER=`root`@`localhost`*/ /*!50003 PROCEDURE p() BEGIN SELECT 1; END */ ⟹ create.procedure routine:p OPAQUE
        BEGIN NOT ATOMIC DROP TABLE t; END ⟹ compound OPAQUE
        """#

    /// Other statements.
    static let others = #"""
        CALL p() ⟹ call routine:p OPAQUE
        CALL db.p(1, (SELECT ssn FROM people)) ⟹ call r:people routine:p OPAQUE
        DO sleep(1) ⟹ do sleep()
        DO (SELECT ssn FROM people) ⟹ do r:people
        PREPARE s FROM 'DROP TABLE t' ⟹ prepare defines:s [drop.table d:t]
        PREPARE s FROM "DELETE FROM t" ⟹ prepare defines:s [delete w:t where-missing]
        PREPARE s FROM @a ⟹ prepare @a OPAQUE defines:s
        PREPARE s FROM 'garbage' ⟹ unparsed
        PREPARE s FROM 'SELECT \'a\'' ⟹ prepare defines:s [select]
        EXECUTE s ⟹ execute runs:s
        EXECUTE s USING @a ⟹ execute @a runs:s
        EXECUTE IMMEDIATE 'DROP TABLE t' ⟹ execute [drop.table d:t]
        EXECUTE IMMEDIATE @a ⟹ execute @a OPAQUE
        EXECUTE IMMEDIATE CONCAT('DROP', ' TABLE t') ⟹ execute concat() OPAQUE
        DEALLOCATE PREPARE s ⟹ deallocate runs:s
        HANDLER t OPEN ⟹ handler.open r:t
        HANDLER t OPEN AS x ⟹ handler.open r:t=x
        HANDLER t READ FIRST ⟹ handler.read r:t
        HANDLER t READ i = (1) WHERE a = 2 LIMIT 3 ⟹ handler.read r:t
        HANDLER t CLOSE ⟹ handler.close r:t
        USE d ⟹ use db:d
        SHOW TABLES ⟹ show.tables
        SHOW TABLES FROM d LIKE 'a%' ⟹ show.tables db:d
        SHOW COLUMNS FROM t FROM d ⟹ show.columns m:d.t
        SHOW CREATE TABLE t ⟹ show.create m:t
        SHOW GRANTS FOR CURRENT_USER ⟹ show.grants
        SHOW PROCESSLIST ⟹ show.processlist
        DESC t ⟹ show.columns m:t
        DESCRIBE t a ⟹ show.columns m:t
        EXPLAIN SELECT * FROM t ⟹ explain+select r:t
        EXPLAIN DELETE FROM t ⟹ delete+explain w:t where-missing
        ANALYZE FORMAT=JSON SELECT * FROM t ⟹ explain+explain.analyze+select r:t
        EXPLAIN FORMAT=JSON UPDATE t SET a = 1 ⟹ explain+update w:t where-missing
        SET sql_mode = '' ⟹ set sql_mode:=
        SET SESSION sql_mode = 'ANSI_QUOTES' ⟹ set sql_mode:=ANSI_QUOTES
        SET @@session.sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES') ⟹ set concat() @@sql_mode sql_mode:=?
        SET @@sql_mode := 'ANSI' ⟹ set sql_mode:=ANSI
        SET GLOBAL max_connections = 1, @a = 2, NAMES utf8mb4 ⟹ set >@a global.max_connections:=1 names:=utf8mb4
        SET NAMES gbk ⟹ set names:=gbk
        SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin' ⟹ set names:=utf8mb4
        SET CHARACTER SET latin1 ⟹ set character_set:=latin1
        SET CHARSET utf8 ⟹ set character_set:=utf8
        SET @a = (SELECT ssn FROM people LIMIT 1) ⟹ set r:people >@a
        SET autocommit = 0 ⟹ set autocommit:=0
        SET PASSWORD = PASSWORD('x') ⟹ set+set.password secrets-1
        SET PASSWORD FOR 'a'@'b' = 'x' ⟹ set+set.password secrets-1
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED ⟹ set+set.transaction transaction:=?
        SET SESSION TRANSACTION READ ONLY ⟹ set+set.transaction transaction:=?
        SET STATEMENT max_statement_time = 1 FOR DELETE FROM t ⟹ delete+set w:t statement.max_statement_time:=1 where-missing
        SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR EXECUTE IMMEDIATE 'SELECT "a"' ⟹ unparsed
        SET ROLE admin ⟹ set+set.role
        SET character_set_client = gbk ⟹ set character_set_client:=gbk
        GRANT ALL ON *.* TO 'a'@'%' IDENTIFIED BY 'secret' ⟹ grant secrets-1
        GRANT SELECT (a, b) ON d.t TO a ⟹ grant m:d.t
        GRANT admin TO a ⟹ grant
        REVOKE ALL ON d.* FROM a ⟹ revoke db:d
        CREATE USER 'a'@'%' IDENTIFIED BY 'secret' ⟹ create.user secrets-1
        CREATE USER a IDENTIFIED VIA mysql_native_password USING PASSWORD('secret') ⟹ create.user secrets-1
        ALTER USER a IDENTIFIED WITH mysql_native_password AS '*HASH' ⟹ alter.user secrets-1
        DROP USER a ⟹ drop.user
        RENAME USER a TO b ⟹ rename.user
        CREATE ROLE r ⟹ create.role
        START TRANSACTION ⟹ transaction.begin
        START TRANSACTION READ ONLY ⟹ transaction.begin
        BEGIN ⟹ transaction.begin
        COMMIT AND CHAIN ⟹ transaction.commit
        ROLLBACK TO SAVEPOINT s ⟹ transaction.rollback
        SAVEPOINT s ⟹ transaction.savepoint
        XA START 'a' ⟹ transaction.xa.start
        XA COMMIT 'a', 'b', 1 ONE PHASE ⟹ transaction.xa.commit
        LOCK TABLES t READ, u AS x WRITE ⟹ lock m:t m:u=x
        UNLOCK TABLES ⟹ unlock
        FLUSH TABLES t WITH READ LOCK ⟹ flush+flush.tables m:t
        FLUSH PRIVILEGES ⟹ flush
        KILL 1 ⟹ kill
        KILL QUERY 1 ⟹ kill
        KILL (SELECT id FROM information_schema.processlist LIMIT 1) ⟹ kill r:information_schema.processlist
        SHUTDOWN ⟹ shutdown
        INSTALL PLUGIN x SONAME 'x.so' ⟹ install OPAQUE
        CHANGE MASTER TO MASTER_PASSWORD = 'secret', MASTER_HOST = 'h' ⟹ replication.change secrets-2
        START SLAVE ⟹ replication.start
        STOP SLAVE ⟹ replication.stop
        RESET MASTER ⟹ reset
        PURGE BINARY LOGS TO 'x' ⟹ purge
        BINLOG 'abc' ⟹ binlog OPAQUE
        CHECK TABLE t QUICK ⟹ check.table m:t
        ANALYZE TABLE t, u ⟹ analyze.table m:t m:u
        OPTIMIZE TABLE t ⟹ optimize.table m:t
        REPAIR TABLE t ⟹ repair.table m:t
        CHECKSUM TABLE t ⟹ checksum.table m:t
        CACHE INDEX t IN hot ⟹ cache.index m:t
        LOAD INDEX INTO CACHE t ⟹ load.index m:t
        HELP 'x' ⟹ help
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'x' ⟹ signal
        GET DIAGNOSTICS @n = NUMBER ⟹ get_diagnostics >@n
        CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'secret', HOST 'h') ⟹ create.server secrets-3
        """#
}
