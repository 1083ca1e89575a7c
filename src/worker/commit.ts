// The payloads one execution queues: checked at once, kept until it is known whether the execution ends well.
import { realpath, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { CafError } from '../domain/errors.ts';
import type { Iov } from '../domain/iov.ts';
import { nearest } from '../domain/nearest.ts';
import type { PayloadDefinition, StoredPayload } from '../domain/payload.ts';
import { checkEventParts, describeParts, type EventPart, partsDocument } from '../payloads/parts.ts';
import type { ValueForm } from '../payloads/store.ts';

export interface CommitOptions {
  /** Default: the label of the execution. */
  readonly iov?: Iov | undefined;
}

/** What the queue needs to know and do. */
export interface PayloadRules {
  /** The definitions of the config by name. */
  readonly definitions: ReadonlyMap<string, PayloadDefinition>;
  /** True: names that are not defined are allowed, untyped (programs of a config without any definition). */
  readonly allowUndefined: boolean;
  /** Throws CAF_PAYLOAD_NAME. */
  checkName(name: string): void;
  /** Throws CAF_IOV_*. */
  checkIov(iov: unknown): Iov;
  /** Canonical bytes. Throws CAF_PAYLOAD_INVALID with the path inside the value. */
  encode(value: unknown): Uint8Array;
  putValue(name: string, bytes: Uint8Array, form: ValueForm): Promise<Omit<StoredPayload, 'iov'>>;
  putFile(name: string, path: string): Promise<Omit<StoredPayload, 'iov'>>;
}

export interface PayloadQueue {
  /** Throws CAF_PAYLOAD_UNDEFINED, CAF_PAYLOAD_INVALID, CAF_PAYLOAD_TWICE, CAF_IOV_*. */
  commit(definition: PayloadDefinition | string, value: unknown, options?: CommitOptions): void;
  /** Several values in one payload, each valid from an event of the run on. Throws as commit. */
  commitIntraRun(definition: PayloadDefinition | string, parts: readonly EventPart[], options?: CommitOptions): void;
  /** The bytes are those at the time of the call: the file is copied into the store before it resolves. Rejects with CAF_PAYLOAD_FILE too. */
  commitFile(definition: PayloadDefinition | string, path: string, options?: CommitOptions): Promise<void>;
  /** Ends the queue: waits for files under way, and rejects with the error of one nobody waited for. */
  close(): Promise<void>;
  /** Stores what was queued, in the order of the calls. After close(). */
  store(): Promise<readonly StoredPayload[]>;
}

interface Queued {
  /** Of the call that queued it first: a file may be stored long after it. */
  readonly call: number;
  readonly name: string;
  readonly iov: Iov | null;
  readonly content:
    | { readonly kind: 'value'; readonly bytes: Uint8Array; readonly form: ValueForm }
    | { readonly kind: 'file'; readonly stored: Omit<StoredPayload, 'iov'> };
}

/** A queue for one execution with this label. `directory`: the only place file payloads may come from. */
export function createPayloadQueue(rules: PayloadRules, directory: string, label: Iov): PayloadQueue {
  const queued = new Map<string, Queued>();
  const underWay = new Map<symbol, Promise<void>>();
  let isClosed = false;
  let calls = 0;

  const definitionOf = (
    definition: PayloadDefinition | string,
  ): PayloadDefinition | { readonly name: string; readonly schema: undefined; readonly version?: undefined } => {
    if (isClosed) {
      throw new CafError('CAF_PAYLOAD_INVALID', 'commit was called after its execution had ended.', {
        hint: 'Await everything in `run` before it returns.',
      });
    }
    const name: unknown = typeof definition === 'string' ? definition : definition?.name;
    if (typeof name !== 'string') {
      throw new CafError('CAF_PAYLOAD_UNDEFINED', `commit takes a payload made by definePayload first, not ${typeof definition}.`, {
        hint: "Write commit(Pedestals, value) with `const Pedestals = definePayload('Pedestals', schema)`.",
      });
    }
    rules.checkName(name);
    const known = rules.definitions.get(name);
    if (known !== undefined) return typeof definition === 'string' ? known : definition;
    if (rules.allowUndefined) return { name, schema: undefined };
    const near = nearest(name, rules.definitions.keys());
    throw new CafError('CAF_PAYLOAD_UNDEFINED', `No payload named ${name} is defined.${near === null ? '' : ` Did you mean ${near}?`}`, {
      hint: `Define it at the top level of the config: definePayload(${JSON.stringify(name)}, schema).`,
    });
  };

  const add = (entry: Queued): void => {
    const key = `${entry.name} ${JSON.stringify(entry.iov ?? label)}`;
    const earlier = queued.get(key);
    if (earlier === undefined) queued.set(key, entry);
    else if (isSameContent(earlier.content, entry.content)) queued.set(key, earlier.call < entry.call ? earlier : entry);
    else {
      throw new CafError(
        'CAF_PAYLOAD_TWICE',
        `${entry.name} was committed twice with different values for ${(entry.iov ?? label).join(',')}.`,
        {
          hint: 'Commit each payload once per interval; give the second one an interval of its own: commit(def, value, { iov }).',
        },
      );
    }
  };

  const iovOf = (options: CommitOptions | undefined): Iov | null => (options?.iov === undefined ? null : rules.checkIov(options.iov));

  const addFile = async (definition: PayloadDefinition | string, path: string, options?: CommitOptions): Promise<void> => {
    const call = calls++;
    const { name, schema } = definitionOf(definition);
    if (schema !== null && schema !== undefined) {
      throw new CafError('CAF_PAYLOAD_INVALID', `${name} is defined with a schema, so it takes a value, not a file.`, {
        hint: `Use commit, or define it as a file payload: definePayload(${JSON.stringify(name)}).`,
      });
    }
    const iov = iovOf(options);
    const file = await locateFile(directory, path, name);
    add({ call, name, iov, content: { kind: 'file', stored: await rules.putFile(name, file) } });
  };

  const valueDefinitionOf = (definition: PayloadDefinition | string) => {
    const { name, schema, version } = definitionOf(definition);
    if (schema !== null)
      return { name, version, check: (value: unknown) => (schema === undefined ? value : validate(name, schema, value)) };
    throw new CafError('CAF_PAYLOAD_INVALID', `${name} is a file payload: it has no schema for values.`, {
      hint: `Use commitFile, or give it a schema: definePayload(${JSON.stringify(name)}, schema).`,
    });
  };

  return {
    commit(definition, value, options) {
      const { name, version, check } = valueDefinitionOf(definition);
      const bytes = encode(rules, name, check(value));
      add({ call: calls++, name, iov: iovOf(options), content: { kind: 'value', bytes, form: { version } } });
    },
    commitIntraRun(definition, parts, options) {
      const { name, version, check } = valueDefinitionOf(definition);
      checkEventParts(name, parts);
      const document = partsDocument(parts.map(({ firstEvent, value }) => ({ firstEvent, value: check(value) })));
      const bytes = encode(rules, name, document);
      add({
        call: calls++,
        name,
        iov: iovOf(options),
        content: { kind: 'value', bytes, form: { version, parts: describeParts(document) } },
      });
    },
    commitFile(definition, path, options) {
      // Nothing but the caller's await hangs on this promise: so its error names the caller's line, and one that nobody waits for is not lost.
      const key = Symbol(path);
      const adding = (async () => {
        try {
          await addFile(definition, path, options);
        } finally {
          underWay.delete(key);
        }
      })();
      underWay.set(key, adding);
      return adding;
    },
    async close() {
      // What is still committed while others are waited for is waited for too.
      while (underWay.size > 0) await Promise.all(underWay.values());
      isClosed = true;
    },
    async store() {
      const stored: StoredPayload[] = [];
      for (const { name, iov, content } of [...queued.values()].sort((a, b) => a.call - b.call)) {
        stored.push({ ...(content.kind === 'value' ? await rules.putValue(name, content.bytes, content.form) : content.stored), iov });
      }
      return stored;
    },
  };
}

function encode(rules: PayloadRules, name: string, value: unknown): Uint8Array {
  try {
    return rules.encode(value);
  } catch (error) {
    if (!(error instanceof CafError)) throw error;
    throw new CafError(error.code, `${name} cannot be stored: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

/** What the schema makes of a value: defaults filled in, unknown keys dropped or refused as it says. */
function validate(name: string, schema: StandardSchemaV1, value: unknown): unknown {
  const checked = schema['~standard'].validate(value);
  if (checked instanceof Promise) {
    checked.catch(() => undefined); // its answer is not waited for
    throw new CafError('CAF_PAYLOAD_INVALID', `The schema of ${name} checks asynchronously, but commit answers at once.`, {
      hint: 'Leave asynchronous refinements out of payload schemas.',
    });
  }
  if (checked.issues === undefined) return checked.value;
  const problems = checked.issues.map(({ path, message }) => ({ path: pathText(path), message }));
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  throw new CafError('CAF_PAYLOAD_INVALID', `${name} does not match its schema: ${first?.path ?? ''}: ${first?.message ?? ''}${more}`, {
    hint: 'Correct the value, or the schema given to definePayload.',
    problems: problems.slice(1),
  });
}

/** `mean[3].low`; `value` for the whole. */
function pathText(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[] | undefined): string {
  let text = '';
  for (const segment of path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    text += typeof key === 'number' ? `[${key}]` : `${text === '' ? '' : '.'}${String(key)}`;
  }
  return text === '' ? 'value' : text;
}

const isSameContent = (a: Queued['content'], b: Queued['content']): boolean =>
  a.kind === 'value'
    ? b.kind === 'value' && Buffer.compare(a.bytes, b.bytes) === 0 && (a.form.parts === undefined) === (b.form.parts === undefined)
    : b.kind === 'file' && a.stored.sha256 === b.stored.sha256;

/** The real path of a regular file inside the directory; CAF_PAYLOAD_FILE otherwise. */
async function locateFile(directory: string, path: string, name: string): Promise<string> {
  const wrong = (problem: string, cause?: unknown): CafError =>
    new CafError('CAF_PAYLOAD_FILE', `The file of ${name}, ${JSON.stringify(path)}, ${problem}.`, {
      hint: `Write the file into the working directory ${directory} and commit it from there.`,
      ...(cause === undefined ? {} : { cause }),
    });
  const home = await realpath(directory);
  let file: string;
  try {
    file = await realpath(resolve(home, path));
  } catch (error) {
    throw wrong((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read', error);
  }
  if (!file.startsWith(home + sep)) throw wrong(`lies outside its directory, at ${file}`);
  if (!(await stat(file)).isFile()) throw wrong('is not a regular file');
  return file;
}
