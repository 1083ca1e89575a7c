// The `conditions` of user functions: reads the database chain as it was locked, opened at the first question.
import { readFileSync } from 'node:fs';
import type { Conditions, PayloadValue } from '../config/contexts.ts';
import type { Answer, Chain } from '../database/types.ts';
import { CafError } from '../domain/errors.ts';
import { iovToKeys, type Run, runKey } from '../domain/iov.ts';
import type { PayloadDefinition } from '../domain/payload.ts';
import { decodePayload } from '../payloads/codec.ts';
import { hashFile, payloadCorrupt, payloadMissing } from '../payloads/store.ts';
import type { ChainLock } from './contract.ts';

export interface ConditionsReader extends Conditions {
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

  async function read(definition: PayloadDefinition, answer: Answer): Promise<unknown> {
    const { schema } = definition;
    if (schema === null) return checkedFile(answer);
    const bytes = (await chain)?.read(answer);
    if (bytes === undefined) throw new Error('an answer without a chain');
    const result = await schema['~standard'].validate(decodePayload(bytes));
    if (result.issues === undefined) return deepFreeze(result.value);
    const problems = result.issues.map((issue) => ({
      path: issue.path?.map((part) => String(typeof part === 'object' ? part.key : part)).join('.') || 'value',
      message: issue.message,
    }));
    throw new CafError(
      'CAF_PAYLOAD_INVALID',
      `Payload ${definition.name}, as ${answer.label} has it for ${answer.iov.join(',')}, does not match its definition: ${problems[0]?.path} ${problems[0]?.message}`,
      { hint: 'Change the schema so that it accepts older values too, or import a corrected payload.', problems },
    );
  }

  async function find<Definition extends PayloadDefinition>(
    definition: Definition,
    run: Run,
  ): Promise<PayloadValue<Definition> | undefined> {
    const answer = await answerFor(definition.name, run);
    if (answer === null) return undefined;
    let known = values.get(definition);
    if (known === undefined) {
      known = new Map();
      values.set(definition, known);
    }
    let value = known.get(answer.sha256);
    if (value === undefined) {
      value = read(definition, answer);
      known.set(answer.sha256, value);
      forgetOldest(known, MAX_VALUES);
    }
    return (await value) as PayloadValue<Definition>;
  }

  return {
    find,
    async get<Definition extends PayloadDefinition>(definition: Definition, run: Run): Promise<PayloadValue<Definition>> {
      const value = await find(definition, run);
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
