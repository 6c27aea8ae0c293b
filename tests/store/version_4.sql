BEGIN TRANSACTION;
CREATE TABLE accounts (
	stream INTEGER NOT NULL,
	user_id TEXT NOT NULL,
	display_name TEXT,
	PRIMARY KEY (stream),
	FOREIGN KEY(stream) REFERENCES streams (id),
	UNIQUE (user_id)
);
INSERT INTO "accounts" VALUES(1,'4711',NULL);
INSERT INTO "accounts" VALUES(2,'42',NULL);
CREATE TABLE aliases (
	chat_id TEXT NOT NULL,
	place INTEGER NOT NULL,
	PRIMARY KEY (chat_id),
	FOREIGN KEY(place) REFERENCES places (id)
)
 WITHOUT ROWID

;
INSERT INTO "aliases" VALUES('-100',2);
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
	UNIQUE (stream, version),
	FOREIGN KEY(stream) REFERENCES streams (id),
	FOREIGN KEY(place) REFERENCES places (id)
);
INSERT INTO "events" VALUES(1,1,0,'interaction',1767268800000000,'AI-1',3,1767268800000000,NULL,NULL,1,X'76B7EDBE84E231EB8072D8962C95AC075B231AE8DC3D4EF958B9BC5FA6A535DD',NULL);
INSERT INTO "events" VALUES(2,1,1,'interaction',1767268800000000,'AI-2',2,1767268800000000,'lin-2',NULL,2,X'2CA527D958B5145C9AB0E7E8154CD99CEB446F24E42CE6552DC18FBAA659DC30',NULL);
INSERT INTO "events" VALUES(3,1,2,'override',1767272400000000,'AI-1',NULL,1767272400000000,NULL,0.8,NULL,NULL,NULL);
INSERT INTO "events" VALUES(4,2,0,'interaction',1767272400000000,'AI-1',1,1767272400000000,NULL,NULL,2,X'667D2899044F8FB061AC4783F88D7FAF5429B33B6D170FAFB0E15A357C496912',NULL);
CREATE TABLE head (
	id INTEGER NOT NULL CHECK (id = 1),
	position INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL,
	policy_version INTEGER DEFAULT '1' NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "head" VALUES(1,4,1767272400000000,1);
CREATE TABLE job_runs (
	job TEXT NOT NULL,
	day TEXT NOT NULL,
	ran_at INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	PRIMARY KEY (job, day)
)
 WITHOUT ROWID

;
CREATE TABLE ledger (
	id INTEGER NOT NULL CHECK (id = 1),
	schema_version INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	digest_key BLOB NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "ledger" VALUES(1,4,X'89C3B9BF672E49F69BBB0C04E67AE703',X'1AC5ED568224C5BE6B5A295FB2C97B5F40F0A94AC8B829AC30014E8229FC0EB1');
CREATE TABLE opt_outs (
	user_digest BLOB NOT NULL,
	before_at INTEGER NOT NULL,
	erased_at INTEGER,
	traces SMALLINT NOT NULL,
	PRIMARY KEY (user_digest)
)
 WITHOUT ROWID

;
INSERT INTO "opt_outs" VALUES(X'2E8E1D120043F292A38C58DD28C983D9',253402300799999999,NULL,0);
CREATE TABLE origins (
	position INTEGER NOT NULL,
	salt BLOB NOT NULL,
	context TEXT,
	metadata BLOB,
	source TEXT,
	PRIMARY KEY (position)
);
INSERT INTO "origins" VALUES(1,X'A1080A1A67164B63065F49BC9DE0D7AD','what of AI-1?',X'7B226C616E67223A22656E227D','4711 1');
INSERT INTO "origins" VALUES(2,X'455F44DB2AFD84C36DB9BA8DD694A1C7',NULL,NULL,'-100 7');
INSERT INTO "origins" VALUES(4,X'C1AE850E96837CA35DAED5979B26EEB0','AI-1 again',NULL,'-100 8');
CREATE TABLE places (
	id INTEGER NOT NULL,
	place BLOB NOT NULL,
	chat_id TEXT,
	PRIMARY KEY (id),
	UNIQUE (place),
	UNIQUE (chat_id)
);
INSERT INTO "places" VALUES(1,X'FAA3DF932E9B45B7A3E2B6CC82485B2A','4711');
INSERT INTO "places" VALUES(2,X'CB85A16F3E6945D988EB28A9176E1E5A','-1001');
CREATE TABLE replays (
	name TEXT NOT NULL,
	position INTEGER NOT NULL,
	policy_version INTEGER NOT NULL,
	identical SMALLINT,
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
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
	PRIMARY KEY (first_position, last_position)
);
CREATE TABLE snapshots (
	stream INTEGER NOT NULL,
	version INTEGER NOT NULL,
	topic TEXT NOT NULL,
	state BLOB NOT NULL,
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
INSERT INTO "sources" VALUES(X'000000004EFADA14EF1554C0E93BA777',4);
INSERT INTO "sources" VALUES(X'00000000C2401E33C9FD3430A58990E8',1);
INSERT INTO "sources" VALUES(X'00000000E42552EA68FE1308AB364D4B',2);
CREATE TABLE streams (
	id INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (originator_id)
);
INSERT INTO "streams" VALUES(1,X'8E8CB3EF1B3143CAAE71AE48B56C07FC',2);
INSERT INTO "streams" VALUES(2,X'53E52B32CBE4432B8F1CC65E1A7F8B79',0);
CREATE TABLE tracking (
	application_name TEXT NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (application_name)
);
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never updated'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
        WHEN OLD.issue_id IS NULL OR OLD.position > COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never deleted'); END;
CREATE TRIGGER events_are_appended_once BEFORE INSERT ON events
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR NEW.position <= COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0)
        OR NEW.version <= (SELECT version FROM streams WHERE id = NEW.stream)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are appended once'); END;
CREATE TRIGGER head_never_goes_back BEFORE UPDATE ON head
        WHEN NEW.position < OLD.position OR NEW.recorded_at < OLD.recorded_at
        OR NEW.policy_version < OLD.policy_version BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head never goes back'); END;
CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never deleted'); END;
CREATE TRIGGER head_is_never_replaced BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never replaced'); END;
CREATE TRIGGER versions_never_go_back BEFORE UPDATE ON streams WHEN NEW.version < OLD.version BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: versions never go back'); END;
CREATE TRIGGER streams_never_change_hands BEFORE UPDATE OF id, originator_id ON streams  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams never change hands'); END;
CREATE TRIGGER streams_are_never_deleted BEFORE DELETE ON streams  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams are never deleted'); END;
CREATE TRIGGER streams_are_never_replaced BEFORE INSERT ON streams
        WHEN EXISTS (SELECT 1 FROM streams
                     WHERE id = NEW.id OR originator_id = NEW.originator_id) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: streams are never replaced'); END;
CREATE TRIGGER the_identity_never_changes BEFORE UPDATE OF id, originator_id, digest_key ON ledger  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity never changes'); END;
CREATE TRIGGER the_identity_is_never_deleted BEFORE DELETE ON ledger  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity is never deleted'); END;
CREATE TRIGGER the_identity_is_never_replaced BEFORE INSERT ON ledger WHEN EXISTS (SELECT 1 FROM ledger) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: the identity is never replaced'); END;
CREATE TRIGGER barriers_never_go_back BEFORE UPDATE ON opt_outs
        WHEN NEW.user_digest IS NOT OLD.user_digest
        OR (OLD.erased_at IS NOT NULL
            AND (NEW.erased_at IS NULL OR NEW.erased_at < OLD.erased_at))
        OR NEW.before_at < NEW.erased_at BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers never go back'); END;
CREATE TRIGGER barriers_are_never_deleted BEFORE DELETE ON opt_outs  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers are never deleted'); END;
CREATE TRIGGER barriers_are_never_replaced BEFORE INSERT ON opt_outs
        WHEN EXISTS (SELECT 1 FROM opt_outs WHERE user_digest = NEW.user_digest) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: barriers are never replaced'); END;
CREATE TRIGGER segments_are_never_updated BEFORE UPDATE ON segments  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: segments are never updated'); END;
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
CREATE INDEX engagements_by_issue ON engagements (issue_id);
CREATE INDEX engagements_by_score ON engagements (stream, score);
CREATE INDEX engagements_by_last_interaction ON engagements (last_at);
CREATE INDEX engagements_by_rank ON engagements (stream, band, active_at DESC, issue_id);
CREATE UNIQUE INDEX engagements_by_issue_of_user ON engagements (stream, issue_id);
CREATE VIEW issue_engagements AS
    SELECT e.id, a.user_id, e.issue_id, COALESCE(e.linear_id, e.issue_id) AS linear_id,
           CASE e.last_kind WHEN 1 THEN 'mention' WHEN 2 THEN 'view' WHEN 3 THEN 'query' END AS interaction_type,
           e.mentions + e.views + e.queries AS interaction_count,
           e.score AS engagement_score,
           e.last_at AS last_interaction, e.first_at AS first_interaction,
           o.context, CAST(o.metadata AS TEXT) AS extra_metadata,
           e.scored_at, e.policy_version
    FROM engagements e
    JOIN accounts a ON a.stream = e.stream
    LEFT JOIN origins o ON o.position = e.last_position;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',4);
COMMIT;
