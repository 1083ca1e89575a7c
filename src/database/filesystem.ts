// On what kind of file system a directory lies, and how much space is left. WAL needs memory shared between processes, which network file systems lack.
import { type StatsFs, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Type numbers of statfs(2). FUSE is here because sshfs, EOS and virtual machines' shares use it; a local FUSE only loses a little speed. */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x65735546, 'FUSE'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x00c36400, 'Ceph'],
  [0x19830326, 'BeeGFS'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
  [0x01021997, '9p'],
  [0x73757245, 'Coda'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x013111a8, 'IBRIX'],
]);

/** Only their names: they are no different to caf. */
const LOCAL_TYPES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'XFS'],
  [0x9123683e, 'Btrfs'],
  [0x2fc12fc1, 'ZFS'],
  [0xf2f52010, 'F2FS'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
]);

export interface FileSystem {
  readonly kind: 'local' | 'network';
  /** For people: `NFS`, `ext4`, or the kind where that is all that is known. */
  readonly name: string;
  /** Space left for this user; null when the system does not tell. */
  readonly freeBytes: number | null;
  /** Inodes left; null when the system does not tell or has no such limit. */
  readonly freeFiles: number | null;
}

/** What statfs says of the directory, or of its nearest ancestor that exists. CAF_FILESYSTEM=network|local overrules the kind. */
export function readFileSystem(directory: string, env: NodeJS.ProcessEnv = process.env): FileSystem {
  const stats = statfsOfNearest(resolve(directory));
  const found = stats === null ? undefined : NETWORK_TYPES.get(stats.type >>> 0);
  const forced = env.CAF_FILESYSTEM;
  const kind = forced === 'network' || forced === 'local' ? forced : found === undefined ? 'local' : 'network';
  return {
    kind,
    name: found ?? (stats === null ? undefined : LOCAL_TYPES.get(stats.type >>> 0)) ?? kind,
    freeBytes: stats === null ? null : stats.bavail * stats.bsize,
    freeFiles: stats === null || stats.files === 0 ? null : stats.ffree,
  };
}

function statfsOfNearest(directory: string): StatsFs | null {
  try {
    return statfsSync(directory);
  } catch {
    const parent = dirname(directory);
    return parent === directory ? null : statfsOfNearest(parent);
  }
}

/** `41.0 kB left`; files only where few are left. */
export function spaceText({ freeBytes, freeFiles }: Pick<FileSystem, 'freeBytes' | 'freeFiles'>): string {
  const bytes = freeBytes === null ? 'space left is unknown' : `${bytesText(freeBytes)} left`;
  return freeFiles === null || freeFiles > 1000 ? bytes : `${bytes}, ${freeFiles} files left`;
}

/** `1.5 GB`, in the decimal units of disks. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
