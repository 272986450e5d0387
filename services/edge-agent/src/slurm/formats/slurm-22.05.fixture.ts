/** As Slurm 22.05.8 of Debian 12 prints it; fields that nobody reads are left out. */

export const sinfoJson = JSON.stringify({
  meta: {
    plugin: { type: 'openapi/v0.0.38', name: 'Slurm OpenAPI v0.0.38' },
    Slurm: { version: { major: 22, micro: 8, minor: 5 }, release: '22.05.8' },
  },
  errors: [],
  nodes: [
    {
      architecture: 'x86_64',
      cpu_load: 535,
      cpus: 2,
      features: 'cpu,demo',
      active_features: 'cpu,demo',
      gres: '',
      gres_used: '',
      name: 'n0',
      state: 'mixed',
      state_flags: [],
      owner: null,
      partitions: ['debug'],
      real_memory: 2000,
      reason: '',
      alloc_memory: 0,
      alloc_cpus: 1,
      idle_cpus: 1,
      tres_used: 'cpu=1',
    },
    {
      cpus: 2,
      active_features: 'cpu',
      gres: 'gpu:tesla:2(S:0-1),gpu:4',
      name: 'n1',
      state: 'idle',
      state_flags: ['DRAIN'],
      partitions: ['debug', 'batch'],
      real_memory: 2000,
      reason: 'to be repaired',
      alloc_memory: 0,
      alloc_cpus: 0,
      tres_used: null,
    },
  ],
});

export const squeueJson = JSON.stringify({
  meta: { Slurm: { version: { major: 22, micro: 8, minor: 5 }, release: '22.05.8' } },
  errors: [],
  jobs: [
    {
      account: '',
      array_job_id: 1,
      array_task_id: 0,
      array_task_string: '',
      exit_code: 768,
      job_id: 4,
      job_state: 'FAILED',
      name: 't.sh',
      nodes: 'n0',
      cpus: 1,
      node_count: 1,
      partition: 'debug',
      priority: 4294901759,
      start_time: 1795247389,
      state_reason: 'NonZeroExitCode',
      submit_time: 1795247389,
      time_limit: 60,
      user_name: 'root',
    },
    {
      account: 'proj1',
      array_job_id: 0,
      array_task_id: null,
      array_task_string: '',
      job_id: 3,
      job_state: 'RUNNING',
      name: 'wrap',
      nodes: 'n0',
      cpus: 1,
      node_count: 1,
      partition: 'debug',
      priority: 4294901757,
      start_time: 1795247389,
      state_reason: 'None',
      submit_time: 1795247380,
      time_limit: 60,
      user_name: 'root',
    },
    {
      account: 'proj1',
      array_job_id: 8,
      array_task_id: null,
      array_task_string: '4-9%2',
      job_id: 8,
      job_state: 'PENDING',
      name: 'sweep',
      nodes: '',
      cpus: 1,
      node_count: 1,
      partition: 'debug,batch',
      priority: 0,
      start_time: 0,
      state_reason: 'JobHeldUser',
      submit_time: 1795247390,
      time_limit: 4294967295,
      user_name: 'ada',
    },
  ],
});

export const partitionsText = `PartitionName=debug AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=YES QoS=N/A DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes=UNLIMITED MaxTime=01:00:00 MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED Nodes=n[0-1] PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP TotalCPUs=4 TotalNodes=2 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED TRES=cpu=4,mem=4000M,node=2,billing=4
PartitionName=batch AllowGroups=staff DenyAccounts=guests,tests AllowQos=normal,few AllocNodes=ALL Default=NO QoS=few DefaultTime=00:30:00 DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO MaxNodes=4 MaxTime=UNLIMITED MinNodes=2 LLN=NO MaxCPUsPerNode=16 Nodes=n1 PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=DRAIN TotalCPUs=2 TotalNodes=1 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerCPU=1000 MaxMemPerNode=64000 TRES=cpu=2,mem=2000M,node=1,billing=2
`;

export const nodesText = `NodeName=n0 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=2 CPUTot=2 CPULoad=5.35 AvailableFeatures=cpu,demo ActiveFeatures=cpu,demo Gres=(null) NodeAddr=127.0.0.1 NodeHostName=vm Port=17000 Version=22.05.8 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=2000 AllocMem=0 FreeMem=21328 Sockets=2 Boards=1 State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=debug  BootTime=2026-11-21T03:23:52 SlurmdStartTime=2026-11-21T07:49:22 LastBusyTime=2026-11-21T07:49:22 CfgTRES=cpu=2,mem=2000M,billing=2 AllocTRES=cpu=1 CapWatts=n/a
NodeName=n1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=2 CPUTot=2 CPULoad=5.35 AvailableFeatures=cpu ActiveFeatures=cpu Gres=gpu:tesla:2(S:0-1) NodeAddr=127.0.0.1 NodeHostName=vm Port=17001 Version=22.05.8 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=2000 AllocMem=0 FreeMem=21328 Sockets=2 Boards=1 State=IDLE*+DRAIN ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=debug,batch  BootTime=None CfgTRES=cpu=2,mem=2000M,billing=2 AllocTRES= CapWatts=n/a Reason=broken State=IDLE fan [root@2026-11-21T07:50:00]
`;

/** `squeue --noheader --all --format=…` */
export const jobsText = `3|debug|root|RUNNING|1|1|1:00:00|1:05|2026-11-21T07:49:40|2026-11-21T07:49:49|4294901757|(null)|n0|None|wrap
8_[4-9%2]|debug,batch|ada|PENDING|1|1|UNLIMITED|0:00|2026-11-21T07:49:50|N/A|0|proj1||JobHeldUser|a | b
`;

/** `sacctmgr --noheader --parsable2 show assoc format=…`, of an account with a limit and one without. */
export const associationsText = `root||1||||||
root|root|1|normal|||||
proj1||10|normal|||||node=6000
proj1|root|10|normal|5|10|1-00:00:00|cpu=64,node=4|
proj1|ada|parent|high,normal|||||node=600
proj2|ada|1|normal|||||
`;

/** `sshare --noheader --parsable2 --all --format=…` indents what is inside. */
export const sharesText = `root||cpu=0,mem=0,energy=0,node=0,billing=0
 proj1||cpu=48000,mem=0,energy=0,node=3000,billing=48000
  proj1|ada|cpu=1440,mem=0,energy=0,node=90,billing=1440
  proj1|root|cpu=46560,mem=0,energy=0,node=2910,billing=46560
`;

/** `sacctmgr --noheader --parsable2 show qos format=Name,MaxJobsPU` */
export const qosText = `normal|
few|3
`;
