// Momentum scale and mass resolution of the CMS muons from Z -> mu mu in open data of 2011.
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defineConfig, local } from 'calibration-framework';
import { massResolution } from 'calibration-framework/calibrations/mass-resolution';
import { massScale } from 'calibration-framework/calibrations/mass-scale';

const FILE = 'Zmumu_Run2011A.csv';
const files = [findData(process.env.CAF_DATA)];
/** The file names data runs only; all of Run2011A is one experiment here. */
const experiment = 11;

const scale = massScale({ files, experiment });
const resolution = massResolution({ files, experiment, dependsOn: [scale] });

export default defineConfig({ backend: local({ slots: 2 }), calibrations: [scale, resolution] });

/** CAF_DATA is the file, its directory, or a directory that holds cms-open-data/ with the file. */
function findData(place: string | undefined): string {
  const download = `Download ${FILE} from the CERN Open Data portal, https://opendata.cern.ch/record/545, and say where it is: CAF_DATA=/path/to/${FILE}`;
  if (place === undefined || place === '') throw new Error(`CAF_DATA is not set. ${download}`);
  const candidates = [resolve(place), resolve(place, FILE), join(resolve(place), 'cms-open-data', FILE)];
  const found = candidates.find((path) => existsSync(path) && statSync(path).isFile());
  if (found === undefined) throw new Error(`CAF_DATA is ${place}, but there is none of ${candidates.join(', ')}. ${download}`);
  return found;
}
