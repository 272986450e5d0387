import { resolve } from 'node:path';
import { ConfigError } from '@gantry/config';
import { messageOf } from '@gantry/kernel';
import { makePrivateFolder } from './core/state-folder.js';

/** The data folder of the agent. @throws {ConfigError} that names the folder and its setting: it cannot be used */
export async function makeDataFolder(path: string): Promise<void> {
  try {
    await makePrivateFolder(path);
  } catch (error) {
    throw new ConfigError([
      `GANTRY_AGENT_DATA_DIR (--data-dir): the agent keeps its data in ${resolve(path)}, which it cannot use: ${messageOf(error)}. Name a folder that its user may write to.`,
    ]);
  }
}
