/** What a receiver makes of a message. `invalid` ones are dead-lettered, never retried and never logged whole. */
export type Decoded<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'invalid'; readonly reason: string };

export const invalid = (reason: string): { readonly kind: 'invalid'; readonly reason: string } => ({
  kind: 'invalid',
  reason,
});
