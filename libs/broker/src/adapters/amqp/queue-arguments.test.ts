import { describe, expect, it } from '@jest/globals';
import type { QueueSpec } from '../../ports.js';
import { parseMismatch, toAssertOptions } from './queue-arguments.js';

const argumentsOf = (spec: Partial<QueueSpec>): unknown =>
  toAssertOptions({ name: 'q', durable: true, ...spec }).arguments;
const refusal = (detail: string) =>
  `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${detail}"`;

describe('queues in the arguments of RabbitMQ', () => {
  it.each<[string, Partial<QueueSpec>, unknown]>([
    ['a plain one', {}, { 'x-queue-type': 'classic' }],
    [
      'one with limits',
      { maxMessages: 5, maxBytes: 6 },
      {
        'x-queue-type': 'classic',
        'x-max-length': 5,
        'x-max-length-bytes': 6,
        'x-overflow': 'reject-publish',
      },
    ],
    [
      'one that drops its oldest',
      { maxMessages: 5, overflow: 'drop-head' },
      { 'x-queue-type': 'classic', 'x-max-length': 5, 'x-overflow': 'drop-head' },
    ],
    [
      'a replicated one, whose dead letters are not lost',
      { replicated: true, deliveryLimit: 3, deadLetterExchange: 'd', deadLetterRoutingKey: 'k' },
      {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 3,
        'x-dead-letter-exchange': 'd',
        'x-dead-letter-routing-key': 'k',
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      },
    ],
    [
      'a delivery limit that a classic queue does not have',
      { deliveryLimit: 3 },
      { 'x-queue-type': 'classic' },
    ],
  ])('%s', (_what, spec, expected) => {
    expect(argumentsOf(spec)).toEqual(expected);
  });
});

describe('the difference that RabbitMQ reports', () => {
  it.each([
    [
      "inequivalent arg 'x-max-length' for queue 'a.b' in vhost '/': received the value '10' of type 'signedint' but current is the value '5' of type 'signedint'",
      { subject: 'queue', name: 'a.b', argument: 'x-max-length', declared: '10', existing: '5' },
    ],
    [
      "inequivalent arg 'durable' for queue 'q' in vhost 'it's': received 'true' but current is 'false'",
      { subject: 'queue', name: 'q', argument: 'durable', declared: 'true', existing: 'false' },
    ],
    [
      "inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received none but current is the value 'reject-publish' of type 'longstr'",
      { subject: 'queue', name: 'q', argument: 'x-overflow', declared: 'none', existing: 'reject-publish' },
    ],
    [
      "inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'direct'",
      { subject: 'exchange', name: 'e', argument: 'type', declared: 'topic', existing: 'direct' },
    ],
  ])('is read from its text', (detail, mismatch) => {
    expect(parseMismatch(refusal(detail))).toMatchObject({ code: 'topology-mismatch', mismatch });
  });

  it('is undefined when the text says something else', () => {
    expect(parseMismatch(refusal("invalid arg 'x-max-length' for queue 'q'"))).toBeUndefined();
  });

  it('is told with the remedy', () => {
    const error = parseMismatch(
      refusal(
        "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '10' of type 'signedint' but current is the value '5' of type 'signedint'",
      ),
    );
    expect(error?.message).toBe(
      'queue "q" exists on the broker with x-max-length = 5, but this version declares x-max-length = 10; ' +
        'set the same limits as before, or delete the queue once it is empty',
    );
  });
});
