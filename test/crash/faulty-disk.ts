// Loaded before a program (node --import): counts what it does to the disk, and at operation FAULT_AT ends it or lets the disk be full from then on.
// FAULT: `kill` before the operation, `tear` half-way through it where it writes, `full` = ENOSPC. Without it only counts.
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const fault = process.env.FAULT ?? 'none';
const faultAt = Number(process.env.FAULT_AT ?? 0);
let operations = 0;
const { writeSync } = fs;

/** Removing needs no space; a full disk lets it through. */
const isRemoval = (name: string): boolean => name === 'rmSync' || name === 'rm';

type Bytes = string | Uint8Array;
const half = (data: Bytes): Bytes => (typeof data === 'string' ? data.slice(0, data.length >> 1) : data.subarray(0, data.byteLength >> 1));

/** Which argument holds the data to write. */
const DATA: Readonly<Record<string, number>> = { writeSync: 1, writeFileSync: 1, write: 0, writeFile: 1 };

function wrap(owner: object, name: string): void {
  const methods = owner as Record<string, (...args: unknown[]) => unknown>;
  const original = methods[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  methods[name] = function (this: unknown, ...args: unknown[]): unknown {
    operations += 1;
    const isHit = fault === 'full' ? operations >= faultAt && !isRemoval(name) : operations === faultAt;
    if (!isHit || fault === 'none') return original.apply(this, args);
    if (fault === 'full') {
      const error = Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC', errno: -28, syscall: name });
      if (name.endsWith('Sync')) throw error;
      const callback = args.at(-1);
      return typeof callback === 'function' ? void callback(error) : Promise.reject(error);
    }
    const die = (): never => {
      process.kill(process.pid, 'SIGKILL');
      for (;;); // the signal is on its way
    };
    const at = DATA[name];
    if (fault === 'kill' || at === undefined) return die();
    const torn = original.apply(this, args.map((argument, index) => (index === at ? half(argument as Bytes) : argument)).slice(0, at + 1));
    return torn instanceof Promise ? torn.then(die, die) : die();
  };
}

const handle = await promises.open(process.execPath, 'r');
const FileHandle = Object.getPrototypeOf(handle) as object;
await handle.close();
for (const name of ['mkdirSync', 'writeSync', 'writeFileSync', 'renameSync', 'linkSync', 'rmSync', 'fsync']) wrap(fs, name);
for (const name of ['mkdir', 'rename', 'rm', 'writeFile']) wrap(promises, name);
for (const name of ['write']) wrap(FileHandle, name);
syncBuiltinESMExports();
process.once('exit', () => writeSync(1, `operations ${operations}\n`));
