/** One server-sent event. `id` is undefined where the event carried none. */
export interface StreamedEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** More than any event is; a peer that sends no end of one must not fill our memory. */
const maxEventChars = 4 * 1024 * 1024;

/** The events of a body as they come; leaving the loop ends the connection. @see https://html.spec.whatwg.org/#server-sent-events */
export async function* readEventStream(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamedEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true }).replaceAll('\r', '');
      if (rest.length > maxEventChars) throw new RangeError('A server-sent event is too large');
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parseBlock(block: string): StreamedEvent | undefined {
  const lines = block.split('\n');
  const valuesOf = (name: string) =>
    lines
      .filter((line) => line.startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).replace(/^ /, ''));
  const data = valuesOf('data');
  return data.length === 0 ? undefined : { id: valuesOf('id').at(-1), data: data.join('\n') };
}
