import {
  type ControlMessage,
  controlMessageSchema,
  messageVersion,
  type RuntimeFlavour,
} from '@gantry/contracts/execution';
import { newId } from '@gantry/kernel';
import type { Delivery, OutgoingMessage } from '../ports.js';
import { controlKeys, exchanges } from '../topology.js';
import { type Decoded, invalid } from './decoded.js';

/** Larger than any control message can be. */
const maxControlBytes = 64 * 1024;

/** To every runtime of the flavour and to every frontend. */
export const encodeCancel = (executionId: string, flavour: string): OutgoingMessage =>
  encode(controlKeys.cancel(flavour), { v: messageVersion, kind: 'cancel', executionId });

/** To one runtime: take nothing new, finish, stop. */
export const encodeDrain = (runtimeId: string): OutgoingMessage =>
  encode(controlKeys.drain(runtimeId), { v: messageVersion, kind: 'drain' });

/** To any frontend. `expirationMs`: after which the runtime no longer waits. */
export const encodeLeaseRequest = (
  lease: { executionId: string; runtimeId: string; redelivered: boolean },
  expirationMs: number,
): OutgoingMessage => ({
  ...encode(controlKeys.leaseRequest, { v: messageVersion, kind: 'lease-request', ...lease }),
  expirationMs: Math.max(1, Math.ceil(expirationMs)),
});

/** To the runtime that asked. */
export const encodeLeaseReply = (
  runtimeId: string,
  reply: Omit<Extract<ControlMessage, { kind: 'lease-reply' }>, 'v' | 'kind'>,
): OutgoingMessage =>
  encode(controlKeys.leaseReply(runtimeId), { v: messageVersion, kind: 'lease-reply', ...reply });

/** To every frontend. Each key is a runtime's own, so that a frontend may also listen to one of them. */
export const encodeRuntimeStatus = (status: {
  readonly runtimeId: string;
  readonly flavours: RuntimeFlavour[];
}): OutgoingMessage =>
  encode(controlKeys.status(status.runtimeId), { v: messageVersion, kind: 'runtime-status', ...status });

/** To every runtime: say what you serve. */
export const encodeStatusRequest = (): OutgoingMessage =>
  encode(controlKeys.statusRequest, { v: messageVersion, kind: 'status-request' });

export function decodeControl(delivery: Pick<Delivery, 'content'>): Decoded<ControlMessage> {
  if (delivery.content.length > maxControlBytes) return invalid('the control message is too large');
  let body: unknown;
  try {
    body = JSON.parse(delivery.content.toString('utf8'));
  } catch {
    return invalid('the control message is not JSON');
  }
  const parsed = controlMessageSchema.safeParse(body);
  if (parsed.success) return { kind: 'ok', value: parsed.data };
  const [issue] = parsed.error.issues;
  return invalid(
    `the control message is not as declared: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  );
}

const encode = (routingKey: string, message: ControlMessage): OutgoingMessage => ({
  exchange: exchanges.control,
  routingKey,
  messageId: newId(),
  headers: {},
  content: Buffer.from(JSON.stringify(message)),
  persistent: false,
});
