// Which entry of its database wins on a segment, and when it was made: a segment joins what several entries say alike.
import type { MaterialSegment, OpenChain } from './chain.ts';
import { paintEntries } from './content.ts';
import { lastBeginning, type Parts } from './resolve.ts';

export interface Winners {
  /**
   * A segment in pieces, each with the `seq` of the entry that wins there. Where none of its payload does (an edit reaches farther than
   * its database), the piece before goes on.
   */
  split(segment: MaterialSegment): readonly MaterialSegment[];
  /** RFC 3339, UTC; null for nothing. */
  timeOf(segment: MaterialSegment | null): string | null;
}

interface Layer {
  readonly parts: Parts;
  /** Of each entry of the name, in commit order. */
  readonly seqs: readonly number[];
  readonly digests: readonly string[];
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
        digests: entries.map(({ payload }) => payload.sha256),
        times: new Map(entries.map(({ seq, transaction }) => [seq, transactions[transaction]?.at ?? ''])),
      };
      layers.set(key, layer);
    }
    return layer;
  };
  return {
    split(segment) {
      const { parts, seqs, digests } = layerOf(segment);
      const pieces: MaterialSegment[] = [];
      let open = segment;
      for (let at = Math.max(lastBeginning(parts.lo, segment.lo), 0); at < parts.length && (parts.lo[at] ?? 0) <= segment.hi; at++) {
        const winner = parts.winner[at] ?? 0;
        if ((parts.hi[at] ?? 0) < segment.lo || digests[winner] !== segment.payload.sha256) continue;
        const lo = Math.max(parts.lo[at] ?? 0, segment.lo);
        if (lo > open.lo) pieces.push({ ...open, hi: lo - 1 });
        open = { ...segment, lo, seq: seqs[winner] ?? segment.seq };
      }
      pieces.push(open);
      return pieces;
    },
    timeOf: (segment) => (segment === null ? null : (layerOf(segment).times.get(segment.seq) ?? null)),
  };
}
