// The `conditions` of user functions: reads the database chain as it was locked, opened at the first question.
import { readFileSync } from 'node:fs';
import type { Conditions, ConditionsOptions, PayloadValue } from '../config/contexts.ts';
import type { Answer, Chain } from '../database/types.ts';
import { CafError } from '../domain/errors.ts';
import { checkRun, iovToKeys, type Run, runKey } from '../domain/iov.ts';
import type { PayloadDefinition } from '../domain/payload.ts';
import { decodePayload } from '../payloads/codec.ts';
import { valueVersion } from '../payloads/name.ts';
import { partAt, readParts } from '../payloads/parts.ts';
import { hashFile, payloadCorrupt, payloadMissing } from '../payloads/store.ts';
import type { ChainLock } from './contract.ts';
import { parametersIn } from './parameters.ts';

export interface ConditionsReader extends Conditions {
  /** Those of a program; {} where the chain has none. */
  parameters(run: Run): Promise<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** Kept per payload name, and per definition: an algorithm that walks through all runs must not keep every constant in memory. */
const MAX_ANSWERS = 1000;
const MAX_VALUES = 100;

/** An answer with the keys between which it stays the answer. */
interface Known {
  readonly lo: number;
  readonly hi: number;
  readonly answer: Answer;
}

/** `chainFile`: absolute path of the chain.lock.json that was made for this job. */
export function createConditionsReader(chainFile: string): ConditionsReader {
  let chain: Promise<Chain | null> | null = null;
  let members: readonly string[] = [];
  const answers = new Map<string, Known[]>();
  const values = new WeakMap<PayloadDefinition, Map<string, Promise<unknown>>>();

  async function open(): Promise<Chain | null> {
    const lock = JSON.parse(readFileSync(chainFile, 'utf8')) as ChainLock;
    members = lock.databases.map((database) => database.label);
    if (lock.databases.length === 0) return null;
    // Imported only here: most jobs never ask, and the SQLite library costs more to load than a short job takes.
    const { openChain } = await import('../database/chain.ts');
    return openChain(lock);
  }

  async function answerFor(name: string, run: Run): Promise<Answer | null> {
    const key = runKey(run);
    const known = answers.get(name) ?? [];
    const found = known.findLast(({ lo, hi }) => lo <= key && key <= hi);
    if (found !== undefined) return found.answer;
    chain ??= open();
    const answer = (await chain)?.lookup(name, run) ?? null;
    if (answer !== null) {
      // By the interval on which this answer stays the answer: its own may be covered in part by others.
      const [lo, hi] = iovToKeys(answer.effective);
      known.push({ lo, hi, answer });
      if (known.length > MAX_ANSWERS) known.shift();
      answers.set(name, known);
    }
    return answer;
  }

  async function read(definition: PayloadDefinition, answer: Answer, part: number | null): Promise<unknown> {
    const { schema } = definition;
    if (schema === null) return checkedFile(answer);
    const bytes = (await chain)?.read(answer);
    if (bytes === undefined) throw new Error('an answer without a chain');
    const stored = part === null ? decodePayload(bytes) : partOf(bytes, part, answer);
    const result = await schema['~standard'].validate(migrated(definition, stored, answer));
    if (result.issues === undefined) return deepFreeze(result.value);
    const problems = result.issues.map((issue) => ({
      path: issue.path?.map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.') || 'value',
      message: issue.message,
    }));
    throw new CafError(
      'CAF_PAYLOAD_INVALID',
      `${whichPayload(answer)} does not match its definition: ${problems[0]?.path} ${problems[0]?.message}`,
      { hint: 'Change the schema so that it accepts older values too, or count its version up and give it a migrate.', problems },
    );
  }

  async function find<Definition extends PayloadDefinition>(
    definition: Definition,
    run: Run,
    options: ConditionsOptions = {},
  ): Promise<PayloadValue<Definition> | undefined> {
    // The key of what is no run can be the key of another run: ['7', '12'] would be answered with the constants of experiment 700.
    checkRun(run);
    const answer = await answerFor(definition.name, run);
    if (answer === null) return undefined;
    const part = partFor(definition, answer, run, options.event);
    let known = values.get(definition);
    if (known === undefined) {
      known = new Map();
      values.set(definition, known);
    }
    // With its type: the same bytes written with another version of the definition are another value.
    const key = `${answer.sha256} ${answer.mediaType} ${part ?? ''}`;
    let value = known.get(key);
    if (value === undefined) {
      value = read(definition, answer, part);
      known.set(key, value);
      forgetOldest(known, MAX_VALUES);
    }
    return (await value) as PayloadValue<Definition>;
  }

  return {
    find,
    async parameters(run) {
      chain ??= open();
      const opened = await chain;
      return opened === null ? {} : parametersIn(opened, run);
    },
    async get<Definition extends PayloadDefinition>(
      definition: Definition,
      run: Run,
      options?: ConditionsOptions,
    ): Promise<PayloadValue<Definition>> {
      const value = await find(definition, run, options);
      if (value !== undefined) return value;
      const where = members.length === 0 ? 'the database chain is empty' : `the chain is ${members.join(' > ')}`;
      throw new CafError('CAF_DB_NOT_FOUND', `No payload ${definition.name} is valid for experiment ${run[0]}, run ${run[1]}: ${where}`, {
        hint: 'Add a database that has it to `databases`, add the calibration that makes it to `dependsOn`, or use conditions.find.',
      });
    },
    close() {
      chain?.then(
        (opened) => opened?.close(),
        () => undefined, // whoever asked has been told
      );
    },
  };
}

const whichPayload = ({ name, label, iov }: Answer): string => `Payload ${name}, as ${label} has it for ${iov.join(',')},`;

/** Which part of an intra-run payload is asked for; null for any other payload. CAF_PAYLOAD_EVENT, CAF_PAYLOAD_INVALID. */
function partFor({ name, schema }: PayloadDefinition, { boundaries }: Answer, run: Run, event: number | undefined): number | null {
  if (event !== undefined && !(Number.isSafeInteger(event) && event >= 0)) {
    throw new CafError('CAF_PAYLOAD_EVENT', `${String(event)} is not the number of an event, asked of ${name}`, {
      hint: 'Events count from 0.',
    });
  }
  if (boundaries === null || schema === null) return null;
  if (event !== undefined) return partAt(boundaries, event);
  throw new CafError('CAF_PAYLOAD_EVENT', `${name} changes within experiment ${run[0]}, run ${run[1]}: no event was given`, {
    hint: `Say for which event: conditions.get(${name}, [${run.join(', ')}], { event }).`,
  });
}

function partOf(bytes: Buffer, part: number, answer: Answer): unknown {
  const document = readParts(bytes);
  if (document !== null && part < document.parts.length) return document.parts[part];
  throw new CafError('CAF_DB_DAMAGED', `${whichPayload(answer)} is no intra-run payload, though its database says so`, {
    hint: 'See what is wrong with: caf db verify',
  });
}

/** The stored value in the shape of the definition's version. CAF_PAYLOAD_VERSION, CAF_PAYLOAD_INVALID. */
function migrated({ version = 1, migrate }: PayloadDefinition, stored: unknown, answer: Answer): unknown {
  const written = valueVersion(answer.mediaType) ?? 1;
  if (written === version) return stored;
  const what = `${whichPayload(answer)} was written with version ${written} of its definition; this one is version ${version}`;
  if (written > version) {
    throw new CafError('CAF_PAYLOAD_VERSION', what, { hint: 'Use the newer definition, or a database that was made with this one.' });
  }
  if (migrate === undefined) {
    throw new CafError('CAF_PAYLOAD_VERSION', `${what} and has no migrate`, {
      hint: `Say how old values become new ones: definePayload('${answer.name}', schema, { version: ${version}, migrate: (old, from) => ... }).`,
    });
  }
  try {
    return migrate(stored, written);
  } catch (error) {
    throw new CafError(
      'CAF_PAYLOAD_INVALID',
      `${what}, and its migrate failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'Correct migrate: it gets every older value as it was committed.',
        cause: error,
      },
    );
  }
}

/** The path of a file payload whose bytes are those that were committed. Read once, in a stream: it may be large. */
async function checkedFile({ file, sha256 }: Answer): Promise<string> {
  const found = await hashFile(file).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? payloadMissing(file, sha256, error) : error;
  });
  if (found.sha256 !== sha256) throw payloadCorrupt(file, sha256, found.sha256);
  return file;
}

function forgetOldest<Key>(map: Map<Key, unknown>, size: number): void {
  for (const key of map.keys()) {
    if (map.size <= size) return;
    map.delete(key);
  }
}

/** One value is given to everybody who asks: changing it would change it for all. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}
