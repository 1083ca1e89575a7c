// The database chain of an iteration, highest priority first, and who is whose parent.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeUsable } from '../database/chain.ts';
import type { ParentInput } from '../database/types.ts';
import type { CalibrationSpec } from '../domain/calibration.ts';
import type { ChainLock, ChainMember } from '../worker/contract.ts';
import { type Hands, iterationDirectory } from './hands.ts';

export interface IterationChain {
  readonly lock: ChainLock;
  /** Parents of what this iteration makes; the draft is none. */
  readonly parents: readonly ParentInput[];
}

type Member = { readonly member: ChainMember; readonly role: ParentInput['role'] };

/**
 * previous iterations, newest first > ancestors, latest in topological order first > the calibration's databases > the config's.
 * `draft` (payloads of earlier algorithms of the same iteration) goes on top.
 */
export function chainOf(hands: Hands, calibration: CalibrationSpec, iteration: number, draft: ChainMember | null = null): IterationChain {
  const { output } = hands.spec;
  const previous = range(iteration)
    .reverse()
    .map((n) => describe(hands, 'previous', join(iterationDirectory(output, calibration.name, n), 'localdb'), `${calibration.name}/${n}`));
  const ancestors = [...hands.plan.ancestors(calibration.name)]
    .reverse()
    .map((name) => ({ name, path: join(output, name, 'localdb') }))
    .filter(({ path }) => existsSync(path))
    .map(({ name, path }) => describe(hands, 'dependency', path, name));
  const users = [...calibration.databases, ...hands.spec.databases]
    .map((path) => hands.plan.database(path))
    .map((member): Member => ({ role: 'user', member }));
  const members = [...previous, ...ancestors, ...users];
  return {
    lock: { v: 1, databases: [...(draft === null ? [] : [draft]), ...members.map(({ member }) => member)] },
    parents: members.flatMap(({ member, role }) =>
      member.versionId === null ? [] : [{ role, versionId: member.versionId, locator: member.label }],
    ),
  };
}

/** What was published stays as it is while this invocation lasts: a long chain would otherwise be opened once for each of its members. */
const described = new WeakMap<Hands, Map<string, Member>>();

function describe(hands: Hands, role: ParentInput['role'], path: string, label: string): Member {
  const known = described.get(hands) ?? new Map<string, Member>();
  described.set(hands, known);
  const member = known.get(path) ?? { role, member: { ...describeUsable(path), label } };
  known.set(path, member);
  return member;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
