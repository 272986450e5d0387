/** What accounts may use and have used, as sacctmgr and sshare print it with `--parsable2`. Pure. */
import type { Allocation } from '@gantry/contracts';
import { linesOf, wordsOf } from './values.js';

export const associationsFormat = 'Account,User,Fairshare,QOS,MaxJobs,MaxSubmit,MaxWall,GrpTRES,GrpTRESMins';
export const sharesFormat = 'Account,User,GrpTRESRaw';
export const qosFormat = 'Name,MaxJobsPU';

/** Node minutes used, by account and user, of `sshare`. */
export function parseShares(text: string): ReadonlyMap<string, number> {
  return new Map(
    linesOf(text).flatMap((line) => {
      const [account = '', user = '', used = ''] = line.trim().split('|');
      const minutes = tresOf(used, 'node');
      return minutes === null ? [] : [[keyOf(account.trim(), user), minutes] as const];
    }),
  );
}

/** Associations of `sacctmgr show assoc`; those of whole accounts have no user and are what users inherit from. */
export function parseAllocations(text: string, used: ReadonlyMap<string, number>): readonly Allocation[] {
  const rows = linesOf(text).map((line) => line.split('|'));
  const limits = new Map(
    rows.filter(([, user]) => user === '').map((row) => [row[0] ?? '', tresOf(row[8] ?? '', 'node')]),
  );
  return rows.flatMap((row) => {
    const [account = '', user = '', fairshare = '', qos = '', maxJobs = '', maxSubmit = '', maxWall = ''] =
      row;
    const [grpTres = '', grpTresMins = ''] = row.slice(7);
    if (user === '') return [];
    const own = tresOf(grpTresMins, 'node');
    const allocated = own ?? limits.get(account) ?? null;
    // A limit of the account is used up by all of it.
    const spent = used.get(keyOf(account, own === null && allocated !== null ? '' : user)) ?? null;
    return {
      account,
      user,
      fairshare: countOf(fairshare),
      qos: [...wordsOf(qos)],
      max_jobs: countOf(maxJobs),
      max_submit: countOf(maxSubmit),
      max_wall: maxWall === '' ? null : maxWall,
      grp_tres: grpTres === '' ? null : grpTres,
      allocated_node_hours: toHours(allocated),
      used_node_hours: toHours(spent),
      remaining_node_hours: allocated === null ? null : toHours(Math.max(0, allocated - (spent ?? 0))),
    };
  });
}

/** Most jobs of one user, by quality of service. */
export function parseJobLimits(text: string): ReadonlyMap<string, number> {
  return new Map(
    linesOf(text).flatMap((line) => {
      const [name = '', limit = ''] = line.split('|');
      const count = countOf(limit);
      return count === null ? [] : [[name, count] as const];
    }),
  );
}

const keyOf = (account: string, user: string): string => `${account}|${user}`;

/** One resource of `cpu=10,node=2`. */
function tresOf(text: string, name: string): number | null {
  const found = text.split(',').find((part) => part.startsWith(`${name}=`));
  return found === undefined ? null : countOf(found.slice(name.length + 1));
}

const countOf = (text: string): number | null => (/^\d+$/.test(text) ? Number(text) : null);

const toHours = (minutes: number | null): number | null =>
  minutes === null ? null : Math.round((minutes / 60) * 100) / 100;
