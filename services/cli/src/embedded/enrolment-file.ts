import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The enrolment of the embedded cluster, kept across starts; only its owner can read it. */
export interface EnrolmentFile {
  /** The token kept for a cluster of this name; undefined when there is none, or the file cannot be understood. */
  read(name: string): string | undefined;
  /** Replaces it whole. */
  write(name: string, token: string): void;
}

export function enrolmentFile(dataDir: string): EnrolmentFile {
  const path = join(dataDir, 'cluster-enrolment.json');
  return {
    read: (name) => {
      try {
        const kept = JSON.parse(readFileSync(path, 'utf8')) as { name?: unknown; token?: unknown };
        return kept.name === name && typeof kept.token === 'string' ? kept.token : undefined;
      } catch {
        // Missing, cut off or of another kind: the cluster is enrolled anew, as at its first start.
        return undefined;
      }
    },
    write: (name, token) => {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      const draft = `${path}.${process.pid}`;
      try {
        writeFileSync(draft, JSON.stringify({ name, token }), { mode: 0o600, flush: true });
        renameSync(draft, path);
      } finally {
        rmSync(draft, { force: true });
      }
    },
  };
}
