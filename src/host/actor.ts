// Who works here, as it is kept with what they make.
import { hostname, userInfo } from 'node:os';

/** user@host. */
export const actorHere = (): string => `${userName()}@${hostname()}`;

/** In a container many users have a number and no name: then it is the number. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // No entry in /etc/passwd.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error;
    return String(process.getuid?.() ?? 'unknown');
  }
}
