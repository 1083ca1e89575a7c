// Leaves the machine as it was: engines that the tests started are stopped at the end, those that ran before go on.
import { control, ENGINE_NAMES, isRunning, whyNot } from './boot.ts';

export default function setup(): () => Promise<void> {
  const before = new Set(whyNot() === null ? ENGINE_NAMES.filter(isRunning) : ENGINE_NAMES);
  return async () => {
    for (const name of ENGINE_NAMES.filter((engine) => !before.has(engine) && isRunning(engine))) await control(name, ['stop']);
  };
}
