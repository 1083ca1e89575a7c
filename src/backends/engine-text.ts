// What the texts of several engines have in common: words of command lines, first lines of a complaint, the answer of a plain qsub.
import { signalName } from '../host/signal-name.ts';
import type { Argv, EngineEnd, SubmitAnswer, Survey } from './engine.ts';
import type { CommandResult } from './exec.ts';

export const MIB = 2 ** 20;

/** An option and its value as two words; nothing without a value. */
export const optional = (option: string, value: string | null): Argv => (value === null ? [] : [option, value]);

/** Up to three lines that say something, joined. `cleaned`: a line without what the command always says. */
export const firstLines = (text: string, cleaned: (line: string) => string = (line) => line): string =>
  text
    .split('\n')
    .map((line) => cleaned(line).trim())
    .filter((line) => line !== '')
    .slice(0, 3)
    .join('; ');

export const signalled = (number: number): EngineEnd => ({ how: 'signalled', signal: signalName(number) ?? `signal ${number}` });

/** Of an engine that finds a queue by itself where none is named. `queues`: one text each; null = there are none. */
export const surveyOfQueues = (queues: readonly string[], options = ''): Survey | null =>
  queues.length === 0 ? null : { text: `${queues.length === 1 ? 'queue' : 'queues'} ${queues.join(', ')}`, options };

/** What a command complains of, by how it is to be understood; what none of them knows is a refusal. */
export interface Complaints {
  /** The engine was not reached: nothing was accepted. */
  readonly unreachable: RegExp;
  /** Limits that go away by themselves. */
  readonly full: RegExp;
  /** It may have been accepted. */
  readonly unclear: RegExp;
}

/** The answer of a submit command whose exit status means what it should. `id` null = it says none; `said`: its words. */
export function submitAnswer(
  command: string,
  { ended, stderr }: CommandResult,
  id: string | null,
  said: string,
  { unreachable, full, unclear }: Complaints,
): SubmitAnswer {
  if (ended === 'missing') return { how: 'refused', message: `${command} was not found on PATH` };
  if (id !== null) return { how: 'accepted', id };
  const message = said === '' ? `${command} says nothing` : said;
  if (ended === 'ok') return { how: 'unclear', message: `${command} says no job id: ${message}` };
  if (ended !== 'exit') return { how: 'unclear', message: `${command} did not end by itself (${ended})` };
  if (full.test(stderr)) return { how: 'later', full: true, message };
  if (unreachable.test(stderr)) return { how: 'later', full: false, message };
  return unclear.test(stderr) ? { how: 'unclear', message } : { how: 'refused', message };
}
