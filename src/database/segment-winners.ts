// Which entry of its database wins on a segment, and when it was made: a segment joins what several entries say alike.
import type { MaterialSegment, OpenChain } from './chain.ts';
import { paintEntries } from './content.ts';
import { lastBeginning, type Parts } from './resolve.ts';

export interface Winners {
  /** A segment in pieces, each of one entry: `seq` is its own, and so is its time. */
  split(segment: MaterialSegment): readonly MaterialSegment[];
  /** RFC 3339, UTC; null for nothing. */
  timeOf(segment: MaterialSegment | null): string | null;
}

interface Layer {
  readonly parts: Parts;
  /** Of each entry of the name, in commit order. */
  readonly seqs: readonly number[];
  readonly times: ReadonlyMap<number, string>;
}

/** Each name of each database is looked at once. */
export function createWinners(chain: OpenChain): Winners {
  const layers = new Map<string, Layer>();
  const layerOf = ({ member, name }: MaterialSegment): Layer => {
    const key = `${member} ${name}`;
    let layer = layers.get(key);
    if (layer === undefined) {
      const database = chain.database(member);
      const [entries, transactions] = [database.entries(name), database.transactions()];
      layer = {
        parts: paintEntries(entries),
        seqs: entries.map(({ seq }) => seq),
        times: new Map(entries.map(({ seq, transaction }) => [seq, transactions[transaction]?.at ?? ''])),
      };
      layers.set(key, layer);
    }
    return layer;
  };
  return {
    split(segment) {
      const { parts, seqs } = layerOf(segment);
      const pieces: MaterialSegment[] = [];
      for (let at = Math.max(lastBeginning(parts.lo, segment.lo), 0); at < parts.length && (parts.lo[at] ?? 0) <= segment.hi; at++) {
        const [lo, hi] = [Math.max(parts.lo[at] ?? 0, segment.lo), Math.min(parts.hi[at] ?? 0, segment.hi)];
        if (lo <= hi) pieces.push({ ...segment, lo, hi, seq: seqs[parts.winner[at] ?? 0] ?? segment.seq });
      }
      return pieces;
    },
    timeOf: (segment) => (segment === null ? null : (layerOf(segment).times.get(segment.seq) ?? null)),
  };
}
