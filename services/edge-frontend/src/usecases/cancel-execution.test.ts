import { AppError, systemClock } from '@gantry/kernel';
import type { Execution, ExecutionStore } from '@gantry/store';
import { describe, expect, it } from '@jest/globals';
import type { CallJournal } from './call-journal.js';
import { type CancelDeps, cancelExecution } from './cancel-execution.js';
import { ExecutionSignals } from './execution-signals.js';
import type { WaitingCalls } from './waiting-calls.js';

const ada = { user: 'ada', org: undefined, role: 'user' } as const;

/** One stored asynchronous execution, and a record of what was done in which order. */
function setUp(status: 'queued' | 'running', finish?: () => Promise<boolean>) {
  const events: string[] = [];
  const execution = {
    id: 'async.1',
    owner: 'ada',
    flavour: 'Nature',
    status,
    res: undefined,
    err: undefined,
  };
  const executions: Pick<ExecutionStore, 'find' | 'finish' | 'isPurged'> = {
    find: async () => execution as unknown as Execution,
    isPurged: async () => false,
    finish: async (_id, attempt, end) => {
      events.push(`write ${end.status} for attempt ${attempt}`);
      const isFirst = (await finish?.()) ?? true;
      events.push('written');
      return isFirst;
    },
  };
  const deps: CancelDeps = {
    executions: executions as ExecutionStore,
    // Neither written behind nor waited for here.
    journal: { find: () => undefined } as unknown as CallJournal,
    waiting: { find: () => undefined } as unknown as WaitingCalls,
    signals: new ExecutionSignals(10),
    clock: systemClock,
    sendCancel: (id, flavour) => void events.push(`tell the runtimes of ${flavour} about ${id}`),
  };
  const cancel = () => cancelExecution(deps, 'async.1', ada, new AbortController().signal);
  return { cancel, events, execution };
}

describe('the cancellation of what is queued', () => {
  it('is written before a runtime is told, which then drops the message', async () => {
    const { cancel, events } = setUp('queued');
    await cancel();
    expect(events).toEqual([
      'write cancelled for attempt 0',
      'written',
      'tell the runtimes of Nature about async.1',
    ]);
  });

  it('is not told to anybody when it cannot be written: the execution stays queued for somebody', async () => {
    const { cancel, events } = setUp('queued', () => Promise.reject(new AppError('store-unavailable')));
    await expect(cancel()).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(events).toEqual(['write cancelled for attempt 0']);
  });
});

it('what runs is told first, so that its own report with the log can be the end; then it is written', async () => {
  const { cancel, events } = setUp('running');
  await cancel();
  expect(events).toEqual([
    'tell the runtimes of Nature about async.1',
    'write cancelled for attempt 0',
    'written',
    'tell the runtimes of Nature about async.1',
  ]);
});

it('an execution that ended meanwhile is refused by the name of its end', async () => {
  const { cancel, execution } = setUp('queued', async () => {
    Object.assign(execution, { status: 'succeeded', res: 'MQ==' });
    return false;
  });
  await expect(cancel()).rejects.toMatchObject({
    code: 'execution-finished',
    message: 'The execution async.1 is succeeded already',
  });
});
