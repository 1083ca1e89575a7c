-- caf.db: the journal of one results directory. One writer; every row precedes the effect it announces.
-- Order is given by numbers (position, iteration, attempt, seq), never by times: a clock may jump.
-- Times are RFC 3339 UTC and for people only. JSON columns hold what only caf reads as a whole.
PRAGMA application_id = 0x43414A4E;            -- 'CAJN'
PRAGMA user_version   = 1;                     -- schema version; a reader refuses a larger one

CREATE TABLE owner(                            -- the lease of the one writer; no row = the last writer closed the journal in order
  id          INTEGER PRIMARY KEY CHECK(id = 1),
  token       TEXT NOT NULL,                   -- checked by every commit: who lost it cannot write any more
  host        TEXT NOT NULL,
  boot_id     TEXT NOT NULL,                   -- empty where the system has none
  pid         INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,                -- start of the process in clock ticks since boot: pids are reused, pid and start are not
  beat        INTEGER NOT NULL,                -- counts up while the owner is alive
  beat_at     TEXT NOT NULL,
  command     TEXT NOT NULL,
  acquired_at TEXT NOT NULL,
  invocation  INTEGER                          -- the one it records; null for commands that record none (caf reset)
) STRICT;

CREATE TABLE invocations(                      -- each start of caf run on this directory
  invocation INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  ended_at   TEXT,
  outcome    TEXT CHECK(outcome IN ('completed','failed','interrupted')),  -- null: still running, or killed
  argv       TEXT NOT NULL,                    -- JSON array
  version    TEXT NOT NULL,                    -- of caf
  config     TEXT NOT NULL,
  actor      TEXT NOT NULL                     -- user@host
) STRICT;

CREATE TABLE calibrations(
  calibration  TEXT NOT NULL PRIMARY KEY,
  position     INTEGER NOT NULL,               -- in the order of the plan
  state        TEXT NOT NULL,
  checkpoint   TEXT NOT NULL,
  iteration    INTEGER NOT NULL CHECK(iteration >= 0),
  converged    INTEGER CHECK(converged IN (0, 1)),
  fingerprint  TEXT NOT NULL,                  -- JSON: digests of all inputs
  reason       TEXT NOT NULL,                  -- why it was done (again), or kept
  error        TEXT,                           -- JSON: code, message, hint
  started_at   TEXT,
  completed_at TEXT,                           -- completed or failed
  version_id   TEXT,                           -- of the result; set exactly when it is completed
  content_id   TEXT,
  view_id      TEXT,
  payloads     INTEGER,
  planned_in   INTEGER NOT NULL                -- invocation whose plan it was last part of
) STRICT;

CREATE TABLE iterations(
  calibration  TEXT NOT NULL,
  iteration    INTEGER NOT NULL CHECK(iteration >= 0),
  chain_digest TEXT NOT NULL,                  -- of the chain.lock.json its jobs read
  jobs         TEXT NOT NULL,                  -- JSON: collection -> number of jobs. A job that never started has no row
  outcome      TEXT CHECK(outcome IN ('ok','iterate','failed')),  -- null: not committed yet
  version_id   TEXT,
  content_id   TEXT,
  view_id      TEXT,
  started_at   TEXT NOT NULL,
  ended_at     TEXT,
  PRIMARY KEY(calibration, iteration)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs(                             -- jobs that were started at least once
  calibration   TEXT NOT NULL,
  iteration     INTEGER NOT NULL,
  collection    TEXT NOT NULL,
  job           INTEGER NOT NULL CHECK(job >= 0),
  state         TEXT NOT NULL CHECK(state IN ('started','succeeded','failed','cancelled')),
  attempt       INTEGER NOT NULL,              -- the newest; of a finished job the one that counts
  first_attempt INTEGER NOT NULL,              -- since it was last given up: retries are counted from here
  inputs        TEXT NOT NULL,                 -- digest of its input files and arguments
  cause         TEXT,
  detail        TEXT,
  warnings      TEXT,                          -- JSON array; null = none
  finished_in   INTEGER,                       -- invocation
  PRIMARY KEY(calibration, iteration, collection, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts(
  calibration   TEXT NOT NULL,
  iteration     INTEGER NOT NULL,
  collection    TEXT NOT NULL,
  job           INTEGER NOT NULL,
  attempt       INTEGER NOT NULL,
  token         TEXT NOT NULL,
  directory     TEXT NOT NULL,                 -- relative to the results directory
  resources     TEXT NOT NULL,                 -- JSON
  handle        TEXT,                          -- JSON: host, bootId, pid, startTicks, or engine, id; null = not known to have been started
  started_at    TEXT NOT NULL,
  ended_at      TEXT,
  outcome       TEXT CHECK(outcome IN ('succeeded','failed','cancelled')),
  cause         TEXT,
  detail        TEXT,
  seconds       REAL,
  max_rss_bytes INTEGER,
  PRIMARY KEY(calibration, iteration, collection, job, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE algorithms(
  seq         INTEGER PRIMARY KEY,             -- order in which they were first started
  calibration TEXT NOT NULL,
  iteration   INTEGER NOT NULL,
  algorithm   TEXT NOT NULL,
  runs        TEXT,                            -- JSON: the selected data runs, where known at the start
  final_state TEXT CHECK(final_state IN ('completed','failed')),  -- null: not finished
  gaps        TEXT,                            -- JSON; null = its strategy tells none
  error       TEXT,                            -- JSON
  started_at  TEXT NOT NULL,
  ended_at    TEXT,
  UNIQUE(calibration, iteration, algorithm)
) STRICT;

CREATE TABLE executions(
  calibration TEXT NOT NULL,
  iteration   INTEGER NOT NULL,
  algorithm   TEXT NOT NULL,
  seq         INTEGER NOT NULL,                -- order in which the strategy asked
  runs        TEXT NOT NULL,                   -- JSON
  iov         TEXT NOT NULL,                   -- JSON
  result      TEXT NOT NULL CHECK(result IN ('ok','iterate','not-enough-data','failure')),
  seconds     REAL NOT NULL,
  payloads    TEXT NOT NULL,                   -- JSON: what it queued
  metadata    TEXT NOT NULL,                   -- JSON
  error       TEXT,
  PRIMARY KEY(calibration, iteration, algorithm, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE results(                          -- what the strategy reported: ok and iterate commit the payloads of their execution
  calibration TEXT NOT NULL,
  iteration   INTEGER NOT NULL,
  algorithm   TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  execution   INTEGER NOT NULL,
  iov         TEXT NOT NULL,                   -- JSON
  result      TEXT NOT NULL CHECK(result IN ('ok','iterate','not-enough-data','failure')),
  PRIMARY KEY(calibration, iteration, algorithm, seq)
) STRICT, WITHOUT ROWID;

-- Registry of databases and payloads: an index that can be rebuilt by scanning the directories.
CREATE TABLE version(
  version_id  TEXT NOT NULL PRIMARY KEY,
  content_id  TEXT NOT NULL,
  view_id     TEXT NOT NULL,
  dir         TEXT NOT NULL,
  state       TEXT NOT NULL,
  calibration TEXT,
  iteration   INTEGER,
  created_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE ref(
  name       TEXT NOT NULL PRIMARY KEY,
  kind       TEXT NOT NULL,
  version_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE reflog(
  seq    INTEGER PRIMARY KEY,
  ref    TEXT NOT NULL,
  kind   TEXT NOT NULL,
  old    TEXT,
  new    TEXT,
  at     TEXT NOT NULL,
  actor  TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT ''
) STRICT;
