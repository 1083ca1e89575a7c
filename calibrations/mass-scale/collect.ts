// Reads dimuon events and computes candidate masses per data run, with a momentum scale applied. Momenta and masses in GeV.
import { readColumns } from '../csv.ts';
import type { Dimuons } from './fit.ts';

export interface DimuonSelection {
  /** Least transverse momentum of both muons after scaling, GeV. */
  readonly minPt: number;
  /** Range of the mass after scaling, GeV. */
  readonly mass: readonly [low: number, high: number];
}

export const SELECTION: DimuonSelection = { minPt: 20, mass: [60, 120] };

/** Columns of the CMS open data (record 545 of the CERN Open Data portal): transverse momentum, pseudorapidity, azimuth, charge of either muon. */
const COLUMNS = ['Run', 'pt1', 'eta1', 'phi1', 'Q1', 'pt2', 'eta2', 'phi2', 'Q2'] as const;

/**
 * Mass of a pair of massless particles: m = sqrt(2 pt1 pt2 (cosh(eta1 - eta2) - cos(phi1 - phi2))), in the unit of pt.
 * The mass of the muon, 0.106 GeV, changes a mass near 91 GeV by less than 0.001 GeV.
 */
export function dimuonMass(pt1: number, eta1: number, phi1: number, pt2: number, eta2: number, phi2: number): number {
  // cosh - cos = 2 (sinh^2 + sin^2) of half the differences: exact also for nearly parallel muons.
  return 2 * Math.sqrt(pt1 * pt2 * (Math.sinh((eta1 - eta2) / 2) ** 2 + Math.sin((phi1 - phi2) / 2) ** 2));
}

/** Candidates by data run: opposite charges, both momenta and the mass within `selection`. Throws `file:line: what is wrong`. */
export async function collectDimuons(
  files: readonly string[],
  selection: DimuonSelection,
  scaleOf: (run: number) => Promise<number>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<number, Dimuons>> {
  const pairs = new Map<number, { readonly mass: number; readonly pt: readonly [number, number] }[]>();
  for (const file of files) {
    await readColumns(
      file,
      COLUMNS,
      ([run = 0, pt1 = 0, eta1 = 0, phi1 = 0, q1 = 0, pt2 = 0, eta2 = 0, phi2 = 0, q2 = 0], line) => {
        if (pt1 < 0 || pt2 < 0) throw new Error(`${file}:${line}: transverse momenta are ${pt1} and ${pt2} GeV; expected positive numbers`);
        const list = pairs.get(run) ?? [];
        pairs.set(run, list);
        if (q1 * q2 < 0) list.push({ mass: dimuonMass(pt1, eta1, phi1, pt2, eta2, phi2), pt: [pt1, pt2] });
      },
      signal,
    );
  }
  const result = new Map<number, Dimuons>();
  for (const [run, list] of pairs) result.set(run, select(list, await scaleOf(run), selection));
  return result;
}

function select(
  pairs: readonly { readonly mass: number; readonly pt: readonly [number, number] }[],
  scale: number,
  { minPt, mass }: DimuonSelection,
): Dimuons {
  const kept = pairs.filter((pair) => pair.mass * scale > mass[0] && pair.mass * scale < mass[1] && Math.min(...pair.pt) * scale > minPt);
  return { scale, mass: kept.map((pair) => pair.mass * scale), pt: kept.map(({ pt: [pt1, pt2] }) => [pt1 * scale, pt2 * scale]) };
}
