import type { NodeCredential } from '@gantry/contracts';
import { systemClock } from '@gantry/kernel';
import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from '../ports.js';
import { hashOfToken } from './enrol-node.js';
import { type EnrolmentProof, type RedeemDeps, redeemEnrolment } from './redeem-enrolment.js';
import { RedeemLimits } from './redeem-limits.js';
import { RedeemedCredentials } from './redeemed-credentials.js';

/** A store with the node `n1` and the token `good`; what was signed and recorded is counted. */
function newWorld() {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const node = { owner: 'olga', isRevoked: false, credentialId: undefined as string | undefined };
  let token: string | undefined = hashOfToken('good');
  const lines: AuditEntry[] = [];
  let signed = 0;
  const deps = {
    nodes: {
      hasEnrolment: async (name: string, hash: string) => name === 'n1' && hash === token,
      redeem: async ({ credentialId }: { credentialId: string }) => {
        token = undefined;
        node.credentialId = credentialId;
        return true;
      },
      find: async () => node,
    },
    records: { find: async () => node },
    registry: {
      evict: async (_name: string, _why: string, change: () => Promise<boolean>) => await change(),
    },
    issuer: {
      issue: async () => {
        signed += 1;
        return { token: `credential ${signed}`, revocationId: `id ${signed}`, expiresAtMs: 1 };
      },
    },
    keys: { current: { id: 1, publicKey: 'aa' } },
    audit: {
      record: (line: AuditEntry) => void lines.push(line),
      recordProbe: (line: AuditEntry) => void lines.push(line),
    },
    ...{ clock, settings: { credentialDays: 1 } },
    redeemLimits: new RedeemLimits(clock),
    redeemed: new RedeemedCredentials(clock),
  } as unknown as RedeemDeps;
  const redeem = (more: Partial<EnrolmentProof> = {}): Promise<NodeCredential> =>
    redeemEnrolment(deps, {
      ...{ name: 'n1', enrolmentToken: 'good', nonce: undefined, address: '10.0.0.1' },
      ...more,
    });
  return {
    ...{ redeem, lines, node },
    signed: () => signed,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}
const refusal = { code: 'invalid-service-credential' };

describe('redeemEnrolment', () => {
  it('signs nothing for a token that is none', async () => {
    const { redeem, signed } = newWorld();
    await expect(redeem({ enrolmentToken: 'bad' })).rejects.toMatchObject(refusal);
    expect(signed()).toBe(0);
    expect(await redeem()).toMatchObject({ name: 'n1', credential: 'credential 1' });
    expect(signed()).toBe(1);
  });

  it('refuses who comes with very many of them for a while, and nobody else', async () => {
    const { redeem, wait } = newWorld();
    const bad = { enrolmentToken: 'bad' };
    for (let index = 0; index < 20; index += 1) await expect(redeem(bad)).rejects.toMatchObject(refusal);
    await expect(redeem(bad)).rejects.toMatchObject({ code: 'too-many-requests' });
    await expect(redeem({ name: 'n2' })).rejects.toMatchObject(refusal);
    await expect(redeem({ ...bad, address: '10.0.0.2' })).rejects.toMatchObject(refusal);
    wait(60_000);
    expect(await redeem()).toMatchObject({ name: 'n1' });
  });

  it('answers the same credential to the agent that asks again, and to no one else', async () => {
    const { redeem, lines, node, signed, wait } = newWorld();
    const nonce = 'n'.repeat(22);
    const first = await redeem({ nonce });
    expect(await redeem({ nonce })).toEqual(first);
    expect(signed()).toBe(1);
    for (const other of [
      {},
      { nonce: 'o'.repeat(22) },
      { nonce, enrolmentToken: 'bad' },
      { nonce, name: 'n2' },
    ])
      await expect(redeem(other)).rejects.toMatchObject(refusal);
    node.isRevoked = true;
    await expect(redeem({ nonce })).rejects.toMatchObject(refusal);
    node.isRevoked = false;
    wait(600_000);
    await expect(redeem({ nonce })).rejects.toMatchObject(refusal);
    expect(lines.filter(({ outcome }) => outcome === 'done')).toMatchObject([
      { action: 'node.redeem', owner: 'olga', address: '10.0.0.1' },
    ]);
  });
});
