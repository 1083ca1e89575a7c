// Runs code in a process of its own that has no more files to open than `free`, as at the limit that `ulimit -n` sets.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** `code`: TypeScript, with `take()` (no more files from here on) and `giveBack()`, that calls `tell(value)` once. Rejects when the process ends badly. */
export async function runWithoutFiles(script: string, imports: string, code: string, free: number): Promise<unknown> {
  writeFileSync(
    script,
    `import { closeSync, openSync } from 'node:fs';
${imports}
const taken: number[] = [];
const take = () => {
  try { for (;;) taken.push(openSync('/dev/null', 'r')); } catch { for (const fd of taken.splice(0, ${free})) closeSync(fd); }
};
const giveBack = () => { for (const fd of taken.splice(0)) closeSync(fd); };
const tell = (value: unknown) => console.log(JSON.stringify(value));
${code}
`,
  );
  const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, script]);
  return JSON.parse(stdout);
}
