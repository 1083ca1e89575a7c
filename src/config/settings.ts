// Values that can come from several places: flag, then environment, then config, then default; each keeps where it came from, for --dry-run.
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { DEFAULT_OUTPUT } from '../domain/calibration.ts';
import { CafError } from '../domain/errors.ts';
import { type Iov, parseIov } from '../domain/iov.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { readBackendKind } from './check/check-backend.ts';
import { Problems } from './check/problems.ts';
import { isTable } from './check/readers.ts';
import type { CheckContext, ConfigProblem } from './check-config.ts';

export type Origin = 'flag' | 'environment' | 'config' | 'default';

export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
  /** What the user wrote it as: `--output`, `CAF_OUTPUT`, `output`; empty for a default. */
  readonly name: string;
}

export interface Settings {
  /** Absolute. */
  readonly output: Setting<string>;
  readonly backend: Setting<string>;
  readonly slots: Setting<number>;
  /** Null = everything. */
  readonly iov: Setting<Iov | null>;
}

export interface SettingsInput {
  readonly flags: { readonly output?: string | undefined; readonly backend?: string | undefined; readonly iov?: string | undefined };
  readonly env: { readonly [name: string]: string | undefined };
  /** Paths in flags and environment are relative to it. */
  readonly cwd: string;
  /** Absolute; paths in the config are relative to its directory. */
  readonly configPath: string;
  /** The default export, unchecked. */
  readonly config: unknown;
}

/** Problems of flags and environment only: those of the config are found by checkConfig. An empty variable counts as not set. */
export function resolveSettings(input: SettingsInput): Result<Settings, readonly ConfigProblem[]> {
  const { flags, env, cwd } = input;
  const problems = new Problems();
  const config = isTable(input.config) ? input.config : {};
  const backend = isTable(config.backend) ? config.backend : {};

  /** The first of flag and environment that is given, read and checked. */
  const given = <T>(flag: string | undefined, flagName: string, variable: string, parse: (text: string, name: string) => T | undefined) => {
    if (flag !== undefined) return setting(parse(flag, flagName), 'flag', flagName);
    const text = env[variable];
    return text === undefined || text === '' ? undefined : setting(parse(text, variable), 'environment', variable);
  };
  const parseKind = (text: string, name: string): string | undefined => readBackendKind(text, { parent: null, key: name }, problems);
  const parseSlots = (text: string, name: string) => {
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    problems.expected({ parent: null, key: name }, 'a whole number of slots, at least 1', text);
    return undefined;
  };
  const parseInterval = (text: string, name: string): Iov | undefined => {
    try {
      return parseIov(text);
    } catch (error) {
      if (!(error instanceof CafError)) throw error;
      problems.report({ parent: null, key: name }, error.hint === undefined ? error.message : `${error.message}. ${error.hint}`);
      return undefined;
    }
  };
  const parseOutput = (path: string, name: string): string | undefined => {
    if (path !== '') return resolve(cwd, path);
    problems.expected({ parent: null, key: name }, 'the path of a directory', path);
    return undefined;
  };
  const inConfig = <T>(value: unknown, name: string, read: (value: unknown) => T | undefined) => setting(read(value), 'config', name);

  const directory = dirname(input.configPath);
  const settings: Settings = {
    output:
      given(flags.output, '--output', 'CAF_OUTPUT', parseOutput) ??
      inConfig(config.output, 'output', (path) => (typeof path === 'string' ? resolve(directory, path) : undefined)) ??
      byDefault(resolve(directory, DEFAULT_OUTPUT)),
    backend:
      given(flags.backend, '--backend', 'CAF_BACKEND', parseKind) ??
      inConfig(backend.kind, 'backend', (kind) => (typeof kind === 'string' ? kind : undefined)) ??
      byDefault('local'),
    slots:
      given(undefined, '', 'CAF_SLOTS', parseSlots) ??
      inConfig(backend.slots, 'backend.slots', (slots) => (typeof slots === 'number' ? slots : undefined)) ??
      byDefault(availableParallelism()),
    iov:
      (flags.iov === undefined ? undefined : setting<Iov | null>(parseInterval(flags.iov, '--iov'), 'flag', '--iov')) ??
      inConfig<Iov | null>(config.iov, 'iov', (iov) => (Array.isArray(iov) ? (iov as unknown as Iov) : undefined)) ??
      byDefault<Iov | null>(null),
  };
  return problems.list.length === 0 ? ok(settings) : err(problems.list);
}

const setting = <T>(value: T | undefined, origin: Origin, name: string): Setting<T> | undefined =>
  value === undefined ? undefined : { value, origin, name };

const byDefault = <T>(value: T): Setting<T> => ({ value, origin: 'default', name: '' });

/** What wins over the config. */
export function checkContext(configPath: string, settings: Settings): CheckContext {
  const { output, backend, slots, iov } = settings;
  return {
    configPath,
    output: isOverride(output) ? output.value : undefined,
    backendOverride: isOverride(backend) ? backend.value : undefined,
    slotsOverride: isOverride(slots) ? slots.value : undefined,
    iov: isOverride(iov) ? (iov.value ?? undefined) : undefined,
  };
}

const isOverride = ({ origin }: Setting<unknown>): boolean => origin === 'flag' || origin === 'environment';
