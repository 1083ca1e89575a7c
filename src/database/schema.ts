// The schema of a local database as text, the same as localdb/schema/0001-conditions.sql (a test compares them): packaged code needs no file.

/** 'CALB', in the header of every image. */
export const APPLICATION_ID = 0x43414c42;
/** Images with a larger user_version are refused. */
export const SCHEMA_VERSION = 1;

export const CONDITIONS_SCHEMA = `-- caf local database, schema 1: one write-once SQLite image per database version (per iteration). Numbered, never edited after release.
PRAGMA application_id = 0x43414C42;            -- 'CALB'
PRAGMA user_version   = 1;                     -- schema version; reader refuses a larger one
CREATE TABLE meta(
  key   TEXT NOT NULL PRIMARY KEY,             -- format, state, created_at, version_id, content_id, view_id, hash_algo, sealed
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE parent(                           -- Merkle parents, in chain order (0 = highest priority)
  ord        INTEGER PRIMARY KEY,
  role       TEXT NOT NULL CHECK(role IN ('previous','dependency','user','global','merge','base')),
  version_id TEXT NOT NULL CHECK(length(version_id)=64),
  locator    TEXT                              -- path/URL hint, never trusted: version_id is checked
) STRICT;
CREATE TABLE txn(                              -- who/what produced which entries
  tx          INTEGER PRIMARY KEY,
  at          TEXT NOT NULL,                   -- RFC 3339 UTC
  actor       TEXT NOT NULL,                   -- user@host
  calibration TEXT, algorithm TEXT, iteration INTEGER, attempt INTEGER,
  collector_job TEXT, inputs_digest TEXT, code_digest TEXT, config_digest TEXT,
  message     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE name(
  name_id INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE CHECK(length(name) BETWEEN 1 AND 200 AND name NOT GLOB '*[^-A-Za-z0-9_.+:]*' AND name NOT GLOB '.*')
) STRICT;
CREATE TABLE payload(
  payload_id INTEGER PRIMARY KEY,
  name_id    INTEGER NOT NULL REFERENCES name,
  sha256     BLOB NOT NULL CHECK(length(sha256)=32),
  md5        BLOB NOT NULL CHECK(length(md5)=16),      -- only for Belle II file names / uploads
  size       INTEGER NOT NULL CHECK(size>=0),
  rev        TEXT NOT NULL,                            -- md5 prefix, 6..32 hex, unique per name in this database
  media_type TEXT NOT NULL DEFAULT 'application/octet-stream',
  kind       TEXT NOT NULL DEFAULT 'blob' CHECK(kind IN ('blob','intrarun')),
  UNIQUE(name_id, sha256), UNIQUE(name_id, rev)
) STRICT;
CREATE TABLE part(                             -- intra-run payloads: n parts, n-1 boundaries
  payload_id  INTEGER NOT NULL REFERENCES payload,
  ord         INTEGER NOT NULL,
  first_event INTEGER NOT NULL CHECK(first_event>=0),  -- 0 for ord 0
  sha256      BLOB NOT NULL CHECK(length(sha256)=32),
  PRIMARY KEY(payload_id, ord)
) STRICT, WITHOUT ROWID;
CREATE TABLE iov(                              -- raw entries in insertion order: the truth, exported line by line
  seq        INTEGER PRIMARY KEY,              -- larger wins
  payload_id INTEGER NOT NULL REFERENCES payload,
  name_id    INTEGER NOT NULL REFERENCES name,
  lo         INTEGER NOT NULL,                 -- exp*2^32 + run
  hi         INTEGER NOT NULL,                 -- inclusive; run open = ...+(2^32-1); forever = 2^53-1
  tx         INTEGER NOT NULL REFERENCES txn,
  CHECK(lo >= 0 AND lo <= hi AND hi <= 9007199254740991 AND (lo & 4294967295) <> 4294967295)
) STRICT;
CREATE INDEX iov_by_name ON iov(name_id, seq);
CREATE TABLE seg(                              -- resolved, disjoint, coalesced: written once at seal; all lookups use it
  name_id    INTEGER NOT NULL,
  lo         INTEGER NOT NULL,
  hi         INTEGER NOT NULL,
  payload_id INTEGER NOT NULL,
  seq        INTEGER NOT NULL,                 -- winning entry of the first part
  PRIMARY KEY(name_id, lo)
) STRICT, WITHOUT ROWID;
CREATE VIEW iov_text AS
  SELECT i.seq, n.name, p.rev, lower(hex(p.sha256)) sha256, p.size,
    i.lo>>32 first_exp, i.lo & 4294967295 first_run,
    CASE WHEN i.hi=9007199254740991 THEN -1 ELSE i.hi>>32 END final_exp,
    CASE WHEN i.hi=9007199254740991 OR (i.hi & 4294967295)=4294967295 THEN -1 ELSE i.hi & 4294967295 END final_run,
    i.tx FROM iov i JOIN payload p USING(payload_id) JOIN name n ON n.name_id=i.name_id ORDER BY i.seq;
CREATE TRIGGER sealed_iov_i  BEFORE INSERT ON iov     WHEN (SELECT value FROM meta WHERE key='sealed')='1' BEGIN SELECT RAISE(ABORT,'E_SEALED'); END;
CREATE TRIGGER sealed_iov_u  BEFORE UPDATE ON iov     BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_iov_d  BEFORE DELETE ON iov     BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_pl_i   BEFORE INSERT ON payload WHEN (SELECT value FROM meta WHERE key='sealed')='1' BEGIN SELECT RAISE(ABORT,'E_SEALED'); END;
CREATE TRIGGER sealed_pl_u   BEFORE UPDATE ON payload BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_meta_u BEFORE UPDATE ON meta    WHEN old.key='sealed' AND old.value='1' BEGIN SELECT RAISE(ABORT,'E_SEALED'); END;
CREATE TRIGGER sealed_pl_d   BEFORE DELETE ON payload BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_seg_i  BEFORE INSERT ON seg     WHEN (SELECT value FROM meta WHERE key='sealed')='1' BEGIN SELECT RAISE(ABORT,'E_SEALED'); END;
CREATE TRIGGER sealed_seg_u  BEFORE UPDATE ON seg     BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_seg_d  BEFORE DELETE ON seg     BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_txn_u  BEFORE UPDATE ON txn     BEGIN SELECT RAISE(ABORT,'E_IMMUTABLE'); END;
CREATE TRIGGER sealed_meta_d BEFORE DELETE ON meta    WHEN old.key='sealed' AND old.value='1' BEGIN SELECT RAISE(ABORT,'E_SEALED'); END;
`;
