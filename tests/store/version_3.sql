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
	stream INTEGER NOT NULL, 
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
INSERT INTO "events" VALUES(1,1,0,'interaction',1767268800000000,'AI-1',3,1767268800000000,NULL,NULL,1,X'919BA67FD8D4D4F2D856915828EC7DB0389E1483E38592DFFFA344D2AB992001',NULL);
INSERT INTO "events" VALUES(2,1,1,'interaction',1767268800000000,'AI-2',2,1767268800000000,'lin-2',NULL,2,X'00649DA9F5167C4071F507D6D4E8238F897864AE44A4977F9DFBB042D16B736D',NULL);
INSERT INTO "events" VALUES(3,1,2,'override',1767272400000000,'AI-1',NULL,1767272400000000,NULL,0.8,NULL,NULL,NULL);
INSERT INTO "events" VALUES(4,2,0,'interaction',1767272400000000,'AI-1',1,1767272400000000,NULL,NULL,2,X'F31CBAAD7958D9F0C8346971B438F4388CC5ADDB1465DD175C5979A38CD54F8E',NULL);
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
INSERT INTO "ledger" VALUES(1,3,X'59233FECF8C141F8A08D2CD52D33B88C',X'25A0C057246AEB808D1CD24E3EB483219A71A577E228A61E790EC2A4C5BCF058');
CREATE TABLE opt_outs (
	user_digest BLOB NOT NULL, 
	before_at INTEGER NOT NULL, 
	erased_at INTEGER, 
	traces SMALLINT NOT NULL, 
	PRIMARY KEY (user_digest)
)
 WITHOUT ROWID

;
INSERT INTO "opt_outs" VALUES(X'087E20F27DBBC516C6C85E97BADAB210',253402300799999999,NULL,0);
CREATE TABLE origins (
	position INTEGER NOT NULL,
	salt BLOB NOT NULL,
	context TEXT,
	metadata BLOB,
	source TEXT,
	PRIMARY KEY (position)
);
INSERT INTO "origins" VALUES(1,X'EDFF12B51EE1331FCCA5C475A2083D30','what of AI-1?',X'7B226C616E67223A22656E227D','4711 1');
INSERT INTO "origins" VALUES(2,X'31BA56D306C869D8B0AEAF1169ECE5F0',NULL,NULL,'-100 7');
INSERT INTO "origins" VALUES(4,X'28056757D9BC51FA6257F1AFECE8163B','AI-1 again',NULL,'-100 8');
CREATE TABLE places (
	id INTEGER NOT NULL,
	place BLOB NOT NULL,
	chat_id TEXT,
	PRIMARY KEY (id),
	UNIQUE (place),
	UNIQUE (chat_id)
);
INSERT INTO "places" VALUES(1,X'8BFB87521CBC438B9245C179020DD8F6','4711');
INSERT INTO "places" VALUES(2,X'C8F1F8980BB847E6A76FC7CD856FFA53','-1001');
CREATE TABLE replays (
	name TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	policy_version INTEGER NOT NULL, 
	identical SMALLINT, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
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
INSERT INTO "sources" VALUES(X'000000002EF793AA97E486E338CB872C',2);
INSERT INTO "sources" VALUES(X'00000000C2C650137DA0AA953C5719EF',4);
INSERT INTO "sources" VALUES(X'00000000E6480CB5E56FA5BC675E3D23',1);
CREATE TABLE streams (
	id INTEGER NOT NULL,
	originator_id BLOB NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (originator_id)
);
INSERT INTO "streams" VALUES(1,X'0095D3F7AD44490380186BEA87BFF777',2);
INSERT INTO "streams" VALUES(2,X'10E778F053A44E158B6216803C00D7B6',0);
CREATE TABLE tracking (
	application_name TEXT NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (application_name)
);
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never updated'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are never deleted'); END;
CREATE TRIGGER events_are_appended_once BEFORE INSERT ON events
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: events are appended once'); END;
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
CREATE TRIGGER head_never_goes_back BEFORE UPDATE ON head 
        WHEN NEW.position < OLD.position OR NEW.recorded_at < OLD.recorded_at
        OR NEW.policy_version < OLD.policy_version BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head never goes back'); END;
CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head  BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never deleted'); END;
CREATE TRIGGER head_is_never_replaced BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head) BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: head is never replaced'); END;
CREATE INDEX engagements_by_issue ON engagements (issue_id);
CREATE INDEX engagements_by_last_interaction ON engagements (last_at);
CREATE INDEX engagements_by_score ON engagements (stream, score);
CREATE UNIQUE INDEX engagements_by_issue_of_user ON engagements (stream, issue_id);
CREATE INDEX engagements_by_rank ON engagements (stream, band, active_at DESC, issue_id);
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
