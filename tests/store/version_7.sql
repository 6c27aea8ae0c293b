BEGIN TRANSACTION;
CREATE TABLE accounts (
	stream INTEGER NOT NULL,
	user_id TEXT NOT NULL,
	display_name TEXT,
	checksum INTEGER,
	PRIMARY KEY (stream),
	FOREIGN KEY(stream) REFERENCES streams (id),
	UNIQUE (user_id)
);
INSERT INTO "accounts" VALUES(1,'4711',NULL,-1122946099);
INSERT INTO "accounts" VALUES(2,'42',NULL,-842202698);
CREATE TABLE aliases (
	chat_id TEXT NOT NULL,
	place INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (chat_id),
	FOREIGN KEY(place) REFERENCES places (id)
)
 WITHOUT ROWID

;
INSERT INTO "aliases" VALUES('-100',2,-940837492);
CREATE TABLE comparison (
	id INTEGER NOT NULL CHECK (id = 1),
	account TEXT NOT NULL,
	events INTEGER NOT NULL,
	engagements INTEGER NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE engagements (
	id INTEGER NOT NULL,
	stream INTEGER NOT NULL,
	issue_id TEXT NOT NULL,
	mentions INTEGER NOT NULL,
	views INTEGER NOT NULL,
	queries INTEGER NOT NULL,
	first_at INTEGER,
	mentioned_at INTEGER,
	viewed_at INTEGER,
	queried_at INTEGER,
	linear_at INTEGER,
	linear_id TEXT,
	override_at INTEGER,
	override DOUBLE,
	last_at INTEGER,
	last_kind SMALLINT,
	last_position INTEGER,
	band INTEGER NOT NULL,
	active_at INTEGER,
	score DOUBLE NOT NULL,
	scored_at INTEGER NOT NULL,
	policy_version INTEGER NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(stream) REFERENCES streams (id)
);
INSERT INTO "engagements" VALUES(1,1,'AI-1',0,0,1,1767268800000000,NULL,NULL,1767268800000000,NULL,NULL,1767272400000000,0.8,1767268800000000,3,1,0,1767268800000000,0.8,1767272400000000,1);
INSERT INTO "engagements" VALUES(2,1,'AI-2',0,1,0,1767268800000000,NULL,1767268800000000,NULL,1767268800000000,'lin-2',NULL,NULL,1767268800000000,2,2,1,1767268800000000,0.68,1767268800000000,1);
INSERT INTO "engagements" VALUES(4,2,'AI-1',1,0,0,1767272400000000,1767272400000000,NULL,NULL,NULL,NULL,NULL,NULL,1767272400000000,1,4,1,1767272400000000,0.68,1767272400000000,1);
CREATE TABLE events (
	position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (position > 0),
	stream INTEGER NOT NULL,
	version INTEGER NOT NULL,
	topic TEXT NOT NULL,
	recorded_at INTEGER NOT NULL,
	issue_id TEXT,
	kind SMALLINT CHECK (kind BETWEEN 1 AND 3),
	occurred_at INTEGER,
	linear_id TEXT,
	score DOUBLE,
	place INTEGER,
	commitment BLOB,
	state BLOB,
	checksum INTEGER,
	UNIQUE (stream, version),
	FOREIGN KEY(stream) REFERENCES streams (id),
	FOREIGN KEY(place) REFERENCES places (id)
);
INSERT INTO "events" VALUES(1,1,0,'interaction',1767268800000000,'AI-1',3,1767268800000000,NULL,NULL,1,X'E4B0B7BDCE6B966A57AFEF321234D40207F0BD927248C52880E5F72A92AFC774',NULL,-43655363);
INSERT INTO "events" VALUES(2,1,1,'interaction',1767268800000000,'AI-2',2,1767268800000000,'lin-2',NULL,2,X'E3AEED10B6344F32BFE812012A2E10563658B361BD06A33169E367AD032C4141',NULL,1195804746);
INSERT INTO "events" VALUES(3,1,2,'override',1767272400000000,'AI-1',NULL,1767272400000000,NULL,0.8,NULL,NULL,NULL,276612190);
INSERT INTO "events" VALUES(4,2,0,'interaction',1767272400000000,'AI-1',1,1767272400000000,NULL,NULL,2,X'36F2972A2CC6780EC0ADB9020CF22AE01F85621DE9D34B7251B2631ED3D76FD2',NULL,-1952824008);
CREATE TABLE head (
	id INTEGER NOT NULL CHECK (id = 1),
	position INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL,
	policy_version INTEGER DEFAULT '1' NOT NULL,
	sources_sum INTEGER,
	checksum INTEGER,
	PRIMARY KEY (id)
);
INSERT INTO "head" VALUES(1,4,1767272400000000,1,6004548937,-1795801179);
CREATE TABLE issue_keys (
	"key" TEXT NOT NULL, 
	stream INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY ("key", stream), 
	FOREIGN KEY(stream) REFERENCES streams (id)
)
 WITHOUT ROWID

;
CREATE TABLE job_runs (
	job TEXT NOT NULL,
	day TEXT NOT NULL,
	ran_at INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (job, day)
)
 WITHOUT ROWID

;
CREATE TABLE ledger (
	id INTEGER NOT NULL CHECK (id = 1),
	schema_version INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	digest_key BLOB NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (id)
);
INSERT INTO "ledger" VALUES(1,7,X'A113B2F5271B4D72AD8DC48BEB777474',X'C9C9673E6D30018BC94FEFD4DA7CC9EC661A3C3E8B9C578426AFF0C9DCA54FD9',-1097543007);
CREATE TABLE linear_links (
	stream INTEGER NOT NULL, 
	linear_stream INTEGER, 
	code_digest BLOB, 
	expires_at INTEGER, 
	checksum INTEGER, 
	PRIMARY KEY (stream), 
	FOREIGN KEY(stream) REFERENCES streams (id), 
	UNIQUE (linear_stream), 
	FOREIGN KEY(linear_stream) REFERENCES streams (id), 
	UNIQUE (code_digest)
);
CREATE TABLE linear_texts (
	id BLOB NOT NULL, 
	text TEXT NOT NULL, 
	url TEXT, 
	said_at INTEGER NOT NULL, 
	checksum INTEGER, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
CREATE TABLE moved_issues (
	stream INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (stream), 
	FOREIGN KEY(stream) REFERENCES streams (id)
)
 WITHOUT ROWID

;
CREATE TABLE opt_outs (
	user_digest BLOB NOT NULL,
	before_at INTEGER NOT NULL,
	erased_at INTEGER,
	traces SMALLINT NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (user_digest)
)
 WITHOUT ROWID

;
INSERT INTO "opt_outs" VALUES(X'20F608F1574A73DE88CEADF26AA38313',253402300799999999,NULL,0,-1060868868);
CREATE TABLE origins (
	position INTEGER NOT NULL,
	salt BLOB NOT NULL,
	context TEXT,
	metadata BLOB,
	source TEXT,
	PRIMARY KEY (position)
);
INSERT INTO "origins" VALUES(1,X'521DFD55DB287866622C3234D58D37C8','what of AI-1?',X'7B226C616E67223A22656E227D','4711 1');
INSERT INTO "origins" VALUES(2,X'6799C6BE846D320AA09EF3A79791D927',NULL,NULL,'-100 7');
INSERT INTO "origins" VALUES(4,X'403984645C6511B07E23BD66EC0898F7','AI-1 again',NULL,'-100 8');
CREATE TABLE places (
	id INTEGER NOT NULL,
	place BLOB NOT NULL,
	chat_id TEXT,
	checksum INTEGER,
	PRIMARY KEY (id),
	UNIQUE (place),
	UNIQUE (chat_id)
);
INSERT INTO "places" VALUES(1,X'D94D640373774277836B3C74B2C7D331','4711',1945564431);
INSERT INTO "places" VALUES(2,X'17572B5B30984476A5E571CC13EF8977','-1001',1778836406);
CREATE TABLE read_models (
	name TEXT NOT NULL,
	position INTEGER NOT NULL,
	policy_version INTEGER NOT NULL,
	identical SMALLINT,
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
INSERT INTO "read_models" VALUES('live',4,1,NULL);
CREATE TABLE retired (
	first_position INTEGER NOT NULL,
	last_position INTEGER NOT NULL,
	retired_at INTEGER NOT NULL,
	size_bytes INTEGER NOT NULL,
	blocks BLOB NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (first_position, last_position)
);
CREATE TABLE sealed_accounts (
	stream INTEGER NOT NULL,
	engagements INTEGER NOT NULL,
	checksum INTEGER NOT NULL,
	PRIMARY KEY (stream),
	FOREIGN KEY(stream) REFERENCES streams (id)
);
CREATE TABLE sealed_engagements (
	stream INTEGER NOT NULL,
	issue_id TEXT NOT NULL,
	id INTEGER NOT NULL,
	mentions INTEGER NOT NULL,
	views INTEGER NOT NULL,
	queries INTEGER NOT NULL,
	first_at INTEGER,
	mentioned_at INTEGER,
	viewed_at INTEGER,
	queried_at INTEGER,
	linear_at INTEGER,
	linear_id TEXT,
	override_at INTEGER,
	override DOUBLE,
	last_position INTEGER,
	scored_at INTEGER NOT NULL,
	PRIMARY KEY (stream, issue_id),
	FOREIGN KEY(stream) REFERENCES streams (id)
)
 WITHOUT ROWID

;
CREATE TABLE segments (
	first_position INTEGER NOT NULL,
	last_position INTEGER NOT NULL,
	events INTEGER NOT NULL,
	first_recorded_at INTEGER NOT NULL,
	last_recorded_at INTEGER NOT NULL,
	digest BLOB NOT NULL,
	size_bytes INTEGER NOT NULL,
	blocks BLOB NOT NULL,
	certificates TEXT NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (first_position, last_position)
);
CREATE TABLE snapshots (
	stream INTEGER NOT NULL,
	version INTEGER NOT NULL,
	topic TEXT NOT NULL,
	state BLOB NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (stream, version),
	FOREIGN KEY(stream) REFERENCES streams (id)
);
CREATE TABLE sources (
	digest BLOB NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (digest)
)
 WITHOUT ROWID

;
INSERT INTO "sources" VALUES(X'000000001A465F6C1E1A46275BF5D0ED',2);
INSERT INTO "sources" VALUES(X'00000000389353F1BA9A4A7D4ED91DE3',1);
INSERT INTO "sources" VALUES(X'000000009471A58424F7B0448BBC18E7',4);
CREATE TABLE streams (
	id INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	version INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (id),
	UNIQUE (originator_id)
);
INSERT INTO "streams" VALUES(1,X'656471029D774260BC95F62A49A63385',-1,1382768049);
INSERT INTO "streams" VALUES(2,X'DFEA1B6BF3A54380AF2AFE08C545CAAE',-1,436340020);
CREATE TABLE tracking (
	application_name TEXT NOT NULL,
	position INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (application_name)
);
CREATE INDEX hidings_of_user ON events (stream) WHERE topic = 'hiding';
CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never deleted'); END;
CREATE TRIGGER head_is_never_replaced BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never replaced'); END;
CREATE TRIGGER versions_never_go_back BEFORE UPDATE ON streams WHEN NEW.version < OLD.version BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: versions never go back'); END;
CREATE TRIGGER streams_are_never_deleted BEFORE DELETE ON streams  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams are never deleted'); END;
CREATE TRIGGER streams_are_never_replaced BEFORE INSERT ON streams
        WHEN EXISTS (SELECT 1 FROM streams
                     WHERE id = NEW.id OR originator_id = NEW.originator_id) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams are never replaced'); END;
CREATE TRIGGER the_identity_is_never_deleted BEFORE DELETE ON ledger  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity is never deleted'); END;
CREATE TRIGGER the_identity_is_never_replaced BEFORE INSERT ON ledger WHEN EXISTS (SELECT 1 FROM ledger) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity is never replaced'); END;
CREATE TRIGGER barriers_are_never_deleted BEFORE DELETE ON opt_outs  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers are never deleted'); END;
CREATE TRIGGER barriers_are_never_replaced BEFORE INSERT ON opt_outs
        WHEN EXISTS (SELECT 1 FROM opt_outs WHERE user_digest = NEW.user_digest) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers are never replaced'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
        WHEN OLD.issue_id IS NULL OR OLD.position > COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never deleted'); END;
CREATE TRIGGER events_are_appended_once BEFORE INSERT ON events
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR NEW.position <= COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0)
        OR NEW.version <= (SELECT version FROM streams WHERE id = NEW.stream)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are appended once'); END;
CREATE TRIGGER segments_are_only_merged BEFORE DELETE ON segments
        WHEN NOT EXISTS (SELECT 1 FROM segments
            WHERE first_position <= OLD.first_position AND last_position >= OLD.last_position
            AND (first_position < OLD.first_position OR last_position > OLD.last_position)) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: segments are only merged'); END;
CREATE TRIGGER segments_leave_no_gap BEFORE INSERT ON segments
        WHEN NEW.last_position NOT BETWEEN NEW.first_position AND (SELECT position FROM head)
        OR EXISTS (SELECT 1 FROM segments
            WHERE first_position = NEW.first_position AND last_position = NEW.last_position)
        OR NOT (NEW.first_position = COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0) + 1
            OR (EXISTS (SELECT 1 FROM segments WHERE first_position = NEW.first_position)
                AND EXISTS (SELECT 1 FROM segments WHERE last_position = NEW.last_position))) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: segments leave no gap'); END;
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events WHEN NOT (OLD.checksum IS NULL AND NEW.position IS OLD.position AND NEW.stream IS OLD.stream AND NEW.version IS OLD.version AND NEW.topic IS OLD.topic AND NEW.recorded_at IS OLD.recorded_at AND NEW.issue_id IS OLD.issue_id AND NEW.kind IS OLD.kind AND NEW.occurred_at IS OLD.occurred_at AND NEW.linear_id IS OLD.linear_id AND NEW.score IS OLD.score AND NEW.place IS OLD.place AND NEW.commitment IS OLD.commitment AND NEW.state IS OLD.state) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never updated'); END;
CREATE TRIGGER segments_are_never_updated BEFORE UPDATE ON segments WHEN NOT (OLD.checksum IS NULL AND NEW.first_position IS OLD.first_position AND NEW.last_position IS OLD.last_position AND NEW.events IS OLD.events AND NEW.first_recorded_at IS OLD.first_recorded_at AND NEW.last_recorded_at IS OLD.last_recorded_at AND NEW.digest IS OLD.digest AND NEW.size_bytes IS OLD.size_bytes AND NEW.blocks IS OLD.blocks AND NEW.certificates IS OLD.certificates) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: segments are never updated'); END;
CREATE TRIGGER head_never_goes_back BEFORE UPDATE ON head
        WHEN NEW.position < OLD.position OR NEW.policy_version < OLD.policy_version
        OR (NEW.recorded_at < OLD.recorded_at AND NOT EXISTS (SELECT 1 FROM events WHERE
            position = NEW.position AND topic = 'clock' AND recorded_at = NEW.recorded_at)) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head never goes back'); END;
CREATE TRIGGER barriers_never_go_back BEFORE UPDATE ON opt_outs
        WHEN NEW.user_digest IS NOT OLD.user_digest
        OR (OLD.erased_at IS NOT NULL
            AND (NEW.erased_at IS NULL OR (NEW.erased_at < OLD.erased_at AND NOT EXISTS (
                SELECT 1 FROM events WHERE position = (SELECT position FROM head)
                AND topic = 'clock' AND recorded_at = NEW.erased_at))))
        OR NEW.before_at < NEW.erased_at BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers never go back'); END;
CREATE TRIGGER streams_never_change_hands BEFORE UPDATE ON streams
        WHEN NEW.id IS NOT OLD.id OR NEW.originator_id IS NOT OLD.originator_id BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams never change hands'); END;
CREATE TRIGGER the_identity_never_changes BEFORE UPDATE ON ledger
        WHEN NEW.id IS NOT OLD.id OR NEW.originator_id IS NOT OLD.originator_id
        OR NEW.digest_key IS NOT OLD.digest_key BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity never changes'); END;
CREATE INDEX engagements_by_last_interaction ON engagements (strftime('%Y-%m-%d %H:%M:%S', last_at / 1000000, 'unixepoch') || printf('.%06d', last_at % 1000000));
CREATE INDEX engagements_by_rank ON engagements (stream, band, active_at DESC, issue_id);
CREATE INDEX engagements_by_issue ON engagements (issue_id);
CREATE UNIQUE INDEX engagements_by_issue_of_user ON engagements (stream, issue_id);
CREATE INDEX engagements_by_score ON engagements (stream, score);
CREATE INDEX observations ON events (stream) WHERE topic = 'observation';
CREATE INDEX issue_keys_by_stream ON issue_keys (stream);
CREATE INDEX ix_moved_issues_position ON moved_issues (position);
CREATE VIEW issue_engagements AS
    WITH policy AS (
        SELECT COALESCE(json_extract(fields, '$.frequency_weight'), 0.4) AS frequency_weight, COALESCE(json_extract(fields, '$.recency_weight'), 0.6) AS recency_weight,
               COALESCE(json_extract(fields, '$.frequency_per_interaction'), 0.2) AS frequency_per_interaction,
               COALESCE(json_extract(fields, '$.kinds') LIKE '%"mention"%', 1) AS mentions, COALESCE(json_extract(fields, '$.kinds') LIKE '%"view"%', 1) AS views, COALESCE(json_extract(fields, '$.kinds') LIKE '%"query"%', 1) AS queries
        FROM (SELECT 1) LEFT JOIN (
            SELECT json_extract(CAST(state AS TEXT), '$.fields') AS fields
            FROM events JOIN streams ON streams.id = events.stream
            JOIN ledger ON ledger.originator_id = streams.originator_id
            WHERE topic = 'policy' ORDER BY events.version DESC LIMIT 1)),
    tail AS (
        SELECT t.stream, a.user_id, t.issue_id, min(t.position) AS id,
               min(t.occurred_at) FILTER (WHERE t.topic = 'interaction') AS first_at,
               count(*) FILTER (WHERE t.kind = 1) AS mentions, max(t.occurred_at) FILTER (WHERE t.kind = 1) AS mentioned_at,
               count(*) FILTER (WHERE t.kind = 2) AS views, max(t.occurred_at) FILTER (WHERE t.kind = 2) AS viewed_at,
               count(*) FILTER (WHERE t.kind = 3) AS queries, max(t.occurred_at) FILTER (WHERE t.kind = 3) AS queried_at,
               max(printf('%020d%s', t.occurred_at, t.linear_id))
                   FILTER (WHERE t.linear_id NOT NULL) AS linear,
               max(printf('%020d%d%020d', t.occurred_at, t.kind, t.position))
                   FILTER (WHERE t.topic = 'interaction') AS touch,
               max(printf('%020d%!.20f', t.occurred_at, t.score))
                   FILTER (WHERE t.topic = 'override') AS override
        FROM events t JOIN accounts a ON a.stream = t.stream
        WHERE t.position > (SELECT position FROM read_models WHERE name = 'live') AND t.issue_id NOT NULL
        GROUP BY a.user_id, t.issue_id),
    whole AS (
        SELECT COALESCE(e.id, t.id) AS id, t.user_id, t.issue_id, t.mentions + COALESCE(e.mentions, 0) AS mentions, max(COALESCE(t.mentioned_at, 0), COALESCE(e.mentioned_at, 0)) AS mentioned_at, t.views + COALESCE(e.views, 0) AS views, max(COALESCE(t.viewed_at, 0), COALESCE(e.viewed_at, 0)) AS viewed_at, t.queries + COALESCE(e.queries, 0) AS queries, max(COALESCE(t.queried_at, 0), COALESCE(e.queried_at, 0)) AS queried_at,
               min(COALESCE(t.first_at, e.first_at), COALESCE(e.first_at, t.first_at)) AS first_at,
               max(COALESCE(CASE WHEN e.linear_at IS NOT NULL THEN printf('%020d%s', e.linear_at, e.linear_id) END, ''), COALESCE(t.linear, '')) AS linear,
               max(COALESCE(CASE WHEN e.last_at IS NOT NULL THEN printf('%020d%d%020d', e.last_at, e.last_kind, e.last_position) END, ''), COALESCE(t.touch, '')) AS touch,
               max(COALESCE(CASE WHEN e.override_at IS NOT NULL THEN printf('%020d%!.20f', e.override_at, e.override) END, ''), COALESCE(t.override, '')) AS override
        FROM tail t LEFT JOIN engagements e ON e.stream = t.stream AND e.issue_id = t.issue_id),
    scored AS (
        SELECT w.*, w.mentions * p.mentions + w.views * p.views + w.queries * p.queries AS counted, max(w.mentioned_at * p.mentions, w.viewed_at * p.views, w.queried_at * p.queries) AS active_at,
               CAST(substr(w.override, 1, 20) AS INTEGER) AS override_at,
               CAST(substr(w.override, 20 + 1) AS REAL) AS base,
               CAST(substr(w.touch, 1, 20) AS INTEGER) AS last_at,
               CAST(substr(w.touch, 20 + 1, 1) AS INTEGER) AS last_kind,
               CAST(substr(w.touch, 20 + 2) AS INTEGER) AS last_position,
               p.frequency_weight * min(1.0, p.frequency_per_interaction * (w.mentions * p.mentions + w.views * p.views + w.queries * p.queries))
                   + p.recency_weight AS weighted
        FROM whole w JOIN policy p)
    SELECT e.id, a.user_id, e.issue_id, COALESCE(e.linear_id, e.issue_id) AS linear_id,
           CASE e.last_kind WHEN 1 THEN 'mention' WHEN 2 THEN 'view' WHEN 3 THEN 'query' END AS interaction_type,
           e.mentions + e.views + e.queries AS interaction_count,
           e.score AS engagement_score,
           strftime('%Y-%m-%d %H:%M:%S', e.last_at / 1000000, 'unixepoch') || printf('.%06d', e.last_at % 1000000) AS last_interaction,
           strftime('%Y-%m-%d %H:%M:%S', e.first_at / 1000000, 'unixepoch') || printf('.%06d', e.first_at % 1000000) AS first_interaction,
           o.context, CAST(o.metadata AS TEXT) AS extra_metadata,
           strftime('%Y-%m-%d %H:%M:%S', e.scored_at / 1000000, 'unixepoch') || printf('.%06d', e.scored_at % 1000000) AS scored_at, e.policy_version
    FROM engagements e
    JOIN accounts a ON a.stream = e.stream
    LEFT JOIN origins o ON o.position = e.last_position
    WHERE (SELECT position FROM events l WHERE l.stream = e.stream
           ORDER BY l.version DESC LIMIT 1) <= (SELECT position FROM read_models WHERE name = 'live')
    OR e.stream || ' ' || e.issue_id NOT IN (
        SELECT stream || ' ' || issue_id FROM events
        WHERE position > (SELECT position FROM read_models WHERE name = 'live') AND issue_id NOT NULL)
    UNION ALL
    SELECT CAST(s.id AS INTEGER), s.user_id, s.issue_id,
           COALESCE(NULLIF(substr(s.linear, 20 + 1), ''), s.issue_id),
           CASE s.last_kind WHEN 1 THEN 'mention' WHEN 2 THEN 'view' WHEN 3 THEN 'query' END,
           s.mentions + s.views + s.queries,
           CAST(CASE WHEN s.override_at > 0 AND s.override_at >= s.active_at
                THEN ((CAST(s.base * 8388608 AS INTEGER) * 1000000000000) / 8388608 + CAST((CAST(s.base * 8388608 AS INTEGER) * 1000000000000) % 8388608 / 8388608.0 + (s.base - CAST(s.base * 8388608 AS INTEGER) / 8388608.0) * 1000000000000 + 0.5 AS INTEGER)) / 1000000000000.0
                WHEN s.counted = 0 THEN 0.0 ELSE ((CAST(s.weighted * 8388608 AS INTEGER) * 1000000000000) / 8388608 + CAST((CAST(s.weighted * 8388608 AS INTEGER) * 1000000000000) % 8388608 / 8388608.0 + (s.weighted - CAST(s.weighted * 8388608 AS INTEGER) / 8388608.0) * 1000000000000 + 0.5 AS INTEGER)) / 1000000000000.0 END AS REAL),
           strftime('%Y-%m-%d %H:%M:%S', s.last_at / 1000000, 'unixepoch') || printf('.%06d', s.last_at % 1000000),
           strftime('%Y-%m-%d %H:%M:%S', s.first_at / 1000000, 'unixepoch') || printf('.%06d', s.first_at % 1000000),
           o.context, CAST(o.metadata AS TEXT),
           strftime('%Y-%m-%d %H:%M:%S', COALESCE(NULLIF(max(s.active_at, s.override_at), 0), s.last_at) / 1000000, 'unixepoch') || printf('.%06d', COALESCE(NULLIF(max(s.active_at, s.override_at), 0), s.last_at) % 1000000),
           CAST((SELECT policy_version FROM head) AS INTEGER)
    FROM scored s LEFT JOIN origins o ON o.position = s.last_position;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',4);
COMMIT;
