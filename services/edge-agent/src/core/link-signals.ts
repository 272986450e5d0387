/**
 * Aborts `target` when one of the sources does, until the returned function is called.
 *
 * By hand, because the sources live as long as the agent: what `AbortSignal.any` leaves on them for every call is not
 * taken away again in Node 20.
 */
export function linkSignals(target: AbortController, sources: readonly AbortSignal[]): () => void {
  const unlinks = sources.map((source) => {
    const abort = () => target.abort(source.reason);
    if (source.aborted) abort();
    else source.addEventListener('abort', abort, { once: true });
    return () => source.removeEventListener('abort', abort);
  });
  return () => {
    for (const unlink of unlinks) unlink();
  };
}
