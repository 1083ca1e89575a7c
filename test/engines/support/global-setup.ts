// Leaves the machine as it was: engines that the tests started are stopped at the end, those that ran before go on.
import { existsSync } from 'node:fs';
import { commandsOf, control, ENGINE_NAMES, isRunning, whyNot } from './boot.ts';

export default function setup(): () => Promise<void> {
  const reason = whyNot();
  if (reason !== null) console.log(`Tests on engines are skipped: ${reason}`);
  const before = new Set(reason === null ? ENGINE_NAMES.filter(isRunning) : ENGINE_NAMES);
  // Not only those that are running by now: one that a test left broken says it is not.
  return async () => {
    for (const name of ENGINE_NAMES) if (!before.has(name) && existsSync(commandsOf(name))) await control(name, ['stop']);
  };
}
