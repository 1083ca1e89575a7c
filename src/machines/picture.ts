// Draws a machine as a Mermaid state diagram, from the machine itself, so that the picture cannot lie.
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { algorithmMachine } from './algorithm-machine.ts';
import { calibrationMachine } from './calibration-machine.ts';
import { campaignMachine } from './campaign-machine.ts';
import { jobMachine } from './job-machine.ts';

const MACHINES = {
  campaign: campaignMachine,
  calibration: calibrationMachine,
  algorithm: algorithmMachine,
  job: jobMachine,
} as const satisfies Record<string, AnyStateMachine>;

export const MACHINE_NAMES = Object.keys(MACHINES) as readonly (keyof typeof MACHINES)[];

/** Mermaid text of a machine, or null when there is none of this name. */
export function machinePicture(name: string): string | null {
  const machine: AnyStateMachine | undefined = Object.hasOwn(MACHINES, name) ? MACHINES[name as keyof typeof MACHINES] : undefined;
  if (machine === undefined) return null;
  return `${['stateDiagram-v2', ...drawChildren(machine.root, 1)].join('\n')}\n`;
}

const idOf = (node: AnyStateNode): string => node.path.join('_');

function drawChildren(node: AnyStateNode, depth: number): readonly string[] {
  const indent = '  '.repeat(depth);
  const children: AnyStateNode[] = Object.values(node.states);
  const first = node.initial.target?.[0];
  return [
    ...(first === undefined ? [] : [`${indent}[*] --> ${idOf(first)}`]),
    ...children.flatMap((child) => {
      const own = [...child.transitions.values()].flat();
      const all = [...own, ...(child.always ?? [])];
      const arrows = all
        .flatMap((transition) =>
          (transition.target ?? [child]).map(
            (target: AnyStateNode) => `${indent}${idOf(child)} --> ${idOf(target)}: ${label(transition.eventType, transition.guard)}`,
          ),
        )
        // An event that changes no state needs no arrow.
        .filter((arrow) => !arrow.startsWith(`${indent}${idOf(child)} --> ${idOf(child)}:`));
      const inner =
        Object.keys(child.states).length === 0 ? [] : [`${indent}state ${idOf(child)} {`, ...drawChildren(child, depth + 1), `${indent}}`];
      const ends = child.type === 'final' && depth === 1 ? [`${indent}${idOf(child)} --> [*]`] : [];
      return [`${indent}state "${child.key}" as ${idOf(child)}`, ...inner, ...new Set(arrows), ...ends];
    }),
  ];
}

function label(event: string, guard: unknown): string {
  const name =
    typeof guard === 'object' && guard !== null && 'type' in guard ? String(guard.type) : typeof guard === 'string' ? guard : null;
  const done = /^xstate\.(done|error)\.actor\.(?:[^.]+\.)*?(\w+)$/.exec(event);
  const text = done === null ? event : `${done[2]} ${done[1]}`;
  return `${text}${name === null ? '' : ` [${name}]`}`.trim() || 'always';
}
