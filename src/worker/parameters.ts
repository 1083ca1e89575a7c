// The parameters of a program: the value of the payload named `parameters`, where the chain has one.
import type { Chain } from '../database/types.ts';
import type { Run } from '../domain/iov.ts';
import { decodePayload } from '../payloads/codec.ts';
import { valueVersion } from '../payloads/name.ts';

const PARAMETERS = 'parameters';

/** What is valid for this run; {} where there is none, or where it is no object: a file, a list, an intra-run payload. */
export function parametersIn(chain: Chain, run: Run): Readonly<Record<string, unknown>> {
  const answer = chain.lookup(PARAMETERS, run);
  if (answer === null || answer.boundaries !== null || valueVersion(answer.mediaType) === null) return {};
  const value = decodePayload(chain.read(answer));
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}
