/** What exists under a name, and how it differs from what this version declares. */
export interface TopologyMismatch {
  readonly subject: 'queue' | 'exchange';
  readonly name: string;
  /** The argument that differs, in the words of the broker: `x-max-length`, `durable`, `type`. */
  readonly argument: string;
  readonly declared: string;
  readonly existing: string;
}

/**
 * A queue or exchange of that name exists with other arguments. Never retried: only a person can tell whether
 * its messages may go. Recognise it with {@link isTopologyMismatchError}.
 */
export class TopologyMismatchError extends Error {
  readonly code = 'topology-mismatch';
  readonly mismatch: TopologyMismatch;

  constructor(mismatch: TopologyMismatch, options?: { cause?: unknown }) {
    const { subject, name, argument, declared, existing } = mismatch;
    super(
      `${subject} "${name}" exists on the broker with ${argument} = ${existing}, but this version declares ` +
        `${argument} = ${declared}; set the same limits as before, or delete the ${subject} once it is empty`,
      options,
    );
    this.name = 'TopologyMismatchError';
    this.mismatch = mismatch;
  }
}

export const isTopologyMismatchError = (error: unknown): error is TopologyMismatchError =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'topology-mismatch';
