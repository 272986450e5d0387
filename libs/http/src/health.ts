import { newId } from '@gantry/kernel';
import type { Express } from 'express';
import { send } from './send.js';
import type { VersionInfo } from './version.js';

/** One condition of readiness. */
export interface ReadinessCheck {
  readonly name: string;
  /** Undefined when it holds, else why not, in a sentence. Answers fast; it is called on every probe. */
  check(): string | undefined | Promise<string | undefined>;
}

export interface HealthOptions {
  readonly version: VersionInfo;
  readonly readiness: readonly ReadinessCheck[];
}

/** `/livez` (the event loop answers), `/readyz[?verbose]` (every check holds), `/version`. */
export function mountHealth(app: Express, options: HealthOptions): void {
  app.get('/livez', (_request, response) => send(response, { status: 200, json: { status: 'ok' } }, newId()));
  app.get('/version', (_request, response) =>
    send(response, { status: 200, json: options.version }, newId()),
  );
  app.get('/readyz', async (request, response) => {
    const results = await Promise.all(options.readiness.map(runCheck));
    const isReady = results.every(({ ok }) => ok);
    const failing = results.filter(({ ok }) => !ok);
    const json = {
      status: isReady ? 'ok' : 'not-ready',
      ...('verbose' in request.query ? { checks: results } : isReady ? {} : { checks: failing }),
    };
    const headers: Record<string, string> = isReady ? {} : { 'retry-after': '1' };
    send(response, { status: isReady ? 200 : 503, json, headers }, newId());
  });
}

async function runCheck(one: ReadinessCheck): Promise<{ name: string; ok: boolean; reason?: string }> {
  try {
    const reason = await one.check();
    return reason === undefined ? { name: one.name, ok: true } : { name: one.name, ok: false, reason };
  } catch {
    return { name: one.name, ok: false, reason: 'the check failed; see the log' };
  }
}
