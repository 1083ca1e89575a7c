// Stands in until config/load-config.ts is there.
import { pathToFileURL } from 'node:url';
import type { Config } from '../config/options.ts';

export const registerResolver = (): void => undefined;
export const loadConfig = async (path: string): Promise<{ raw: Config }> => ({ raw: (await import(pathToFileURL(path).href)).default });
