// All payload definitions of this process, shared by every copy of the package that is loaded.
import type { PayloadDefinition } from '../domain/payload.ts';

// Symbol.for: a config may import another copy of the package than the caf that runs it, and both must see the same definitions.
const REGISTRY = Symbol.for('calibration-framework.payloads');

type Registry = Map<string, PayloadDefinition[]>;

function registry(): Registry {
  const shared = globalThis as { [REGISTRY]?: Registry };
  shared[REGISTRY] ??= new Map();
  return shared[REGISTRY];
}

export function registerPayload(definition: PayloadDefinition): void {
  const known = registry().get(definition.name);
  if (known === undefined) registry().set(definition.name, [definition]);
  else known.push(definition);
}

/** All definitions in the order of definePayload; names may repeat. */
export const definedPayloads = (): readonly PayloadDefinition[] => [...registry().values()].flat();
