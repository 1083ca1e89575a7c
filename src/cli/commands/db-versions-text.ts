// What `caf db` says to people about versions: states, names and their history. Pure.
import { bytesText } from '../../database/filesystem.ts';
import type { GarbageReport } from '../../database/gc.ts';
import type { Listing, NamedVersion } from '../../database/names.ts';
import type { PublishReport, RollbackReport } from '../../database/publish-campaign.ts';
import type { RefChange } from '../../database/refs-file.ts';
import type { StateChange } from '../../database/state.ts';
import { count, drawTable, oneLine } from '../../report/text.ts';
import { type DrawContext, shortId } from './db-text.ts';

export function drawStates(
  directory: string,
  state: string,
  changes: readonly StateChange[],
  { style, short }: DrawContext,
): readonly string[] {
  const head = `${style.paint('bold', short(directory))}   ${state === 'invalid' ? style.paint('red', state) : state}`;
  if (changes.length === 0) return [head];
  const rows = changes.map((change) => [oneLine(change.at), change.state, oneLine(change.actor), oneLine(change.note)]);
  const [header = '', ...lines] = drawTable(['at', 'state', 'by', 'note'], rows);
  return [head, '', style.paint('dim', header), ...lines];
}

export function drawListing({ refs, versions, problems }: Listing, { style, short }: DrawContext): readonly string[] {
  const stateText = (state: string) => (['invalid', 'missing', 'unreadable'].includes(state) ? style.paint('red', state) : state);
  const named = refs.map((ref) => [
    ref.name,
    ref.kind,
    shortId(ref.versionId),
    stateText(ref.state),
    oneLine(ref.at),
    ref.directory === null ? '-' : short(ref.directory),
  ]);
  const [header = '', ...lines] = drawTable(['name', 'is a', 'version', 'state', 'since', 'database'], named);
  const names = refs.length === 0 ? ['no names'] : [style.paint('dim', header), ...lines];
  const broken = problems.map(({ directory, message }) => `${style.mark('warning')} ${short(directory)}: ${oneLine(message)}`);
  if (versions === null) return [...names, ...broken];
  const rows = versions.map((version) => [
    shortId(version.versionId),
    stateText(version.state),
    oneLine(version.createdAt),
    version.directory,
  ]);
  const [head = '', ...all] = drawTable(['version', 'state', 'made at', 'database'], rows);
  return [...names, '', ...(versions.length === 0 ? ['no versions'] : [style.paint('dim', head), ...all]), ...broken];
}

export function drawNamed({ name, kind, old, new: now, dryRun }: NamedVersion, { style }: DrawContext): readonly string[] {
  const mark = dryRun ? 'would be:' : style.mark('done');
  if (now === null) return [`${mark} the ${kind} ${name} is removed; it stood for version ${shortId(old)}`];
  if (old === now) return [`${mark} the ${kind} ${name} stands for version ${shortId(now)}, as before`];
  return [`${mark} ${kind} ${name} ${style.arrow} version ${shortId(now)}${old === null ? '' : `   before: ${shortId(old)}`}`];
}

export function drawReflog(changes: readonly RefChange[], { style }: DrawContext): readonly string[] {
  if (changes.length === 0) return ['no name was ever given here'];
  const rows = changes.map((change) => [
    oneLine(change.at),
    change.ref,
    shortId(change.old),
    style.arrow,
    shortId(change.new),
    oneLine(change.actor),
    oneLine(change.reason),
  ]);
  const [header = '', ...lines] = drawTable(['at', 'name', 'from', '', 'to', 'by', 'why'], rows);
  return [style.paint('dim', header), ...lines, '', count(changes.length, 'change')];
}

export function drawPublication(
  { tag, directory, versionId, previous, changes }: PublishReport,
  { style, short }: DrawContext,
): readonly string[] {
  if (versionId === null) return [`would be published as ${tag}, in ${short(directory)}${previous === null ? '' : `, after ${previous}`}`];
  const head = `${style.mark('done')} published as ${tag}   version ${shortId(versionId)}   ${short(directory)}`;
  if (previous === null) return [head];
  return [
    head,
    `  ${changes ?? 'an unknown number of'} intervals differ from ${previous}   caf db diff ${previous} ${tag}   back: caf db rollback`,
  ];
}

export const drawRollback = ({ from, to, directory, dryRun }: RollbackReport, { style, short }: DrawContext): readonly string[] => [
  `${dryRun ? 'would be:' : style.mark('done')} published ${style.arrow} ${to}   before: ${from}   ${short(directory)}`,
];

export function drawGarbage(report: GarbageReport, { style }: DrawContext): readonly string[] {
  const { dead, leftovers, expired, kept, swept } = report;
  const bytes = dead.reduce((sum, { size }) => sum + size, 0);
  const rows = dead.map(({ sha256, size, storedAt }) => [sha256, bytesText(size), storedAt]);
  const [header = '', ...lines] = drawTable(['object', 'size', 'stored at'], rows);
  const verb = swept ? ['moved to the trash', 'removed', 'deleted for good'] : ['not needed', 'left behind', 'in the trash long enough'];
  return [
    ...(dead.length === 0 ? [] : [style.paint('dim', header), ...lines, '']),
    `${swept ? style.mark('done') : style.mark('warning')} ${count(dead.length, 'object')} ${verb[0]} (${bytesText(bytes)})   ${leftovers.length} ${verb[1]}   ${expired.length} ${verb[2]}`,
    `  ${kept.referenced} are referred to, ${kept.young} are younger than the grace period`,
    ...(swept || dead.length + leftovers.length + expired.length === 0 ? [] : ['  nothing was touched: caf db gc --delete']),
  ];
}
