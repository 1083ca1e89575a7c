// The shell script by which a whole campaign runs as one batch job: `caf run`, with an environment of its own. Pure.
import { quoted } from './batch-script.ts';
import type { Argv } from './engine.ts';

export interface CampaignScript {
  /** Directives of the engine, to stand at the top. */
  readonly header: readonly string[];
  /** Absolute path of the results directory: where it works. */
  readonly results: string;
  /** Absolute path of the file that takes what it prints. */
  readonly output: string;
  /** Absolute path of a file that says that the job has begun. */
  readonly begun: string;
  /** All of the environment that is set by us; what the engine sets stays. */
  readonly env: Readonly<Record<string, string>>;
  /** Lines of shell that the site needs first. */
  readonly setup: readonly string[];
  /** Node, caf, and its arguments. */
  readonly argv: Argv;
}

/** The shell becomes caf, so that signals of the engine reach it. Everything of the user is quoted: only `setup` is read by the shell. */
export const campaignScript = ({ header, results, output, begun, env, setup, argv }: CampaignScript): string =>
  [
    '#!/bin/sh',
    ...header,
    `exec >>${quoted(output)} 2>&1`,
    `: >${quoted(begun)}`,
    `cd ${quoted(results)} || exit 3`,
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    ...(setup.length === 0 ? [] : ['set -e', ...setup, 'set +e']),
    `exec ${argv.map(quoted).join(' ')}`,
    '',
  ].join('\n');
