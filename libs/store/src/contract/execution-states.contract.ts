/**
 * The life of one execution against a model of it: random commands in random order, and after each the row must be what
 * the model says. The model is the table of states written down a second time, without a database.
 */
import { isTerminal, type TerminalStatus } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Execution, ExecutionStore } from '../ports.js';
import { anExecution, anOutcome, now, parameters, type StoreContractHarness, useStore } from './fixtures.js';

type Command =
  | { readonly kind: 'lease'; readonly redelivered: boolean }
  | { readonly kind: 'finish'; readonly attempt: number; readonly status: TerminalStatus }
  | { readonly kind: 'progress'; readonly attempt: number }
  | { readonly kind: 'requeue'; readonly all: boolean }
  | { readonly kind: 'publish' | 'expire' | 'purge' | 'withdraw' }
  | { readonly kind: 'wait'; readonly ms: number };

interface Model {
  readonly status: Execution['status'] | 'gone';
  readonly attempt: number;
  readonly expiresAtMs: number;
  readonly leasedAtMs: number;
  readonly finishedAtMs: number;
  readonly isPublished: boolean;
  readonly isPurged: boolean;
}

const maxAttempts = 3;
const graceMs = 500;
const { queueMs, runMs } = anExecution('x');
const statuses: readonly TerminalStatus[] = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'];

const commands = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('lease' as const), redelivered: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      attempt: fc.integer({ min: 0, max: maxAttempts + 1 }),
      status: fc.constantFrom(...statuses),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('progress' as const), attempt: fc.nat(maxAttempts) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('requeue' as const), all: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('publish' as const, 'expire' as const, 'purge' as const, 'withdraw' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 9000 }) }),
  },
);

/** What the row must look like after the command. */
function next(model: Model, command: Command, nowMs: number): Model {
  if (model.status === 'gone') return model;
  const finish = (status: TerminalStatus): Model => ({ ...model, status, finishedAtMs: nowMs });
  if (isTerminal(model.status)) {
    return command.kind === 'purge' && model.finishedAtMs < nowMs ? { ...model, isPurged: true } : model;
  }
  const isQueued = model.status === 'queued';
  switch (command.kind) {
    case 'lease':
      if (isQueued && model.expiresAtMs < nowMs) return finish('expired');
      if (!isQueued && !command.redelivered) return model;
      if (model.attempt >= maxAttempts) return finish('dead');
      return { ...model, status: 'running', attempt: model.attempt + 1, leasedAtMs: nowMs };
    case 'finish':
      // Only what waits can expire.
      if (command.status === 'expired' && !isQueued) return model;
      return command.attempt <= model.attempt ? finish(command.status) : model;
    case 'requeue': {
      const isLost = isQueued
        ? command.all && model.isPublished
        : command.all || model.leasedAtMs + runMs + graceMs < nowMs;
      if (!isLost) return model;
      if (model.attempt >= maxAttempts) return finish('dead');
      const expiresAtMs = isQueued ? model.expiresAtMs : Math.max(model.expiresAtMs, nowMs + queueMs);
      return { ...model, status: 'queued', isPublished: false, expiresAtMs };
    }
    case 'publish':
      return { ...model, isPublished: true };
    case 'expire':
      return isQueued && model.expiresAtMs + graceMs < nowMs ? finish('expired') : model;
    case 'withdraw':
      return isQueued && model.attempt === 0 && !model.isPublished ? { ...model, status: 'gone' } : model;
    default:
      return model;
  }
}

async function apply(
  executions: ExecutionStore,
  id: string,
  command: Command,
  nowMs: number,
): Promise<unknown> {
  switch (command.kind) {
    case 'lease':
      return executions.leaseStart({
        id,
        runtimeId: 'r',
        redelivered: command.redelivered,
        maxAttempts,
        nowMs,
      });
    case 'finish':
      return executions.finish(
        id,
        command.attempt,
        anOutcome({ status: command.status, finishedAtMs: nowMs }),
      );
    case 'progress':
      return executions.setProgress(id, command.attempt, 500);
    case 'requeue':
      return executions.requeueLost({ all: command.all, graceMs, maxAttempts, nowMs });
    case 'publish':
      return executions.markPublished(id, nowMs);
    case 'expire':
      return executions.expireOverdue(nowMs, graceMs);
    case 'purge':
      return executions.purge({ finishedBeforeMs: nowMs, dropBeforeMs: 0 });
    case 'withdraw':
      return executions.withdraw(id);
    case 'wait':
      return undefined;
  }
}

export function describeExecutionStates(harness: StoreContractHarness): void {
  describe('states of executions', () => {
    const opened = useStore(harness);
    let runs = 0;

    it('are those of the model after any commands in any order', async () => {
      const { executions } = opened().store;
      const property = fc.asyncProperty(
        fc.array(commands, { minLength: 1, maxLength: 20 }),
        async (sequence) => {
          runs += 1;
          const id = `async.${runs}`;
          let nowMs = now;
          let model: Model = {
            status: 'queued',
            attempt: 0,
            expiresAtMs: now + queueMs,
            leasedAtMs: 0,
            finishedAtMs: 0,
            isPublished: false,
            isPurged: false,
          };
          await executions.accept(anExecution(id), parameters);
          for (const command of sequence) {
            if (command.kind === 'wait') nowMs += command.ms;
            const before = await executions.find(id);
            const outcome = await apply(executions, id, command, nowMs);
            const expected = next(model, command, nowMs);
            const row = await executions.find(id);
            expect(row?.status ?? 'gone').toBe(expected.status);
            if (row !== undefined) {
              expect(row).toMatchObject({ attempt: expected.attempt, expiresAtMs: expected.expiresAtMs });
              expect(row.attempt).toBeLessThanOrEqual(maxAttempts);
              expect(await executions.isPurged(id)).toBe(expected.isPurged);
            }
            if (before !== undefined && isTerminal(before.status) && command.kind !== 'purge')
              expect(row).toEqual(before);
            if (command.kind === 'lease') expect(outcome).toEqual(leaseOutcome(model, expected));
            if (command.kind === 'finish') expect(outcome).toBe(expected !== model);
            model = expected;
          }
          // The next sequence starts alone: upkeep sees every row of the store.
          await executions.finish(id, 0, anOutcome({ finishedAtMs: 0 }));
          await executions.purge({
            finishedBeforeMs: Number.MAX_SAFE_INTEGER,
            dropBeforeMs: Number.MAX_SAFE_INTEGER,
          });
        },
      );
      await fc.assert(property, { numRuns: 60 });
    }, 60_000);
  });
}

function leaseOutcome(before: Model, after: Model) {
  if (before.status === 'gone') return { kind: 'refused', reason: 'unknown' };
  if (isTerminal(before.status)) return { kind: 'refused', reason: before.status };
  if (after.attempt > before.attempt) return { kind: 'granted', attempt: after.attempt };
  if (after.status === 'dead') return { kind: 'refused', reason: 'exhausted' };
  return { kind: 'refused', reason: after.status };
}
