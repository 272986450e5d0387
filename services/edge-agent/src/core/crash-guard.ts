/**
 * What a plugin throws outside of any call (a timer, an event, a promise that nobody awaits) would end the process. Here
 * it ends the plugin instead, which is started again after a while.
 *
 * What cannot be traced to a plugin is a fault of the agent itself: it is logged, and the process ends, so that whoever
 * watches over it starts it anew in a known state.
 */
import { AsyncResource } from 'node:async_hooks';
import { type Logger, messageOf } from '@gantry/kernel';
import type { EdgeAgent } from '../app.js';

type Guarded = Pick<EdgeAgent, 'runningPlugin' | 'failPlugin'>;

/** @returns takes the guard away */
export function guardProcess(agent: Guarded, logger: Logger): () => void {
  const onError = (error: unknown): void => {
    const plugin = agent.runningPlugin();
    if (plugin === undefined) {
      logger.error('the agent failed', { op: 'agent.crash', error });
      process.exitCode = 1;
      // The logger writes in the background.
      setTimeout(() => process.exit(1), 100).unref();
      return;
    }
    logger.error('a plugin failed outside of a call', { op: 'plugin.crash', plugin, error });
    // Outside of the plugin's own context, so that what follows is not taken for its doing.
    new AsyncResource('crash-guard').runInAsyncScope(() => {
      void agent.failPlugin(plugin, `it failed outside of a call: ${messageOf(error).slice(0, 200)}`);
    });
  };
  // A rejection that nobody handles arrives here too, with the context of the promise.
  process.on('uncaughtException', onError);
  return () => process.off('uncaughtException', onError);
}
