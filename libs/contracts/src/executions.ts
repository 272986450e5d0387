import { z } from 'zod';
import { languages } from './documents.js';

export const executionStatuses = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
  'dead',
] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

/** States that never change again. */
export const terminalStatuses = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'] as const;
export type TerminalStatus = (typeof terminalStatuses)[number];
export const isTerminal = (status: ExecutionStatus): status is TerminalStatus =>
  status !== 'queued' && status !== 'running';

export const executionModes = ['sync', 'async'] as const;
export type ExecutionMode = (typeof executionModes)[number];

/** What every execution answers, on all wires. All three keys are always there: the C client dereferences them. */
export const execResultSchema = z
  .object({
    ret_code: z.number().int().meta({ description: '0, or -1 when the function failed or could not run' }),
    res: z.string().meta({ description: "Base64 in the function's own language, also on error" }),
    err: z.string().nullable(),
  })
  .meta({ id: 'ExecResult' });
export type ExecResult = z.infer<typeof execResultSchema>;

/** An execution as its owner reads it. */
export const executionViewSchema = z
  .object({
    execution_id: z.string(),
    status: z.enum(executionStatuses),
    mode: z.enum(executionModes),
    function_id: z.number().int(),
    app_req_id: z.number().int(),
    language: z.enum(languages),
    flavour: z.string(),
    owner: z.string(),
    attempt: z.number().int().meta({ description: 'How often the execution was started' }),
    ret_code: z.number().int().nullable(),
    res: z.string().nullable(),
    err: z.string().nullable(),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    finished_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().meta({ description: 'Not started after this instant' }),
    progress: z.number().min(0).max(1).nullable().optional(),
  })
  .meta({ id: 'Execution' });
export type ExecutionView = z.infer<typeof executionViewSchema>;

/** Body of a 202. */
export const acceptedSchema = z
  .object({ execution_id: z.string(), status: z.enum(executionStatuses) })
  .meta({ id: 'Accepted' });
export type Accepted = z.infer<typeof acceptedSchema>;
