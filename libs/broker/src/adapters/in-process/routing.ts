import type { ExchangeSpec } from '../../ports.js';

/**
 * Whether a topic pattern takes a routing key (AMQP 0-9-1 section 3.1.3.3): `*` stands for one word, `#` for any
 * number of words, none included.
 */
export function isTopicMatch(pattern: readonly string[], key: readonly string[], from = 0, at = 0): boolean {
  for (let index = from, word = at; ; index += 1, word += 1) {
    if (index === pattern.length) return word === key.length;
    if (pattern[index] === '#') {
      for (let rest = word; rest <= key.length; rest += 1) {
        if (isTopicMatch(pattern, key, index + 1, rest)) return true;
      }
      return false;
    }
    if (word === key.length || (pattern[index] !== '*' && pattern[index] !== key[word])) return false;
  }
}

interface Binding {
  readonly queue: string;
  readonly routingKey: string;
  readonly words: readonly string[];
}

/** The bindings of one exchange. */
export class Exchange {
  readonly spec: ExchangeSpec;
  readonly #bindings: Binding[] = [];

  constructor(spec: ExchangeSpec) {
    this.spec = spec;
  }

  /** Binding twice is binding once. */
  bind(queue: string, routingKey: string): void {
    if (this.#bindings.some((binding) => binding.queue === queue && binding.routingKey === routingKey))
      return;
    this.#bindings.push({ queue, routingKey, words: routingKey.split('.') });
  }

  unbindQueue(queue: string): void {
    for (let index = this.#bindings.length - 1; index >= 0; index -= 1) {
      if (this.#bindings[index]?.queue === queue) this.#bindings.splice(index, 1);
    }
  }

  /** Names of the queues a message of this key goes to, each once. */
  route(routingKey: string): ReadonlySet<string> {
    const queues = new Set<string>();
    const words = this.spec.type === 'topic' ? routingKey.split('.') : [];
    for (const binding of this.#bindings) {
      const isMatch =
        this.spec.type === 'direct' ? binding.routingKey === routingKey : isTopicMatch(binding.words, words);
      if (isMatch) queues.add(binding.queue);
    }
    return queues;
  }
}
