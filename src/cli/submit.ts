// `caf submit`: the whole campaign as one batch job. The config is checked and the plan made here; the job is a `caf run` on the same directory.
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CampaignEngine, campaignEngineOf } from '../backends/campaign-engine.ts';
import { campaignScript } from '../backends/campaign-script.ts';
import type { SubmitText } from '../backends/engine.ts';
import { requireEngines } from '../backends/engines.ts';
import { linkLog, logPlace } from '../backends/log-place.ts';
import { BACKENDS, defaultBackend } from '../config/check/check-backend.ts';
import { openJournalForReading } from '../database/journal-reader.ts';
import { lockedError } from '../database/lease.ts';
import type { CampaignSpec, Resources } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';
import { unreachable } from '../domain/result.ts';
import { JOURNAL_FILE } from '../domain/results-directory.ts';
import { actorHere } from '../host/actor.ts';
import { shortPath } from '../report/error-text.ts';
import { styleFor } from '../report/style.ts';
import { oneLine } from '../report/text.ts';
import type { RunOptions } from './commands/run.ts';
import type { SubmitOptions } from './commands/submit.ts';
import { drawFollowing } from './draw-following.ts';
import { findJob, submitJob } from './engine-job.ts';
import type { Io } from './io.ts';
import { programOf } from './program-file.ts';
import type { ReadCampaign } from './read-campaign.ts';
import { OUT_FILE } from './results.ts';
import { runCommand } from './run.ts';
import { runArguments } from './run-arguments.ts';
import { ANSWER, BEGUN, forgetSubmission, LOG, recordSubmission, type Submission, submissionFile } from './submission.ts';
import { findSubmitted, lastInvocation } from './submitted-job.ts';

/** An hour, as for other jobs, is short for a whole campaign. */
const DEFAULT_TIME_MS = 86_400_000;
const BYTES_PER_CORE = 2e9;
/** Of this environment, besides those asked for: how programs are found, how text is written, where things are kept, and what caf is told. */
const PASSED = [
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'XDG_CACHE_HOME',
    'NODE_COMPILE_CACHE',
    'NODE_DISABLE_COMPILE_CACHE',
  ],
  ...['CAF_BACKEND', 'CAF_FILESYSTEM', 'CAF_LEASE_STALE_MS', 'CAF_CONFIG_TIMEOUT_MS'],
];

export function submitRun(options: RunOptions, asked: SubmitOptions, io: Io): Promise<void> {
  // Checked for as many cores as the job will have.
  const there = asked.cores === undefined ? io : { ...io, cwd: io.cwd, env: { ...io.env, CAF_SLOTS: String(asked.cores) } };
  return runCommand(options, there, { elsewhere: (campaign) => submitCampaign(options, asked, campaign, io) });
}

interface Job {
  readonly submission: Submission;
  readonly text: SubmitText;
  readonly script: string;
  readonly descriptionFile: string;
  readonly scriptFile: string;
  /** Where the engine writes its log. */
  readonly log: string;
}

async function submitCampaign(options: RunOptions, asked: SubmitOptions, campaign: ReadCampaign, io: Io): Promise<void> {
  const { output } = campaign.spec;
  const to = engineFor(asked, campaign.spec);
  const job = makeJob(to, options, asked, campaign, io);
  if (asked.dryRun) {
    const { argv, description } = job.text;
    const shown = { v: 1, engine: to.engine.name, argv, description, script: job.script };
    const texts = [`${argv.join(' ')}\n`, ...(description === null ? [] : [description]), job.script];
    io.stdout.write(options.json ? `${JSON.stringify(shown)}\n` : texts.join('\n'));
    return;
  }
  await requireEngines([to.engine.name], io.env);
  refuseHeld(output);
  await refuseSubmitted(output, io);
  const submission = await submit(to, job, output, io);
  if (options.json) io.stdout.write(`${JSON.stringify({ type: 'campaign.submitted', output, ...submission })}\n`);
  else if (!options.quiet) {
    const head = `submitted to ${submission.engine} as ${submission.id ?? submission.name}`;
    io.stdout.write(`${drawFollowing(head, output, io).join('\n')}\n`);
  }
}

/** As `--backend` says, with the options of the config where that has a backend of this kind; else the first one of the config. Throws CAF_USAGE. */
function engineFor({ engine: name, directives }: SubmitOptions, { calibrations }: CampaignSpec): CampaignEngine {
  for (const { backend } of calibrations) {
    const found = name === undefined || backend.kind === name ? campaignEngineOf(backend, directives) : null;
    if (found !== null) return found;
  }
  const known = BACKENDS.filter((each) => each !== 'local');
  const hint = `caf submit --backend X; there is ${known.join(', ')}`;
  if (name === undefined) throw new CafError('CAF_USAGE', 'caf submit needs an engine: no calibration of this config has one', { hint });
  const kind = known.find((each) => each === name);
  const found = kind === undefined ? null : campaignEngineOf(defaultBackend({ cores: 1, kind }), directives);
  if (found !== null) return found;
  const near = nearest(name, known);
  throw new CafError('CAF_USAGE', `--backend: no engine is called '${name}'`, { hint: near === null ? hint : `did you mean '${near}'?` });
}

/** Written down before the engine is asked, so that a job of which no answer came can be found by its name. */
async function submit(
  to: CampaignEngine,
  { submission, text, script, scriptFile, descriptionFile, log }: Job,
  results: string,
  io: Io,
): Promise<Submission> {
  const { engine, name } = submission;
  try {
    recordSubmission(results, submission);
    linkLog(submissionFile(results, name, LOG), log);
    writeFileSync(scriptFile, script, { mode: 0o700 });
    if (text.description !== null) writeFileSync(descriptionFile, text.description);
    // There when the job begins, and a place that cannot be written is told here.
    appendFileSync(join(results, OUT_FILE), '');
  } catch (error) {
    forgetSubmission(results, submission);
    const elsewhere = to.logDirectory === null ? '' : `, or another logDirectory of the backend than ${to.logDirectory}`;
    throw new CafError('CAF_RESULTS_UNWRITABLE', `The job cannot be written down: ${(error as Error).message}`, {
      hint: `Choose a directory you may write to with --output${elsewhere}, or have its permissions changed.`,
      cause: error,
    });
  }
  const answer = await submitJob(to.engine, text.argv, submissionFile(results, name, ANSWER), io.env);
  switch (answer.how) {
    case 'accepted': {
      const accepted = { ...submission, id: answer.id };
      recordSubmission(results, accepted);
      const { mark } = styleFor(io.stderr, io.env);
      for (const warning of answer.warnings) io.stderr.write(`${mark('warning')} ${engine} took the job, but warns: ${oneLine(warning)}\n`);
      return accepted;
    }
    case 'refused':
      forgetSubmission(results, submission);
      throw new CafError('CAF_SUBMIT_REFUSED', `${engine} refuses the campaign: ${answer.message}`, {
        hint: `correct the options of the backend, --cores, --memory or --time; see caf submit --dry-run`,
      });
    case 'later':
      forgetSubmission(results, submission);
      throw new CafError('CAF_SUBMIT', `${engine} takes no job at this moment: ${answer.message}`, {
        hint: 'nothing was submitted: try again later',
      });
    case 'unclear': {
      const found = await findJob(to.engine, submission, io.env);
      // It keeps being found by its name.
      if (found.is === 'there') return submission;
      if (found.is === 'gone') forgetSubmission(results, submission);
      throw new CafError('CAF_SUBMIT', `${engine} did not say whether it has taken the campaign: ${answer.message}`, {
        hint:
          found.is === 'gone'
            ? 'it is not in the queue: try again'
            : `look for a job called ${name}; caf submit and caf cancel look for it, too, when ${engine} answers again`,
      });
    }
    default:
      return unreachable(answer);
  }
}

function makeJob(to: CampaignEngine, options: RunOptions, asked: SubmitOptions, campaign: ReadCampaign, io: Io): Job {
  const { output, configPath } = campaign.spec;
  const name = `caf-campaign-${randomBytes(8).toString('hex')}`;
  const file = (called: string) => submissionFile(output, name, called);
  const [scriptFile, descriptionFile] = [file('script'), file('description')];
  const cores = asked.cores ?? coresFor(campaign);
  const resources: Resources = {
    cores,
    memoryBytes: asked.memoryBytes ?? cores * BYTES_PER_CORE,
    memoryIsSet: asked.memoryBytes !== undefined,
    timeMs: asked.timeMs ?? DEFAULT_TIME_MS,
  };
  const log = logPlace(file(LOG), to.logDirectory, name);
  const text = to.submit({ name, size: 1, resources, script: scriptFile, description: descriptionFile, log });
  const script = campaignScript({
    header: text.header,
    results: output,
    output: join(output, OUT_FILE),
    begun: file(BEGUN),
    env: { ...environmentOf(asked.env, cores, io), ...to.env },
    setup: to.setup,
    argv: [process.execPath, programOf(import.meta.url), 'run', ...runArguments({ ...options, config: configPath, output })],
  });
  const submission = {
    v: 1,
    engine: to.engine.name,
    name,
    id: null,
    at: new Date().toISOString(),
    by: actorHere(),
    after: lastInvocation(output),
  } as const;
  return { submission, text, script, scriptFile, descriptionFile, log };
}

/** What a local backend of the campaign is told to use; else the most that one of its jobs needs. Jobs that go to an engine need none of these. */
function coresFor({ spec, settings }: ReadCampaign): number {
  const local = spec.calibrations.filter(({ backend }) => backend.kind === 'local');
  if (local.length === 0) return 1;
  if (settings.slots.origin !== 'default') return settings.slots.value;
  return Math.max(1, ...local.flatMap(({ collections }) => collections.map(({ resources }) => resources.cores)));
}

/** Other settings of caf are in the arguments. A local backend must not take the whole node for its own. */
function environmentOf(names: readonly string[], cores: number, { env }: Io): Readonly<Record<string, string>> {
  const missing = names.find((name) => env[name] === undefined);
  if (missing !== undefined)
    throw new CafError('CAF_USAGE', `--env ${missing}: there is no variable of this name here`, { hint: 'export it first' });
  const passed = [...PASSED, ...names].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return Object.fromEntries([...passed, ['CAF_SLOTS', String(cores)]]);
}

/** Throws CAF_RESULTS_LOCKED while a caf works there. */
function refuseHeld(output: string): void {
  if (!existsSync(join(output, JOURNAL_FILE))) return;
  const reader = openJournalForReading(output);
  try {
    const owner = reader.isHeld() ? reader.owner() : null;
    if (owner !== null) throw lockedError(output, owner, new Date());
  } finally {
    reader.close();
  }
}

/** Throws CAF_RESULTS_LOCKED while a job that was submitted before still waits or runs: two of them would only hinder each other. */
async function refuseSubmitted(output: string, io: Io): Promise<void> {
  const known = await findSubmitted(output, io);
  if (known === null) return;
  const { submission, job, found } = known;
  throw new CafError(
    'CAF_RESULTS_LOCKED',
    `${shortPath(output, io.cwd)} has a job already: ${job} (${found.state.state}), submitted by ${submission.by} at ${submission.at}`,
    { hint: 'wait for it, or end it: caf cancel' },
  );
}
