import { jobSpecSchema } from '@gantry/contracts';
import { describe, expect, it } from '@jest/globals';
import { buildSbatchArguments, findUnsupportedBySlurm } from './sbatch-options.js';

const spec = (fields: Record<string, unknown>) => jobSpecSchema.parse({ executable: 'a', ...fields });
const paths = {
  script: '/j/script.sh',
  directory: '/home/a',
  stdin: undefined,
  stdout: '/j/o',
  stderr: '/j/e',
};

describe('a job spec for sbatch', () => {
  it('says every field as an option', () => {
    const args = buildSbatchArguments(
      spec({
        name: 'my job',
        resources: {
          ...{ nodes: 2, processes: 8, processes_per_node: 4, cores_per_process: 4, gpus_per_process: 1 },
          ...{ memory: '1500K', exclusive: true },
        },
        duration: 93_784,
        queue: 'gpu',
        account: 'physics',
        reservation: 'morning',
        constraints: 'a&b',
        array: { indices: '0-9:3,20', max_running: 2 },
        dependencies: [
          { job_id: 'x', condition: 'afterok' },
          { job_id: 'y', condition: 'afterany' },
        ],
        hold: true,
        custom_attributes: {
          'slurm.qos': 'high',
          'slurm.cpus_per_gpu': 2,
          'slurm.requeue': false,
          'slurm.overcommit': true,
          'slurm.contiguous': false,
          'slurm.nice': true,
          'slurm.propagate': 'STACK',
        },
      }),
      { ...paths, stdin: '/in 5%', stdout: '/j/stdout.{index}' },
      (id) => `1${id === 'x' ? 1 : 2}`,
    );
    expect(args).toEqual([
      '--parsable',
      '--job-name=my job',
      '--chdir=/home/a',
      '--input=/in 5%%',
      '--output=/j/stdout.%a',
      '--error=/j/e',
      '--open-mode=truncate',
      '--partition=gpu',
      '--account=physics',
      '--reservation=morning',
      '--constraint=a&b',
      '--time=1-02:03:04',
      '--nodes=2',
      '--ntasks=8',
      '--ntasks-per-node=4',
      '--cpus-per-task=4',
      '--gpus-per-task=1',
      '--mem=2M',
      '--array=0-9:3,20%2',
      '--dependency=afterok:11,afterany:12',
      '--kill-on-invalid-dep=yes',
      '--exclusive',
      '--hold',
      '--qos=high',
      '--cpus-per-gpu=2',
      '--no-requeue',
      '--overcommit',
      '--nice',
      '--propagate=STACK',
      '/j/script.sh',
    ]);
  });

  it('says nothing that was not asked for', () => {
    expect(buildSbatchArguments(spec({}), paths, () => '')).toEqual([
      '--parsable',
      '--job-name=gantry',
      '--chdir=/home/a',
      '--output=/j/o',
      '--error=/j/e',
      '--open-mode=truncate',
      '--kill-on-invalid-dep=yes',
      '/j/script.sh',
    ]);
  });

  it.each([
    [{ custom_attributes: { 'pbs.x': '1' } }, 'custom_attributes/pbs.x'],
    [{ custom_attributes: { 'slurm.uid': '0' } }, 'custom_attributes/slurm.uid'],
    [{ custom_attributes: { 'slurm.wrap': 'id' } }, 'custom_attributes/slurm.wrap'],
    [{ custom_attributes: { 'slurm.output': '/x' } }, 'custom_attributes/slurm.output'],
    [{ custom_attributes: { 'slurm.cpus_per_task': '1' } }, 'custom_attributes/slurm.cpus_per_task'],
    [
      { constraints: 'a', custom_attributes: { 'slurm.constraint': 'b' } },
      'custom_attributes/slurm.constraint',
    ],
    [{ custom_attributes: { 'slurm.comment': 'a\nb' } }, 'custom_attributes/slurm.comment'],
    // A value that is missing would be taken from the next word of the command line, or from the script's name.
    [{ custom_attributes: { 'slurm.comment': true } }, 'custom_attributes/slurm.comment'],
    [{ custom_attributes: { 'slurm.comment': '' } }, 'custom_attributes/slurm.comment'],
    [{ custom_attributes: { 'slurm.comment': false } }, 'custom_attributes/slurm.comment'],
    [{ custom_attributes: { 'slurm.requeue': 'yes' } }, 'custom_attributes/slurm.requeue'],
    // Of two that contradict each other sbatch takes the last one.
    [
      { custom_attributes: { 'slurm.gpu_bind': 'a', 'slurm.gpu-bind': 'b' } },
      'custom_attributes/slurm.gpu-bind',
    ],
    [
      { custom_attributes: { 'slurm.requeue': true, 'slurm.no-requeue': true } },
      'custom_attributes/slurm.no-requeue',
    ],
    [
      { resources: { memory: '1G' }, custom_attributes: { 'slurm.mem-per-cpu': '1G' } },
      'custom_attributes/slurm.mem-per-cpu',
    ],
    [
      { resources: { exclusive: true }, custom_attributes: { 'slurm.oversubscribe': true } },
      'custom_attributes/slurm.oversubscribe',
    ],
    [{ custom_attributes: { 'slurm.ntasks-per-node': 2 } }, 'custom_attributes/slurm.ntasks-per-node'],
    [{ custom_attributes: { 'slurm.export-file': '/x' } }, 'custom_attributes/slurm.export-file'],
    [{ stdout_path: 'a\\b' }, 'stdout_path'],
    [{ environment: { OPTIND: 'x' } }, 'environment/OPTIND'],
    [{ environment: { UID: '0' } }, 'environment/UID'],
  ])('refuses what cannot be passed on: %j', (fields, field) => {
    expect(findUnsupportedBySlurm(spec(fields)).map(({ pointer }) => pointer)).toEqual([
      `/body/spec/${field}`,
    ]);
  });
});
