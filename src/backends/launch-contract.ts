// What the backend and the launcher say to each other, one JSON text a line.
import type { ProcessStat } from '../host/process-tree.ts';

export type Env = Readonly<Record<string, string>>;

export type ToLauncher =
  /** An environment that the launches after it refer to by its number. */
  | { readonly env: number; readonly values: Env }
  | {
      readonly launch: number;
      readonly argv: readonly string[];
      readonly directory: string;
      /** Number of the shared environment. */
      readonly shared: number;
      /** What only this process has. */
      readonly own: Env;
    };

export type FromLauncher =
  | { readonly launch: number; readonly started: ProcessStat }
  | { readonly launch: number; readonly failed: { readonly code?: string; readonly message: string } }
  | { readonly launch: number; readonly ended: { readonly code: number | null; readonly signal: string | null } };

/** Calls `handle` for every whole line of what arrives in pieces. */
export function eachLine(handle: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) handle(line);
  };
}
