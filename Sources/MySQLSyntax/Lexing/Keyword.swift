/// The words that the grammars of the two servers know and this parser asks for. Case does not matter.
///
/// Whether one may be a name without quotes is ``Keyword/isReserved(by:)``.
public enum Keyword: UInt16, Sendable, Hashable, CaseIterable {
    case accessible, account, action, add, admin, after, against, aggregate, algorithm, all, alter, always, analyse, analyze, and
    case `any`, array, `as`, asc, ascii, asensitive, at, attribute, authentication, authors, autoIncrement, autoextendSize, avg
    case avgRowLength, backup, before, begin, between, bigint, binary, binlog, bit, bitAnd, bitOr, bitXor, blob, block, body
    case bool, boolean, both, btree, buckets, by, byte, cache, call, cascade, cascaded, `case`, cast, catalogName, chain, change
    case changed, channel, char, character, charset, check, checkpoint, checksum, cipher, classOrigin, client, clone, close, code
    case collate, collation, column, columnAdd, columnCheck, columnCreate, columnDelete, columnExists, columnFormat, columnGet
    case columnName, columns, comment, commit, committed, compact, completion, component, compressed, compression, concurrent
    case condition, connection, consistent, constraint, constraintCatalog, constraintName, constraintSchema, contains, context
    case `continue`, contributors, convert, count, cpu, create, cross, cube, cumeDist, curdate, current, currentDate, currentPos
    case currentRole, currentTime, currentTimestamp, currentUser, cursor, cursorName, curtime, cycle, data, database, databases
    case datafile, date, dateAdd, dateSub, datetime, day, dayHour, dayMicrosecond, dayMinute, daySecond, deallocate, dec, decimal
    case declare, `default`, definer, definition, delayKeyWrite, delayed, delete, deleteDomainId, denseRank, desc, describe
    case description, deterministic, diagnostics, directory, disable, discard, disk, distinct, distinctrow, div, `do`
    case doDomainIds, double, drop, dual, dumpfile, duplicate, dynamic, each, `else`, elseif, empty, enable, enclosed, encryption
    case end, ends, enforced, engine, engineAttribute, engines, `enum`, error, errors, escape, escaped, event, events, every
    case examined, except, exchange, exclude, exclusive, execute, exists, exit, expansion, expire, explain, export, extended
    case extentSize, extract, factor, failedLoginAttempts, `false`, fast, faults, federated, fetch, fields, file, fileBlockSize
    case filter, finish, first, firstValue, fixed, float, float4, float8, flush, following, follows, `for`, force, foreign
    case format, found, from, full, fulltext, function, general, generate, generated, geomcollection, geometry
    case geometrycollection, get, getFormat, getMasterPublicKey, getSourcePublicKey, global, grant, grants, group, groupConcat
    case groupReplication, grouping, groups, gtidOnly, handler, hard, hash, having, help, highPriority, histogram, history, host
    case hosts, hour, hourMicrosecond, hourMinute, hourSecond, identified, `if`, ignore, ignoreDomainIds, ignoreServerIds
    case ignored, immediate, `import`, `in`, inactive, increment, index, indexes, infile, initialSize, inner, `inout`
    case insensitive, insert, insertMethod, install, instance, int, int1, int2, int3, int4, int8, integer, intersect, interval
    case into, invisible, invoker, io, ioAfterGtids, ioBeforeGtids, ioThread, ipc, `is`, isolation, issuer, iterate, join, json
    case jsonArray, jsonArrayagg, jsonObject, jsonObjectagg, jsonTable, jsonValue, key, keyBlockSize, keyring, keys, kill, lag
    case language, last, lastValue, lastval, lateral, lead, leading, leave, leaves, left, less, level, like, limit, linear, lines
    case linestring, list, load, local, localtime, localtimestamp, lock, locked, locks, logfile, logs, long, longNum, longblob
    case longtext, loop, lowPriority, manual, master, masterBind, masterGtidPos, masterHost, masterSslVerifyServerCert, match
    case max, maxConnectionsPerHour, maxQueriesPerHour, maxRows, maxSize, maxStatementTime, maxUpdatesPerHour, maxUserConnections
    case maxvalue, median, medium, mediumblob, mediumint, mediumtext, member, memory, merge, messageText, microsecond, middleint
    case migrate, min, minRows, minus, minute, minuteMicrosecond, minuteSecond, minvalue, mod, mode, modifies, modify, monitor
    case month, multilinestring, multipoint, multipolygon, mutex, mysql, mysqlErrno, name, names, national, natural, nchar, ndb
    case ndbcluster, nested, networkNamespace, never, new, next, nextval, no, noWait, noWriteToBinlog, nocache, nocopy, nocycle
    case nodegroup, nomaxvalue, nominvalue, not, now, nowait, nthValue, ntile, null, nulls, number, numeric, nvarchar, of
    case off, offset, oj, old, on, one, online, only, open, optimize, optimizerCosts, option, optional, optionally, options, or
    case order, ordinality, organization, others, out, outer, outfile, over, overflow, overlaps, owner, packKeys, page
    case pageChecksum, parallel, parser, partial, partition, partitioning, partitions, password, passwordLockTime, path, percent
    case percentileCont, percentileDisc, period, persist, persistOnly, persistent, phase, plugin, plugins, point, polygon, port
    case portion, position, precedes, preceding, precision, prepare, preserve, prev, previous, primary, privileges, procedure
    case process, processlist, profile, profiles, proxy, purge, qualify, quarter, query, quick, random, range, rank, raw, read
    case readOnly, readWrite, reads, real, rebuild, recover, recursive, redoBufferSize, redofile, redundant, reference
    case references, regexp, relay, relayLogFile, relayLogPos, relaylog, release, reload, remove, rename, reorganize, repair
    case `repeat`, repeatable, replace, replay, replica, replicas, replicateDoDb, replication, require, reset, resignal, resource
    case respect, restart, restore, restrict, resume, retain, `return`, returnedSqlstate, returning, returns, reuse, reverse
    case revoke, right, rlike, role, rollback, rollup, rotate, routine, row, rowCount, rowFormat, rowNumber, rownum, rows, rtree
    case savepoint, schedule, schema, schemaName, schemaOnly, schemas, second, secondMicrosecond, secondary, secondaryEngine
    case secondaryLoad, secondaryUnload, security, select, sensitive, separator, sequence, serial, serializable, server, session
    case sessionUser, set, setval, share, shared, show, shutdown, signal, signed, simple, skip, slave, slow, smallint, snapshot
    case socket, soft, `some`, soname, sounds, source, spatial, specific, sql, sqlAfterGtids, sqlBigResult, sqlBufferResult
    case sqlCache, sqlCalcFoundRows, sqlNoCache, sqlSmallResult, sqlThread, sqlTsiDay, sqlTsiHour, sqlTsiMinute, sqlTsiMonth
    case sqlTsiQuarter, sqlTsiSecond, sqlTsiWeek, sqlTsiYear, sqlexception, sqlstate, sqlwarning, srid, ssl, stacked, stage
    case start, starting, starts, statement, statsAutoRecalc, statsPersistent, statsSamplePages, status, std, stddev, stop
    case storage, stored, straightJoin, stream, string, subclassOrigin, subject, subpartition, subpartitions, substr, substring
    case sum, `super`, suspend, swaps, switches, sysdate, system, systemTime, systemUser, table, tableChecksum, tableName, tables
    case tablespace, temporary, temptable, terminated, text, than, then, threadPriority, ties, time, timestamp, timestampadd
    case timestampdiff, tinyblob, tinyint, tinytext, tls, to, trailing, transaction, transactional, transforms, trigger, triggers
    case trim, `true`, truncate, type, types, unbounded, uncommitted, undefined, undo, undoBufferSize, undofile, unicode
    case uninstall, union, unique, unknown, unlock, unregister, unsigned, until, update, upgrade, url, usage, use, useFrm, user
    case userResources, userStatistics, using, utcDate, utcTime, utcTimestamp, validation, value, values, varbinary, varchar
    case varcharacter, variables, variance, varying, vcpu, versioning, via, view, virtual, visible, wait, warnings, week
    case weightString, when, `where`, `while`, window, with, within, without, work, wrapper, write, x509, xa, xid, xml, xor, year
    case yearMonth, zerofill, zone
    case secondaryEngineAttribute, offline, percentRank, slaves, package
    case coalesce, id

    /// In lower case, with underscores.
    var spelling: String {
        "\(self)".reduce(into: "") { result, character in
            if character.isUppercase { result += "_" + character.lowercased() } else { result.append(character) }
        }
    }

    private static let spellings: [UInt64: [(spelling: [UInt8], keyword: Keyword)]] = {
        var table: [UInt64: [(spelling: [UInt8], keyword: Keyword)]] = [:]
        for keyword in allCases {
            let spelling = Array(keyword.spelling.utf8)
            table[key(spelling[...]), default: []].append((spelling, keyword))
        }
        return table
    }()

    private static let longest = 30

    /// The first eight letters in lower case, and the length.
    private static func key(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.prefix(8).reduce(UInt64(bytes.count)) { ($0 &* 67) ^ UInt64(lower($1)) }
    }

    static func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

    static func find(_ bytes: ArraySlice<UInt8>) -> Keyword? {
        guard bytes.count <= longest else { return nil }
        return spellings[key(bytes)]?.first { $0.spelling.count == bytes.count && zip($0.spelling, bytes).allSatisfy { $0 == lower($1) } }?
            .keyword
    }
}
