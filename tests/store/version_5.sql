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
INSERT INTO "events" VALUES(1,1,0,'interaction',1767268800000000,'AI-1',3,1767268800000000,NULL,NULL,1,X'64504D091CCE1EAC1861A3BE346280B03B4202D528FC0DEC0911CFA8FCF584B1',NULL,-471105147);
INSERT INTO "events" VALUES(2,1,1,'interaction',1767268800000000,'AI-2',2,1767268800000000,'lin-2',NULL,2,X'A62580A602A670803E856E39E44D8923A8353B66B8AE09BBFFC1C07252946D46',NULL,-2099986963);
INSERT INTO "events" VALUES(3,1,2,'override',1767272400000000,'AI-1',NULL,1767272400000000,NULL,0.8,NULL,NULL,NULL,276612190);
INSERT INTO "events" VALUES(4,2,0,'interaction',1767272400000000,'AI-1',1,1767272400000000,NULL,NULL,2,X'BCB97EE35F2E5C6CCDA79B6221C1AEEEE6EDF8C6800B14C01463A3292ACA1654',NULL,741384216);
CREATE TABLE head (
	id INTEGER NOT NULL CHECK (id = 1),
	position INTEGER NOT NULL,
	recorded_at INTEGER NOT NULL,
	policy_version INTEGER DEFAULT '1' NOT NULL,
	sources_sum INTEGER,
	checksum INTEGER,
	PRIMARY KEY (id)
);
INSERT INTO "head" VALUES(1,4,1767272400000000,1,4167133461,-803054963);
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
INSERT INTO "ledger" VALUES(1,5,X'04965D7230EA40A4B119EE8C4DD10C2D',X'01FE7448D16B676564868C3990245910D17756174522F8ACA72C3AFF6C216F6A',-206070101);
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
INSERT INTO "opt_outs" VALUES(X'80DFB014C71EC766ACC85CE5355C1F3A',253402300799999999,NULL,0,1677510171);
CREATE TABLE origins (
	position INTEGER NOT NULL,
	salt BLOB NOT NULL,
	context TEXT,
	metadata BLOB,
	source TEXT,
	PRIMARY KEY (position)
);
INSERT INTO "origins" VALUES(1,X'A6106E72588646B8B4623A70AA4AE8D8','what of AI-1?',X'7B226C616E67223A22656E227D','4711 1');
INSERT INTO "origins" VALUES(2,X'5EA0B23211B13E8746F3B5949D269F64',NULL,NULL,'-100 7');
INSERT INTO "origins" VALUES(4,X'1B728743336022B95A563EC462F00F9A','AI-1 again',NULL,'-100 8');
CREATE TABLE places (
	id INTEGER NOT NULL,
	place BLOB NOT NULL,
	chat_id TEXT,
	checksum INTEGER,
	PRIMARY KEY (id),
	UNIQUE (place),
	UNIQUE (chat_id)
);
INSERT INTO "places" VALUES(1,X'6B93141B232843719B0BF20E5D339DE4','4711',-827321700);
INSERT INTO "places" VALUES(2,X'00221B51FABC441FB658F71592A214AA','-1001',-1293781281);
CREATE TABLE replays (
	name TEXT NOT NULL,
	position INTEGER NOT NULL,
	policy_version INTEGER NOT NULL,
	identical SMALLINT,
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
CREATE TABLE retired (
	first_position INTEGER NOT NULL,
	last_position INTEGER NOT NULL,
	retired_at INTEGER NOT NULL,
	size_bytes INTEGER NOT NULL,
	blocks BLOB NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (first_position, last_position)
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
INSERT INTO "sources" VALUES(X'000000002D3D9C4B5FF02962452B7AA3',2);
INSERT INTO "sources" VALUES(X'000000006A89604D8BA2D1DA27B31E8B',4);
INSERT INTO "sources" VALUES(X'00000000F704F4590891C4769041C261',1);
CREATE TABLE streams (
	id INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	version INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (id),
	UNIQUE (originator_id)
);
INSERT INTO "streams" VALUES(1,X'A579DDD7616A441D99F371D0109184BE',2,1077612245);
INSERT INTO "streams" VALUES(2,X'7CE7B070126C41DF8C387DFF60DB8496',0,-621146405);
CREATE TABLE tracking (
	application_name TEXT NOT NULL,
	position INTEGER NOT NULL,
	checksum INTEGER,
	PRIMARY KEY (application_name)
);
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
CREATE UNIQUE INDEX engagements_by_issue_of_user ON engagements (stream, issue_id);
CREATE INDEX engagements_by_issue ON engagements (issue_id);
CREATE INDEX engagements_by_last_interaction ON engagements (strftime('%Y-%m-%d %H:%M:%S', last_at / 1000000, 'unixepoch') || printf('.%06d', last_at % 1000000));
CREATE INDEX engagements_by_score ON engagements (stream, score);
CREATE INDEX engagements_by_rank ON engagements (stream, band, active_at DESC, issue_id);
CREATE VIEW issue_engagements AS
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
    LEFT JOIN origins o ON o.position = e.last_position;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',4);
COMMIT;
