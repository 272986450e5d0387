import { describe, expect, it } from '@jest/globals';
import {
  decodeControl,
  encodeCancel,
  encodeDrain,
  encodeLeaseReply,
  encodeLeaseRequest,
  encodeRuntimeStatus,
  encodeStatusRequest,
} from './control-messages.js';

const status = {
  runtimeId: 'r1',
  flavours: [
    {
      ...{ name: 'Nature', isolation: 'sandbox' as const, slots: 2, running: 1 },
      languages: [
        { language: 'JS' as const, available: true },
        { language: 'PY' as const, available: false, reason: 'python3-cloudpickle is not installed' },
      ],
    },
  ],
};
const lease = { executionId: 'async.1', runtimeId: 'r1', redelivered: false };

describe('control messages', () => {
  it.each([
    [encodeCancel('f1.1', 'Nature'), 'cancel.Nature', { kind: 'cancel', executionId: 'f1.1' }],
    [encodeDrain('r1'), 'drain.r1', { kind: 'drain' }],
    [encodeLeaseRequest(lease, 900.2), 'lease.request', { kind: 'lease-request', ...lease }],
    [
      encodeLeaseReply('r1', { executionId: 'async.1', outcome: 'granted', attempt: 2 }),
      'lease.reply.r1',
      { kind: 'lease-reply', executionId: 'async.1', outcome: 'granted', attempt: 2 },
    ],
    [encodeRuntimeStatus(status), 'status.of.r1', { kind: 'runtime-status', ...status }],
    [encodeStatusRequest(), 'status.request', { kind: 'status-request' }],
  ])('have their key and come out as they went in', (message, routingKey, expected) => {
    expect(message).toMatchObject({ exchange: 'control.v1', routingKey, persistent: false });
    expect(decodeControl(message)).toEqual({ kind: 'ok', value: { v: 1, ...expected } });
  });

  it('ask for a lease only for as long as somebody waits for it', () => {
    expect(encodeLeaseRequest(lease, 900.2).expirationMs).toBe(901);
    expect(encodeLeaseRequest(lease, -5).expirationMs).toBe(1);
  });

  it.each([
    ['not JSON', '{'],
    ['of another version', '{"v":2,"kind":"drain"}'],
    ['of another kind', '{"v":1,"kind":"dance"}'],
    ['incomplete', '{"v":1,"kind":"cancel"}'],
    ['no object', 'null'],
    ['too large', ' '.repeat(70_000)],
  ])('are invalid when %s, and their text is not repeated', (_what, text) => {
    const decoded = decodeControl({ content: Buffer.from(text) });
    expect(decoded).toEqual({ kind: 'invalid', reason: expect.stringMatching(/^the control message is/) });
  });
});
