INSERT INTO sessions (id, node, started, ended, state, protocol, target, role, database, issuer, subject, user, ticket, principal,
    granted_by, client_address, application, statements, denied, rows, bytes_in, bytes_out, end_reason)
VALUES
    ('019b76da-a800-7000-8000-000000000001', 'n1', 1767225600000000000, 1767225660000000000, 'ended', 'postgres', 'orders', 'reader',
     'shop', 'https://login.example.com', 'user-1', 'alice', NULL,
     '{"issuer":"https://login.example.com","subject":"user-1","user":"alice","groups":["dba","sre"],"workload":{},"delegation":[],"credential":{"token":{"id":"t1"}},"expires":{"nanoseconds":1767229200000000000}}',
     'access 1: dba', '192.0.2.1', 'psql', 12, 1, 340, 900, 120000, 'the client left'),
    ('019b76da-abe8-7000-8000-000000000002', 'n1', 1767225601000000000, NULL, 'live', 'postgres', 'stock', 'reader', 'shop',
     'https://login.example.com', 'user-2', 'bob', '019b76da-a7ff-7000-8000-00000000000f',
     '{"issuer":"https://login.example.com","subject":"user-2","user":"bob","groups":[],"workload":{"ref":"main"},"delegation":[{"subject":"scheduler"}],"credential":{"ticket":{"id":"019b76da-a7ff-7000-8000-00000000000f"}},"expires":{"nanoseconds":1767229200000000000}}',
     'access 2: agents', '2001:db8::1', '', 0, 0, 0, 0, 0, '');
INSERT INTO tickets (id, hash, issuer, subject, owner, target, label, created, expires, revoked, last_used)
VALUES
    ('019b76da-a7ff-7000-8000-00000000000f', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
     'https://login.example.com', 'user-2',
     '{"issuer":"https://login.example.com","subject":"user-2","user":"bob","groups":[],"workload":{},"delegation":[],"credential":{"token":{}},"expires":{"nanoseconds":1767229200000000000}}',
     NULL, 'nightly job', 1767225599000000000, 1767229199000000000, NULL, 1767225601000000000);
INSERT INTO audit (time, actor, issuer, subject, address, kind, detail)
VALUES (1767225599000000000, 'bob', 'https://login.example.com', 'user-2', '2001:db8::1', 'ticket.created', '{"ticket":"019b76da-a7ff-7000-8000-00000000000f"}');
UPDATE sessions SET deleted = 1767225700000000000 WHERE target = 'orders';
INSERT INTO approvals (id, created, expires, state, usable, digest, issuer, subject, target, session, approval)
VALUES
    ('apr-23456789abcd', 1767225602000000000, 1767229202000000000, 'approved', 1, 'abababababababababababababababababababababababababababababababab', 'https://login.example.com', 'user-2', 'stock', '019b76da-abe8-7000-8000-000000000002',
     '{"id":"apr-23456789abcd","created":{"nanoseconds":1767225602000000000},"expires":{"nanoseconds":1767229202000000000},"state":"approved","reason":"erasure request 88","votes":[{"issuer":"https://login.example.com","subject":"user-1","user":"alice","delegation":[],"choice":"approve","comment":"","at":{"nanoseconds":1767225611000000000}}],"uses":0,"request":{"subject":"action","node":"n1","session":"019b76da-abe8-7000-8000-000000000002","protocolName":"postgres","target":"stock","role":"reader","database":"shop","requester":{"issuer":"https://login.example.com","subject":"user-2","user":"bob","groups":[],"workload":{},"delegation":[{"subject":"scheduler"}],"credential":{"token":{}},"expires":{"nanoseconds":1767229200000000000}},"application":"","rule":"big-deletes","ruleReason":"Deletes wait for a person.","policyVersion":"0123456789ab","terms":{"approvers":["sre"],"required":1,"needsReason":true,"waitSeconds":300,"transactionWaitSeconds":30,"validSeconds":3600,"use":"once","breakGlass":[]},"normalized":"DELETE FROM orders WHERE id = $1","digest":"abababababababababababababababababababababababababababababababab","inTransaction":false},"closed":{"nanoseconds":1767225611000000000}}'),
    ('apr-efghjkmnpqrs', 1767225612000000000, 1767229212000000000, 'pending', 0, 'abababababababababababababababababababababababababababababababab', 'https://login.example.com', 'user-2', 'stock', '019b76da-abe8-7000-8000-000000000002',
     '{"id":"apr-efghjkmnpqrs","created":{"nanoseconds":1767225612000000000},"expires":{"nanoseconds":1767229212000000000},"state":"pending","reason":"erasure request 88","votes":[],"uses":0,"request":{"subject":"action","node":"n1","session":"019b76da-abe8-7000-8000-000000000002","protocolName":"postgres","target":"stock","role":"reader","database":"shop","requester":{"issuer":"https://login.example.com","subject":"user-2","user":"bob","groups":[],"workload":{},"delegation":[{"subject":"scheduler"}],"credential":{"token":{}},"expires":{"nanoseconds":1767229200000000000}},"application":"","rule":"big-deletes","ruleReason":"Deletes wait for a person.","policyVersion":"0123456789ab","terms":{"approvers":["sre"],"required":1,"needsReason":true,"waitSeconds":300,"transactionWaitSeconds":30,"validSeconds":3600,"use":"once","breakGlass":[]},"normalized":"DELETE FROM orders WHERE id = $1","digest":"abababababababababababababababababababababababababababababababab","inTransaction":false}}');
