/** What a database says when it does not do what it was asked, by what can be done about it. */
import { CodedError, type ErrorCode } from '../kit/errors';

/**
 * - `retry`: time mends it: network, restart, full disk. The outcome of what was asked is unknown.
 * - `race`: lost against somebody else; the same again, at once, will mostly do.
 * - `duplicate`: a key is there already: a race when the key is ours, for ever when it is a key of the user's table.
 * - `configuration`: a person has to change something.
 * - `row`: the data of a row does not fit; other rows do.
 */
export type FailureKind = 'retry' | 'race' | 'duplicate' | 'configuration' | 'row';

export class SqlError extends CodedError {
  readonly kind: FailureKind;
  /** SQL Server's error number, where it gave one. */
  readonly number: number | undefined;

  constructor(kind: FailureKind, code: ErrorCode, text: string, options: { number?: number; field?: string; cause?: unknown } = {}) {
    super(code, text, options);
    this.name = 'SqlError';
    this.kind = kind;
    this.number = options.number;
  }
}

/** A key of our own that is there already was lost to another worker: nothing is wrong with the rows. */
export async function racing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SqlError && error.kind === 'duplicate')) throw error;
    throw new SqlError('race', 'SQL_BUSY', 'another worker applied the same events at the same time', { cause: error });
  }
}
