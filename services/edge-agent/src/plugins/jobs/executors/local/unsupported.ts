/** What a machine without a batch system cannot do. Pure. */
import { availableParallelism } from 'node:os';
import type { JobSpec } from '@gantry/contracts';
import type { FieldError } from '@gantry/kernel';
import { findShellVariables } from '../shell-variables.js';

export interface Machine {
  readonly cores: number;
}

export const thisMachine = (): Machine => ({ cores: availableParallelism() });

/** Cores have to be there, and a job may use them all: they are not set aside. What could not be kept is refused. */
export function findUnsupportedLocally(spec: JobSpec, { cores }: Machine): readonly FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (field: string, detail: string) =>
    errors.push({ pointer: `/body/spec/${field}`, detail: `${field}: ${detail}` });
  for (const field of ['queue', 'account', 'reservation', 'constraints'] as const)
    if (spec[field] !== undefined) refuse(field, 'the executor local has nothing of the kind');
  for (const key of Object.keys(spec.custom_attributes))
    refuse(`custom_attributes/${key}`, 'the executor local knows no custom attributes');
  if (spec.launcher !== 'single') refuse('launcher', `the executor local has no ${spec.launcher}`);
  const {
    nodes = 1,
    processes = 1,
    processes_per_node = 1,
    cores_per_process: each = 1,
    gpus_per_process,
    memory,
    exclusive = false,
  } = spec.resources;
  if (nodes > 1) refuse('resources/nodes', 'the executor local has one node');
  if (processes > 1) refuse('resources/processes', 'the executor local starts one process');
  if (processes_per_node > 1) refuse('resources/processes_per_node', 'the executor local starts one process');
  if (each > cores) refuse('resources/cores_per_process', `this machine has ${cores}`);
  if (memory !== undefined)
    refuse('resources/memory', 'the executor local neither sets memory aside nor limits it');
  if (gpus_per_process !== undefined)
    refuse('resources/gpus_per_process', 'the executor local cannot hand out graphics cards');
  if (exclusive) refuse('resources/exclusive', 'the executor local shares its machine');
  return [...errors, ...findShellVariables(spec)];
}
