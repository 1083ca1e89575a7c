// The payload queue of one execution: what it refuses at once, where file payloads may come from, what it stores.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { checkIov } from '../../src/domain/iov.ts';
import type { PayloadDefinition } from '../../src/domain/payload.ts';
import { encodePayload } from '../../src/payloads/codec.ts';
import { checkPayloadName } from '../../src/payloads/name.ts';
import { objectPath, putFilePayload, putValue } from '../../src/payloads/store.ts';
import { createPayloadQueue, type PayloadQueue, type PayloadRules } from '../../src/worker/commit.ts';

const Gain: PayloadDefinition = { kind: 'payload', name: 'Gain', schema: z.object({ gain: z.number(), unit: z.string().default('ADC') }) };
const Table: PayloadDefinition = { kind: 'payload', name: 'Table', schema: null };

let root: string;
let rules: PayloadRules;
let queue: PayloadQueue;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caf-'));
  mkdirSync(join(root, 'work'));
  mkdirSync(join(root, 'objects'));
  rules = {
    definitions: new Map([Gain, Table].map((definition) => [definition.name, definition])),
    allowUndefined: false,
    checkName: checkPayloadName,
    checkIov,
    encode: encodePayload,
    putValue: (name, bytes, form) => putValue(join(root, 'objects'), name, bytes, form),
    putFile: (name, path) => putFilePayload(join(root, 'objects'), name, path),
  };
  queue = createPayloadQueue(rules, join(root, 'work'), [7, 1, 7, 3]);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const stored = (sha256 = ''): string => readFileSync(objectPath(join(root, 'objects'), sha256), 'utf8');

describe('commit', () => {
  it('stores what the schema makes of the value, as canonical bytes, in the order of the calls', async () => {
    queue.commit('Gain', { gain: 2 }, { iov: [7, 2, 7, 2] });
    queue.commit(Gain, { unit: 'mV', gain: 1 });
    await queue.close();
    const [first, second] = await queue.store();
    expect(first).toMatchObject({ name: 'Gain', iov: [7, 2, 7, 2], mediaType: 'application/json', extension: '.json' });
    expect(stored(first?.sha256)).toBe('{"gain":2,"unit":"ADC"}');
    expect(second?.iov).toBeNull();
    expect(stored(second?.sha256)).toBe('{"gain":1,"unit":"mV"}');
  });

  it.each([
    [{ gain: Number.NaN }, undefined, 'CAF_PAYLOAD_INVALID', /^Gain does not match its schema: gain: /],
    [{ gain: 1, unit: 3 }, undefined, 'CAF_PAYLOAD_INVALID', /^Gain does not match its schema: unit: /],
    [undefined, undefined, 'CAF_PAYLOAD_INVALID', /^Gain does not match its schema: value: /],
    [{ gain: 1 }, { iov: [7, 2, 7, 1] }, 'CAF_IOV_ORDER', /7/],
    [{ gain: 1 }, { iov: '7,1,7,2' }, 'CAF_IOV_FORMAT', /./],
  ])('of %j with %j is refused at once', (value, options, code, message) => {
    expect(() => queue.commit(Gain, value, options as never)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('takes values of defined value payloads only', () => {
    expect(() => queue.commit(Table, 1)).toThrow('Table is a file payload: it has no schema for values.');
    expect(() => queue.commit('Gian', 1)).toThrow('No payload named Gian is defined. Did you mean Gain?');
    expect(() => queue.commit({ mean: 1 } as never, 1)).toThrow('commit takes a payload made by definePayload first');
    expect(() => queue.commit('../x', 1)).toThrow(expect.objectContaining({ code: 'CAF_PAYLOAD_NAME' }));
  });

  it('of two values under one name and interval is refused, also when the interval is written out', () => {
    queue.commit(Gain, { gain: 1 });
    queue.commit(Gain, { gain: 1 }, { iov: [7, 1, 7, 3] });
    expect(() => queue.commit(Gain, { gain: 2 }, { iov: [7, 1, 7, 3] })).toThrow(expect.objectContaining({ code: 'CAF_PAYLOAD_TWICE' }));
  });

  it('is refused once the execution has ended', async () => {
    await queue.close();
    expect(() => queue.commit(Gain, { gain: 1 })).toThrow('commit was called after its execution had ended.');
    await expect(queue.commitFile(Table, 'x')).rejects.toThrow('after its execution had ended');
  });
});

describe('commitFile', () => {
  it('keeps the bytes of the moment it is called', async () => {
    const path = join(root, 'work', 'fit.root');
    writeFileSync(path, 'first');
    await queue.commitFile(Table, 'fit.root');
    writeFileSync(path, 'second');
    await queue.commitFile('Table', path, { iov: [7, 2, 7, 2] });
    rmSync(path);
    await queue.close();
    const [first, second] = await queue.store();
    expect([stored(first?.sha256), stored(second?.sha256)]).toEqual(['first', 'second']);
    expect(first).toMatchObject({ name: 'Table', extension: '.root', size: 5 });
  });

  it.each([
    ['../secret', /lies outside its directory/],
    ['link', /lies outside its directory/],
    ['/etc/hostname', /lies outside its directory/],
    ['missing', /does not exist/],
    ['folder', /is not a regular file/],
    ['.', /lies outside its directory/],
  ])('of %s is refused', async (path, message) => {
    writeFileSync(join(root, 'secret'), '');
    symlinkSync(join(root, 'secret'), join(root, 'work', 'link'));
    mkdirSync(join(root, 'work', 'folder'));
    await expect(queue.commitFile(Table, path)).rejects.toMatchObject({
      code: 'CAF_PAYLOAD_FILE',
      message: expect.stringMatching(message),
    });
  });

  it('takes no payload that has a schema', async () => {
    await expect(queue.commitFile(Gain, 'x')).rejects.toThrow('Gain is defined with a schema, so it takes a value, not a file.');
  });

  it('that nobody waited for is waited for at the end', async () => {
    writeFileSync(join(root, 'work', 'a'), 'a');
    void queue.commitFile(Table, 'a');
    await queue.close();
    expect(await queue.store()).toHaveLength(1);
  });

  /** A queue that stores each file no earlier than it is let. */
  function steered(): { readonly files: PayloadQueue; readonly let: (file: string) => void } {
    const gates = new Map(['first', 'second'].map((file) => [file, Promise.withResolvers<void>()]));
    for (const file of gates.keys()) writeFileSync(join(root, 'work', file), file);
    const putFile: PayloadRules['putFile'] = async (name, path) => {
      await gates.get(basename(path))?.promise;
      return rules.putFile(name, path);
    };
    const files = createPayloadQueue({ ...rules, putFile }, join(root, 'work'), [0, 0, -1, -1]);
    return { files, let: (file) => gates.get(file)?.resolve() };
  }

  it('keeps the order of the calls, whichever file is stored first', async () => {
    const { files, let: allow } = steered();
    const first = files.commitFile(Table, 'first');
    const second = files.commitFile(Table, 'second', { iov: [7, 2, 7, 2] });
    files.commit(Gain, { gain: 1 });
    allow('second');
    await second;
    allow('first');
    await first;
    await files.close();
    expect((await files.store()).map(({ name, iov }) => [name, iov])).toEqual([
      ['Table', null],
      ['Table', [7, 2, 7, 2]],
      ['Gain', null],
    ]);
  });

  it('while others are waited for at the end is waited for too', async () => {
    const { files, let: allow } = steered();
    const first = files.commitFile(Table, 'first');
    const closing = files.close();
    void files.commitFile(Table, 'second', { iov: [7, 2, 7, 2] });
    void first.then(() => setImmediate(() => allow('second')));
    allow('first');
    await closing;
    expect(await files.store()).toHaveLength(2);
  });
});

it('where a config defines nothing any legal name may be committed', async () => {
  const free = createPayloadQueue({ ...rules, definitions: new Map(), allowUndefined: true }, join(root, 'work'), [7, 1, 7, 3]);
  free.commit('Anything', [1]);
  expect(() => free.commit('.hidden', [1])).toThrow(expect.objectContaining({ code: 'CAF_PAYLOAD_NAME' }));
  expect(() => free.commit('Anything', [Number.NaN])).toThrow('Anything cannot be stored: [0] is NaN, not a finite number');
});

describe('commitIntraRun', () => {
  it('stores all parts in one document, each as its schema makes it', async () => {
    queue.commitIntraRun(Gain, [
      { firstEvent: 0, value: { gain: 1 } },
      { firstEvent: 10, value: { gain: 2, unit: 'mV' } },
    ]);
    await queue.close();
    const [only] = await queue.store();
    expect(only?.parts?.map(({ firstEvent }) => firstEvent)).toEqual([0, 10]);
    expect(stored(only?.sha256)).toBe('{"boundaries":[10],"parts":[{"gain":1,"unit":"ADC"},{"gain":2,"unit":"mV"}]}');
  });

  it('refuses a part that does not match, parts out of order, and files', () => {
    expect(() => queue.commitIntraRun(Gain, [{ firstEvent: 0, value: { gain: 'x' } }])).toThrow('Gain does not match its schema: gain');
    expect(() => queue.commitIntraRun(Gain, [{ firstEvent: 5, value: { gain: 1 } }])).toThrow('its first part begins at event 5');
    expect(() => queue.commitIntraRun(Table, [{ firstEvent: 0, value: 1 }])).toThrow('Table is a file payload');
  });
});

describe('the version of a definition', () => {
  it('is recorded in the media type, and absent for the first', async () => {
    queue.commit({ ...Gain, version: 3 }, { gain: 1 });
    queue.commit(Gain, { gain: 2 }, { iov: [7, 2, 7, 2] });
    await queue.close();
    expect((await queue.store()).map(({ mediaType }) => mediaType)).toEqual(['application/json;version=3', 'application/json']);
  });
});
