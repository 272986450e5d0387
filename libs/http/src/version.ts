import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '@gantry/config';

export interface VersionInfo {
  readonly name: string;
  readonly version: string;
  /** Git commit, or `unknown` outside a checkout. */
  readonly commit: string;
}

/** The version in a package's package.json, with the commit of GANTRY_COMMIT or of the checkout around it. */
export function readVersion(name: string, packageUrl: URL): VersionInfo {
  const { version } = JSON.parse(readFileSync(packageUrl, 'utf8')) as { version: string };
  const commit = readEnvironment('GANTRY_COMMIT') ?? readCommit(dirname(fileURLToPath(packageUrl)));
  return { name, version, commit: commit ?? 'unknown' };
}

/** The commit that `.git` of this folder or one above it stands at, read without git. */
function readCommit(folder: string): string | undefined {
  const git = join(folder, '.git');
  if (existsSync(git)) return readHead(git);
  return dirname(folder) === folder ? undefined : readCommit(dirname(folder));
}

function readHead(git: string): string | undefined {
  try {
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    const branch = /^ref: (.+)$/.exec(head)?.[1];
    if (branch === undefined) return head;
    if (existsSync(join(git, branch))) return readFileSync(join(git, branch), 'utf8').trim();
    const packed = readFileSync(join(git, 'packed-refs'), 'utf8');
    return packed
      .split('\n')
      .find((line) => line.endsWith(` ${branch}`))
      ?.split(' ')[0];
  } catch {
    return undefined;
  }
}
