// The launcher: a small process that starts programs for caf. fork copies the page tables of the process that calls it, so a small one
// starts programs in half the time of a large one, and on another core. It ends when caf does, and what it started lives on.
import { writeSync } from 'node:fs';
import { type Env, eachLine, type FromLauncher, type ToLauncher } from './launch-contract.ts';
import { leaderOf, spawnLogged } from './spawn-logged.ts';

const environments = new Map<number, Env>();

function tell(message: FromLauncher): void {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch {
    // Nobody listens any more: caf is gone, and its jobs are left to be adopted.
    process.exit();
  }
}

function launch({ launch, argv, directory, shared, own }: Extract<ToLauncher, { readonly launch: number }>): void {
  const fail = (error: unknown): void => {
    const { code, message } = error as NodeJS.ErrnoException;
    tell({ launch, failed: { ...(code === undefined ? {} : { code }), message } });
  };
  const child = spawnLogged(argv, { ...environments.get(shared), ...own }, directory, false);
  if ('failure' in child) {
    void child.failure.then(fail);
    return;
  }
  tell({ launch, started: leaderOf(child) });
  child.once('exit', (code, signal) => tell({ launch, ended: { code, signal } }));
}

process.stdin.setEncoding('utf8');
process.stdin.on(
  'data',
  eachLine((line) => {
    const message = JSON.parse(line) as ToLauncher;
    if ('env' in message) environments.set(message.env, message.values);
    else launch(message);
  }),
);
process.stdin.on('end', () => process.exit());
