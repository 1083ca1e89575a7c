// What each kind of journal entry changes in the rows. No transactions here: the journal opens and commits them.
import type { AttemptOutcome, JobKey } from '../domain/job.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { unreachable } from '../domain/result.ts';
import { lazyStatements, type Sqlite, type Statement } from './journal-open.ts';
import type { RegistryWriter } from './registry-writer.ts';
import type { VersionRecord } from './scan.ts';

export interface JournalWriter {
  /** `at`: RFC 3339, UTC. Throws a plain Error for an entry about something that was never begun: losing it silently would be worse. */
  apply(entry: JournalEntry, at: string): void;
}

type Entry<K extends JournalEntry['kind']> = Extract<JournalEntry, { readonly kind: K }>;

const json = (value: unknown): string => JSON.stringify(value);
const jsonOrNull = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value));
const roundOrNull = (value: number | null | undefined): number | null => (value === null || value === undefined ? null : Math.round(value));
const causeOf = (outcome: AttemptOutcome): string | null => (outcome.state === 'failed' ? outcome.cause : null);
const detailOf = (outcome: AttemptOutcome): string | null => (outcome.state === 'succeeded' ? null : outcome.detail);

const OF_JOB = 'calibration = ? AND iteration = ? AND collection = ? AND job = ?';
const OF_ALGORITHM = 'calibration = ? AND iteration = ? AND algorithm = ?';

const TABLES_OF_ALGORITHMS = ['algorithms', 'executions', 'results'] as const;
const TABLES_OF_ITERATIONS = ['iterations', 'jobs', 'attempts', ...TABLES_OF_ALGORITHMS] as const;

export function createJournalWriter(db: Sqlite, invocation: number, registry: RegistryWriter): JournalWriter {
  const lazily = lazyStatements(db);

  const startInvocation = lazily('INSERT INTO invocations(invocation, started_at, argv, version, config, actor) VALUES (?, ?, ?, ?, ?, ?)');
  const endInvocation = lazily('UPDATE invocations SET outcome = ?, ended_at = ? WHERE invocation = ?');

  const progressOf = lazily('SELECT checkpoint, iteration FROM calibrations WHERE calibration = ?');
  const plan = lazily(
    `INSERT INTO calibrations(calibration, position, state, checkpoint, iteration, fingerprint, reason, planned_in) VALUES (?, ?, 'init', 'init', 0, ?, ?, ?)
     ON CONFLICT DO UPDATE SET position = excluded.position, fingerprint = excluded.fingerprint, reason = excluded.reason, planned_in = excluded.planned_in`,
  );
  const restart = lazily(
    `UPDATE calibrations SET state = ?, checkpoint = ?, iteration = ?, converged = NULL, error = NULL, started_at = NULL, completed_at = NULL,
       version_id = NULL, content_id = NULL, view_id = NULL, payloads = NULL WHERE calibration = ?`,
  );
  // An error that is not mentioned stays with the states that have one, and goes with the first that has none.
  const setState = lazily(
    `UPDATE calibrations SET state = @state, iteration = @iteration, checkpoint = coalesce(@checkpoint, checkpoint),
       converged = iif(@setConverged, @converged, converged), error = iif(@setError, @error, iif(@isFailure, error, NULL)),
       started_at = iif(@isBegun, coalesce(started_at, @at), started_at), completed_at = iif(@isEnd, @at, NULL) WHERE calibration = @calibration`,
  );
  const complete = lazily(
    `UPDATE calibrations SET state = 'completed', checkpoint = 'completed', iteration = ?, converged = ?, error = NULL, version_id = ?, content_id = ?,
       view_id = ?, payloads = ?, completed_at = ? WHERE calibration = ?`,
  );

  const startIteration = lazily(
    `INSERT INTO iterations(calibration, iteration, chain_digest, jobs, started_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET chain_digest = excluded.chain_digest, jobs = excluded.jobs, outcome = NULL,
       version_id = NULL, content_id = NULL, view_id = NULL, ended_at = NULL`,
  );
  const commitIteration = lazily(
    'UPDATE iterations SET outcome = ?, version_id = ?, content_id = ?, view_id = ?, ended_at = ? WHERE calibration = ? AND iteration = ?',
  );
  const versionOfIteration = lazily('SELECT version_id FROM iterations WHERE calibration = ? AND iteration = ?');
  const actorOfInvocation = lazily('SELECT actor FROM invocations WHERE invocation = ?');
  const reopenFirstIteration = lazily(
    `UPDATE iterations SET outcome = NULL, version_id = NULL, content_id = NULL, view_id = NULL, ended_at = NULL
     WHERE calibration = ? AND iteration = 0`,
  );

  const startAttempt = lazily(
    `INSERT INTO attempts(calibration, iteration, collection, job, attempt, token, directory, resources, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  // A job that was given up and begins again counts its retries from here.
  const startJob = lazily(
    `INSERT INTO jobs(calibration, iteration, collection, job, state, attempt, first_attempt, inputs) VALUES (?, ?, ?, ?, 'started', ?, ?, ?)
     ON CONFLICT DO UPDATE SET first_attempt = iif(state = 'started', first_attempt, excluded.first_attempt), state = 'started',
       attempt = excluded.attempt, inputs = excluded.inputs, cause = NULL, detail = NULL, warnings = NULL, finished_in = NULL`,
  );
  const spawnAttempt = lazily(`UPDATE attempts SET handle = ? WHERE ${OF_JOB} AND attempt = ?`);
  const finishAttempt = lazily(
    `UPDATE attempts SET outcome = ?, cause = ?, detail = ?, seconds = ?, max_rss_bytes = ?, ended_at = ? WHERE ${OF_JOB} AND attempt = ?`,
  );
  const warnOfJob = lazily(`UPDATE jobs SET warnings = ? WHERE ${OF_JOB}`);
  const finishJob = lazily(`UPDATE jobs SET state = ?, attempt = ?, cause = ?, detail = ?, finished_in = ? WHERE ${OF_JOB}`);

  const finalStateOf = lazily(`SELECT final_state FROM algorithms WHERE ${OF_ALGORITHM}`);
  const startAlgorithm = lazily('INSERT INTO algorithms(calibration, iteration, algorithm, runs, started_at) VALUES (?, ?, ?, ?, ?)');
  const restartAlgorithm = lazily(
    `UPDATE algorithms SET final_state = NULL, gaps = NULL, error = NULL, ended_at = NULL, started_at = ?, runs = coalesce(?, runs) WHERE ${OF_ALGORITHM}`,
  );
  const dropReports = lazily(`DELETE FROM results WHERE ${OF_ALGORITHM}`);
  const dropFailedExecutions = lazily(
    `DELETE FROM executions WHERE ${OF_ALGORITHM} AND seq >= (SELECT min(seq) FROM executions WHERE ${OF_ALGORITHM} AND result = 'failure')`,
  );
  const finishExecution = lazily(
    `INSERT OR REPLACE INTO executions(calibration, iteration, algorithm, seq, runs, iov, result, seconds, payloads, metadata, error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const reportResult = lazily(
    'INSERT OR REPLACE INTO results(calibration, iteration, algorithm, seq, execution, iov, result) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const finishAlgorithm = lazily(`UPDATE algorithms SET final_state = ?, gaps = ?, error = ?, ended_at = ? WHERE ${OF_ALGORITHM}`);

  /** For updates that must find their row. */
  const expectRow = ({ changes }: { readonly changes: number }, entry: JournalEntry): void => {
    if (changes === 0) throw new Error(`journal: ${entry.kind} of something that was never begun: ${json(entry)}`);
  };

  const dropFrom = (tables: readonly string[], calibration: string, iteration: number): void => {
    for (const table of tables) db.prepare(`DELETE FROM ${table} WHERE calibration = ? AND iteration >= ?`).run(calibration, iteration);
  };

  const planCalibration = (entry: Entry<'calibration.planned'>): void => {
    const { calibration } = entry;
    const known = progressOf().get(calibration) as { readonly checkpoint: string; readonly iteration: number } | undefined;
    plan().run(calibration, entry.position, json(entry.fingerprint), entry.reason, invocation);
    switch (entry.redo) {
      case 'nothing':
        return;
      case 'all':
        dropFrom(TABLES_OF_ITERATIONS, calibration, 0);
        restart().run('init', 'init', 0, calibration);
        return;
      case 'algorithms': {
        dropFrom(TABLES_OF_ITERATIONS, calibration, 1);
        dropFrom(TABLES_OF_ALGORITHMS, calibration, 0);
        reopenFirstIteration().run(calibration);
        // Past iteration 0 means that its collectors are complete, whatever the checkpoint of the later iteration says.
        const isCollected = known !== undefined && (known.iteration > 0 || known.checkpoint !== 'init');
        const state = isCollected ? 'collector_completed' : 'init';
        restart().run(state, state, 0, calibration);
        return;
      }
      default:
        unreachable(entry.redo);
    }
  };

  const changeState = (entry: Entry<'calibration.state'>, at: string): void => {
    const { calibration, state, iteration, converged, error } = entry;
    const values = {
      calibration,
      state,
      iteration,
      checkpoint: entry.checkpoint ?? null,
      setConverged: Number(converged !== undefined),
      converged: converged === undefined || converged === null ? null : Number(converged),
      setError: Number(error !== undefined),
      error: jsonOrNull(error),
      isFailure: Number(['collector_failed', 'algorithms_failed', 'failed', 'blocked'].includes(state)),
      isBegun: Number(state !== 'init' && state !== 'blocked'),
      isEnd: Number(state === 'failed' || state === 'completed'),
      at,
    };
    expectRow(setState().run(values), entry);
  };

  /**
   * An algorithm that failed is done again from its first failed execution on: what went well before is replayed, and reported anew.
   * One that was only interrupted keeps everything; what is replayed replaces equal rows.
   */
  const beginAlgorithm = ({ calibration, iteration, algorithm, runs }: Entry<'algorithm.started'>, at: string): void => {
    const known = finalStateOf().get(calibration, iteration, algorithm) as { readonly final_state: string | null } | undefined;
    if (known === undefined) {
      startAlgorithm().run(calibration, iteration, algorithm, jsonOrNull(runs), at);
      return;
    }
    if (known.final_state === 'failed') {
      dropReports().run(calibration, iteration, algorithm);
      dropFailedExecutions().run(calibration, iteration, algorithm, calibration, iteration, algorithm);
    }
    restartAlgorithm().run(at, jsonOrNull(runs), calibration, iteration, algorithm);
  };

  const versionOf = (calibration: string, iteration: number): string | null =>
    (versionOfIteration().get(calibration, iteration) as { readonly version_id: string | null } | undefined)?.version_id ?? null;

  /** A database that was published becomes a version of the registry, and the branch of its calibration goes there. */
  const register = (
    {
      calibration,
      versionId,
      contentId,
      viewId,
    }: Pick<VersionRecord, 'versionId' | 'contentId' | 'viewId'> & { readonly calibration: string },
    iteration: number | null,
    parent: string | null,
    at: string,
  ): void => {
    const directory = iteration === null ? `${calibration}/localdb` : `${calibration}/${iteration}/localdb`;
    const version = { versionId, contentId, viewId, directory, state: 'committed' as const, calibration, iteration, createdAt: at };
    const actor = (actorOfInvocation().get(invocation) as { readonly actor: string } | undefined)?.actor ?? '';
    registry.committed(version, parent, { at, actor });
  };

  const runOfJob = (statement: Statement, { calibration, iteration, collection, job }: JobKey, ...rest: readonly unknown[]) =>
    statement.run(calibration, iteration, collection, job, ...rest);

  const apply = (entry: JournalEntry, at: string): void => {
    switch (entry.kind) {
      case 'invocation.started':
        startInvocation().run(invocation, at, json(entry.argv), entry.version, entry.config, entry.actor);
        return;
      case 'invocation.ended':
        expectRow(endInvocation().run(entry.outcome, at, invocation), entry);
        return;
      case 'calibration.planned':
        planCalibration(entry);
        return;
      case 'calibration.state':
        changeState(entry, at);
        return;
      case 'calibration.completed': {
        const { versionId, contentId, viewId } = entry;
        expectRow(
          complete().run(entry.iteration, Number(entry.converged), versionId, contentId, viewId, entry.payloads, at, entry.calibration),
          entry,
        );
        register(entry, null, versionOf(entry.calibration, entry.iteration), at);
        return;
      }
      case 'calibration.reset':
        expectRow(restart().run('init', 'init', entry.iteration, entry.calibration), entry);
        dropFrom(TABLES_OF_ITERATIONS, entry.calibration, entry.iteration);
        return;
      case 'iteration.started':
        startIteration().run(entry.calibration, entry.iteration, entry.chainDigest, json(entry.jobs), at);
        return;
      case 'iteration.committed': {
        const { versionId, contentId, viewId } = entry;
        expectRow(commitIteration().run(entry.outcome, versionId, contentId, viewId, at, entry.calibration, entry.iteration), entry);
        register(entry, entry.iteration, versionOf(entry.calibration, entry.iteration - 1), at);
        return;
      }
      case 'attempt.started':
        runOfJob(startAttempt(), entry, entry.attempt, entry.token, entry.directory, json(entry.resources), at);
        runOfJob(startJob(), entry, entry.attempt, entry.attempt, entry.inputs);
        return;
      case 'attempt.spawned': {
        const { calibration, iteration, collection, job, attempt } = entry;
        expectRow(spawnAttempt().run(json(entry.handle), calibration, iteration, collection, job, attempt), entry);
        return;
      }
      case 'attempt.finished': {
        const { calibration, iteration, collection, job, attempt, outcome, usage } = entry;
        const facts = [outcome.state, causeOf(outcome), detailOf(outcome), usage?.seconds ?? null, roundOrNull(usage?.maxRssBytes), at];
        expectRow(finishAttempt().run(...facts, calibration, iteration, collection, job, attempt), entry);
        if (entry.warnings.length > 0) expectRow(warnOfJob().run(json(entry.warnings), calibration, iteration, collection, job), entry);
        return;
      }
      case 'job.finished': {
        const { calibration, iteration, collection, job, attempt, outcome } = entry;
        const facts = [outcome.state, attempt, causeOf(outcome), detailOf(outcome), invocation];
        expectRow(finishJob().run(...facts, calibration, iteration, collection, job), entry);
        return;
      }
      case 'algorithm.started':
        beginAlgorithm(entry, at);
        return;
      case 'execution.finished': {
        const { seq, runs, iov, result, seconds, payloads, metadata, error } = entry.execution;
        const facts = [seq, json(runs), json(iov), result, seconds, json(payloads), json(metadata), error];
        finishExecution().run(entry.calibration, entry.iteration, entry.algorithm, ...facts);
        return;
      }
      case 'result.reported': {
        const { seq, execution, iov, result } = entry.report;
        reportResult().run(entry.calibration, entry.iteration, entry.algorithm, seq, execution, json(iov), result);
        return;
      }
      case 'algorithm.finished': {
        const facts = [entry.finalState, jsonOrNull(entry.gaps), jsonOrNull(entry.error), at];
        expectRow(finishAlgorithm().run(...facts, entry.calibration, entry.iteration, entry.algorithm), entry);
        return;
      }
      default:
        unreachable(entry);
    }
  };
  return { apply };
}
