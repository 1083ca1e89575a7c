// A process of its own that works on a journal, started by tests: `node journal-child.ts MODE DIRECTORY`.
import { writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { openJournal } from '../../src/database/journal.ts';
import { openJournalForReading } from '../../src/database/journal-reader.ts';
import type { JournalEntry } from '../../src/domain/journal.ts';

const [mode, directory = ''] = process.argv.slice(2);

const resources = { cores: 1, memoryBytes: 1, memoryIsSet: false, timeMs: 1 };
/** Not through process.stdout: what a slow reader keeps waiting there would be lost with the process. */
const say = (line: string) => writeSync(1, `${line}\n`);
const planned = (name: string, reason = 'never run'): JournalEntry => ({
  kind: 'calibration.planned',
  calibration: name,
  position: 0,
  fingerprint: { collectors: {}, algorithms: {}, code: {} },
  reason,
  redo: 'nothing',
});
const report = (error: unknown) => {
  const { code, message, hint } = error as { code?: string; message: string; hint?: string };
  say(JSON.stringify({ code, message, hint }));
};

switch (mode) {
  /** Holds the journal until it is killed or its input ends. */
  case 'hold': {
    const journal = openJournal(directory);
    journal.append({ kind: 'invocation.started', argv: [], version: '1', config: 'c', actor: 'a' });
    journal.append(planned('held'));
    journal.commit();
    say('ready');
    process.stdin.on('end', () => journal.close()).resume();
    break;
  }
  /** Writes and tells, one entry per turn or commit, for ever. */
  case 'write': {
    const journal = openJournal(directory);
    journal.append(planned('c'));
    for (let job = 0; ; job += 1) {
      const key = { calibration: 'c', iteration: 0, collection: 'x', job, attempt: 0 };
      journal.append({ kind: 'attempt.started', inputs: 'i0', ...key, token: 't', directory: 'd', resources });
      if (job % 2 === 0) journal.commit();
      else await turn().then(() => turn());
      say(String(job));
    }
  }
  /** With CAF_CRASH_AFTER. */
  case 'crash': {
    const journal = openJournal(directory);
    for (const name of ['a', 'b', 'c', 'd']) journal.append(planned(name));
    journal.close();
    say('alive');
    break;
  }
  case 'open':
    try {
      openJournal(directory).close();
      say('opened');
    } catch (error) {
      report(error);
    }
    break;
  case 'read':
    try {
      const reader = openJournalForReading(directory);
      say(
        JSON.stringify({
          calibrations: reader.journal?.calibrations().map(({ calibration }) => calibration) ?? null,
          owner: reader.owner(),
        }),
      );
      reader.close();
    } catch (error) {
      report(error);
    }
    break;
  /** Fills the disk by way of the journal, makes space by closing, and reports. */
  case 'fill': {
    const journal = openJournal(directory);
    let written = 0;
    try {
      for (; written < 100_000; written += 1) {
        journal.append(planned(`c${written}`, 'x'.repeat(20_000)));
        journal.commit();
      }
    } catch (error) {
      report(error);
    }
    try {
      journal.append(planned('later'));
    } catch (error) {
      report(error);
    }
    journal.close();
    const reader = openJournalForReading(directory);
    say(JSON.stringify({ written, found: reader.journal?.calibrations().length, owner: reader.owner() }));
    reader.close();
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
