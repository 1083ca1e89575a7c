// Explores a machine completely, with synthetic answers of the world, and states what must hold on every path.
import { type AnyStateMachine, type EventFromLogic, type InputFrom, type SnapshotFrom, StateMachine } from 'xstate';
import { getShortestPaths } from 'xstate/graph';

type AnyMachine = AnyStateMachine;

/** Effects do nothing: only what the machine decides is explored. */
export function withoutEffects<Machine extends AnyMachine>(machine: Machine): Machine {
  const nothing = () => undefined;
  const names = ['journal', 'tell', 'startReady', 'stopStarting', 'cancelAll', 'cancelAttempt', 'cancelStrategy'];
  return machine.provide({ actions: Object.fromEntries(names.map((name) => [name, nothing])) } as never) as Machine;
}

export interface Path<Machine extends AnyMachine> {
  readonly state: SnapshotFrom<Machine>;
  readonly events: readonly string[];
}

export function explore<Machine extends AnyMachine>(
  machine: Machine,
  input: InputFrom<Machine>,
  world: readonly EventFromLogic<Machine>[] | readonly object[],
  /** What the world can say in this state; default everything. */
  allow?: (state: SnapshotFrom<Machine>, event: { readonly type: string }) => boolean,
): readonly Path<Machine>[] {
  const paths = getShortestPaths(withoutEffects(machine), {
    input,
    events: world as never,
    filterEvents: (state: SnapshotFrom<Machine>, event: { readonly type: string }) =>
      isPossible(state, event.type) && (allow?.(state, event) ?? true),
    serializeState: (state: unknown) =>
      JSON.stringify([(state as { value: unknown }).value, (state as { context: unknown }).context, (state as { status: unknown }).status]),
    limit: 20_000,
  } as never);
  return paths.map((path) => ({ state: path.state as SnapshotFrom<Machine>, events: path.steps.map(({ event }) => event.type) }));
}

/** An invoked actor answers only while it lives. */
function isPossible(state: { readonly children: object; readonly status: string }, type: string): boolean {
  const actor = /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(type)?.[1];
  return state.status === 'active' && (actor === undefined || Object.hasOwn(state.children, actor));
}

/** All states that a machine can rest in: leaves, without those that are left at once. */
export function restingStates(machine: AnyMachine): readonly string[] {
  if (!(machine instanceof StateMachine)) throw new Error('not a machine');
  const leaves: string[] = [];
  const visit = (node: AnyMachine['root']): void => {
    const children = Object.values(node.states);
    if (children.length === 0 && !(node.always ?? []).some(({ guard }) => guard === undefined)) leaves.push(node.path.join('.'));
    for (const child of children) visit(child);
  };
  visit(machine.root);
  return leaves.sort();
}

export const valueText = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : Object.entries(value as Record<string, unknown>)
        .map(([key, inner]) => `${key}.${valueText(inner)}`)
        .join(' ');
