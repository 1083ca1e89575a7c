// What `caf run` does: load, check, plan; then say what would be done, or do it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { Journal } from '../database/journal.ts';
import type { JournalReads } from '../database/journal-records.ts';
import type { CampaignSpec } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import type { CafEvent } from '../domain/event.ts';
import { formatIov } from '../domain/iov.ts';
import { nearest } from '../domain/nearest.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { actorHere } from '../host/actor.ts';
import { widenThreadPool } from '../host/thread-pool.ts';
import { drawOptions } from '../report/draw-options.ts';
import { drawPlan } from '../report/draw-plan.ts';
import { shortPath } from '../report/error-text.ts';
import type { LogFile } from '../report/log-file.ts';
import { createReport, reportKind } from '../report/report.ts';
import { styleFor } from '../report/style.ts';
import { backendsNeeded, type CampaignPlan, newerAncestors, planCampaign } from '../runners/campaign-plan.ts';
import { countKept } from '../runners/job-inputs.ts';
import { optionsOfJobs } from '../runners/job-options.ts';
import { childrenOf } from './children.ts';
import type { RunOptions } from './commands/run.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_TROUBLE, exitCodeOfSignal, isTroubleCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { type ReadCampaign, readCampaign } from './read-campaign.ts';
import { LOG_FILE } from './results.ts';
import { resumeText } from './resume.ts';
import { BACKGROUND_SIGNALS, createStopWishes, STOP_SIGNALS } from './stop-wishes.ts';
import { explainUnexpected, listenForStrayErrors } from './unexpected.ts';
import { VERSION } from './version.ts';

export interface RunHooks {
  /** Called when the campaign begins: the results directory is ours, and nothing speaks against it any more. */
  readonly onStarted?: () => void;
  /** What is done instead of running it here, when it is checked and there is something to do. Nothing was written yet. */
  readonly elsewhere?: (campaign: ReadCampaign) => Promise<void>;
}

export async function runCommand(options: RunOptions, io: Io, { onStarted, elsewhere }: RunHooks = {}): Promise<void> {
  const campaign = await readCampaign(options, io);
  const { spec } = campaign;
  const only = onlyOf(options, spec);
  const { describeUsable } = await import('../database/chain.ts');
  const planFrom = (reads: JournalReads | null): CampaignPlan =>
    planCampaign({
      spec,
      past: (name) => reads?.calibration(name) ?? null,
      fresh: options.fresh,
      only,
      code: campaign.code,
      describeDatabase: describeUsable,
      jobsOf: (name, iteration) => reads?.iteration(name, iteration)?.jobs ?? {},
      begunAt: (name) => reads?.iteration(name, 0)?.startedAt ?? null,
      hasMissingJobs: (name, iteration) => (reads?.jobCounts(name, iteration).failed ?? 0) > 0,
    });

  if (options.dryRun) {
    const text = await withReads(spec.output, (reads) => drawnPlan(campaign, planFrom(reads), reads, options.json, io));
    io.stdout.write(`${text}\n`);
    return;
  }
  const before = await withReads(spec.output, (reads) => ({
    plan: planFrom(reads),
    lastInvocation: reads?.lastInvocation()?.invocation,
  }));

  const report = createReport(reportKind(options, io), io, { verbose: options.verbose, resume: resumeText(options) });
  let isTrouble = false;
  const tell = (event: CafEvent, log: LogFile | null): void => {
    if (event.type === 'calibration.failed') isTrouble ||= isTroubleCode(event.error.code);
    const timed = { ...event, at: new Date().toISOString() };
    report.event(timed);
    log?.event(timed);
    if (event.type === 'campaign.started') onStarted?.();
  };
  const exitOfFailed = () => (isTrouble ? EXIT_TROUBLE : EXIT_FAILED);
  if (!options.compact && before.plan.calibrations.every(({ reused }) => reused)) {
    // Nothing to do: nothing is opened for writing, not even the journal.
    for (const event of nothingToDo(spec, before.plan)) tell(event, null);
    await report.close();
    return;
  }

  if (elsewhere !== undefined) return elsewhere(campaign);
  await requireBackends(before.plan);

  widenThreadPool();
  const [{ becomeLean }, { openJournal }, { openLogFile }, { runCampaign }] = await Promise.all([
    import('../host/lean-memory.ts'),
    import('../database/journal.ts'),
    import('../report/log-file.ts'),
    import('../runners/run-campaign.ts'),
  ]);
  becomeLean();
  let failJournal: (error: unknown) => void = () => undefined;
  const journalFailed = new Promise<never>((_, reject) => {
    failJournal = reject;
  });
  journalFailed.catch(() => undefined);
  const journal = openJournal(spec.output, { command: `caf run ${shortPath(spec.configPath, io.cwd)}`, onFailure: failJournal });
  const wishes = createStopWishes({
    results: spec.output,
    lease: journal.lease,
    signals: options.inBackground ? BACKGROUND_SIGNALS : STOP_SIGNALS,
  });
  const log = await openLogFile(join(spec.output, LOG_FILE));
  const stray = listenForStrayErrors();
  try {
    const plan = journal.lastInvocation()?.invocation === before.lastInvocation ? before.plan : planFrom(journal);
    startInvocation(journal, spec);
    const { outcome, wish } = await Promise.race([
      runCampaign({
        spec,
        plan,
        journal,
        emit: (event) => tell(event, log),
        version: VERSION,
        compact: options.compact,
        children: childrenOf(import.meta.url),
        onStop: wishes.onStop,
      }),
      journalFailed,
      stray.failed,
    ]);
    for (const warning of outdatedOutside(plan, spec, journal)) tell(warning, log);
    await log.close();
    warnOfLog(log, tell);
    await report.close();
    journal.close();
    io.setExitCode(
      outcome === 'interrupted' ? exitCodeOfSignal(wish?.signal ?? 'SIGINT') : outcome === 'failed' ? exitOfFailed() : EXIT_DONE,
    );
  } catch (error) {
    log.error(error, 'caf run');
    await report.close();
    closeQuietly(journal, log);
    throw error instanceof CafError ? error : explainUnexpected(error, () => bugHint(spec, io));
  } finally {
    await log.close();
    wishes.close();
    stray.close();
  }
}

/** Before anything is written: CAF_BACKEND_UNAVAILABLE. */
async function requireBackends(plan: CampaignPlan): Promise<void> {
  const engines = [...backendsNeeded(plan)].filter((kind) => kind !== 'local');
  if (engines.length === 0) return;
  const { requireEngines } = await import('../backends/engines.ts');
  await requireEngines(engines);
}

/** What --dry-run says: the plan, and with which options jobs would be sent. */
function drawnPlan({ spec, settings }: ReadCampaign, plan: CampaignPlan, reads: JournalReads | null, asJson: boolean, io: Io): string {
  const rows = plan.calibrations.map((planned) => {
    const { jobs, reason, reused } = planned;
    // What is reused sends no jobs.
    const kept = reads === null ? 0 : countKept(planned, reads);
    return { calibration: planned.spec.name, jobs, kept, reason, reused, ...(reused ? {} : optionsOfJobs(planned, reads)) };
  });
  if (asJson) return JSON.stringify({ v: 1, config: spec.configPath, settings, calibrations: rows });
  const canvas = {
    columns: io.stdout.columns,
    style: styleFor(io.stdout, io.env),
    config: shortPath(spec.configPath, io.cwd),
    backend: backendsOf(spec),
    settings: settingsText(settings, io),
  };
  const jobs = rows.flatMap(({ calibration, collections = [], algorithms = [] }) =>
    [...collections, ...algorithms].map((each) => ({ ...each, name: `${calibration}/${each.name}` })),
  );
  return drawPlan(rows, canvas, drawOptions(jobs, canvas)).join('\n');
}

/** Looks into the journal without opening it for writing; null where there is none. */
async function withReads<T>(output: string, look: (reads: JournalReads | null) => T): Promise<T> {
  if (!existsSync(join(output, JOURNAL_FILE))) return look(null);
  const { openJournalForReading } = await import('../database/journal-reader.ts');
  const reader = openJournalForReading(output);
  try {
    // A journal that its writer holds for itself tells nothing here: opening it for writing will say who that is.
    return look(reader.journal);
  } finally {
    reader.close();
  }
}

function startInvocation(journal: Journal, spec: CampaignSpec): void {
  journal.append({
    kind: 'invocation.started',
    argv: process.argv.slice(2),
    version: VERSION,
    config: spec.configPath,
    actor: actorHere(),
  });
}

/** Results of calibrations that `--only` left out, made of what was done again now. */
function outdatedOutside(plan: CampaignPlan, spec: CampaignSpec, journal: JournalReads): readonly CafEvent[] {
  const inPlan = new Set(plan.calibrations.map((planned) => planned.spec.name));
  if (inPlan.size === spec.calibrations.length) return [];
  return spec.calibrations.flatMap((calibration): readonly CafEvent[] => {
    const { name } = calibration;
    if (inPlan.has(name) || journal.calibration(name)?.state !== 'completed') return [];
    const newer = newerAncestors(calibration, journal);
    if (newer.length === 0) return [];
    const message = `its result was made of an earlier one of ${newer.join(', ')}`;
    return [{ type: 'warning', calibration: name, code: 'CAF_OUTDATED', message, hint: 'caf run does it again, and what depends on it' }];
  });
}

/** Nothing stops for a log that cannot be written, but it is said. */
function warnOfLog(log: LogFile, tell: (event: CafEvent, log: LogFile | null) => void): void {
  if (log.problem !== null) tell({ type: 'warning', code: 'CAF_LOG', message: `caf.log cannot be written: ${log.problem}` }, null);
}

const bugHint = (spec: CampaignSpec, io: Io): string =>
  `report it with ${shortPath(join(spec.output, LOG_FILE), io.cwd)}; what is finished is kept: caf run again`;

/** A journal that failed may fail again while it is closed: the first error is the one that is told, the second goes to the log. */
function closeQuietly(journal: Journal, log: LogFile): void {
  try {
    journal.close();
  } catch (error) {
    log.error(error, 'closing the journal');
  }
}

function onlyOf({ only }: RunOptions, spec: CampaignSpec): readonly string[] | null {
  if (only.length === 0) return null;
  const names = spec.calibrations.map(({ name }) => name);
  for (const name of only) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new CafError('CAF_USAGE', `--only ${name}: there is no calibration '${name}'`, {
      hint: near === null ? `the config has ${names.slice(0, 8).join(', ')}` : `did you mean '${near}'?`,
    });
  }
  return only;
}

function settingsText({ output, backend, slots, iov }: Settings, io: Io) {
  const rows = [
    { ...output, label: 'output', text: shortPath(output.value, io.cwd) },
    { ...backend, label: 'backend', text: backend.value },
    { ...slots, label: 'slots', text: String(slots.value) },
    { ...iov, label: 'iov', text: iov.value === null ? 'everything' : formatIov(iov.value) },
  ];
  return rows
    .filter(({ origin }) => origin !== 'default')
    .map(({ label, text, name, origin }) => [label, text, origin === 'config' ? 'by the config' : `by ${name}`] as const);
}

const backendsOf = (spec: CampaignSpec): string => [...new Set(spec.calibrations.map(({ backend }) => backend.kind))].join(', ');

function nothingToDo(spec: CampaignSpec, plan: CampaignPlan): readonly CafEvent[] {
  const { calibrations } = plan;
  return [
    {
      type: 'campaign.started',
      output: spec.output,
      config: spec.configPath,
      version: VERSION,
      calibrations: calibrations.map(({ spec: { name, dependsOn, maxIterations }, reason }) => ({
        name,
        dependsOn,
        maxIterations,
        reason,
        reused: true,
      })),
    },
    ...calibrations.map(
      ({ spec: { name }, iterations, payloads }): CafEvent => ({ type: 'calibration.reused', calibration: name, iterations, payloads }),
    ),
    {
      type: 'campaign.ended',
      outcome: 'completed',
      completed: 0,
      failed: 0,
      blocked: 0,
      notStarted: 0,
      payloads: calibrations.reduce((sum, { payloads }) => sum + payloads, 0),
      seconds: 0,
    },
  ];
}
