// What engines say, in one line each, for tests that compare many answers with what was recorded.
import type { EngineAnswer, EngineState } from '../../../src/backends/engine.ts';
import type { CommandResult } from '../../../src/backends/exec.ts';
import { recorded } from './recorded.ts';

/** A recorded answer as the runner of commands gives it. */
export function answerOf(engine: string, name: string): CommandResult {
  const { exitCode, stdout, stderr } = recorded(engine, name);
  return { ended: exitCode === 0 ? 'ok' : 'exit', exitCode, stdout, stderr };
}

/** An answer of a command that succeeded. */
export const said = (stdout: string, stderr = ''): CommandResult => ({ ended: 'ok', exitCode: 0, stdout, stderr });

export function inWords(state: EngineState): string {
  switch (state.state) {
    case 'ended': {
      const { how, ...more } = state.end;
      return ['ended:', how, ...Object.values(more).map(String)].join(' ');
    }
    case 'queued':
    case 'held':
      return [
        state.state,
        ...(state.reason === null ? [] : [`(${state.reason})`]),
        ...(state.advice === null ? [] : [`-> ${state.advice}`]),
      ].join(' ');
    case 'running':
      return state.node === null ? 'running' : `running on ${state.node}`;
    case 'unknown':
      return `unknown: ${state.word}`;
    default:
      return state.state;
  }
}

export const statesOf = (answer: EngineAnswer): readonly string[] | null =>
  answer === null ? null : answer.map(({ id, state }) => `${id} ${inWords(state)}`);
