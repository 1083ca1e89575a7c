// Lets the process of a test file be another user for the rest of its life, as caf is on a login node.
import type { User } from './engine.ts';

/** For engines that refuse root. Only root can; what it opened before stays open. */
export function becomeUser({ name, uid, gid, home }: User): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  Object.assign(process.env, { HOME: home, USER: name, LOGNAME: name });
}
