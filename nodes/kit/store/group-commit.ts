/**
 * Many callers' writes in one transaction. A commit costs an fsync, whatever is in it: at 20 rows a commit the disk is written
 * a seventh as much as at one (facts/reliability.md 6).
 */
import type { Clock } from '../clock';
import { CodedError, coded } from '../errors';
import type { Sqlite } from './sqlite';

export type Work<T> = (database: Sqlite) => T;

export interface WriteOptions {
  /** The work gives space back: on a full store it is tried before all others. */
  frees?: boolean;
}

export interface GroupCommitHost {
  /** The open database; throws the store's errors where it cannot be opened. */
  database(): Sqlite;
  /** Makes room after STORE_FULL; false where there is none. */
  makeRoom(): boolean;
  /** Brings a usable database about after STORE_CORRUPT; throws the store's errors. */
  recover(): void;
}

/** The longest that a write waits for others. Milliseconds. */
const MAX_DELAY_MS = 50;
/** So many do not wait any longer, and are the most that block the event loop at once. */
const MAX_GROUP = 256;
/** On a full store, after so many in a row that did not fit, the others are not tried. */
const MAX_MISFITS = 3;

type Outcome = { ok: true; value: unknown } | { ok: false; error: unknown };

interface Entry {
  work: Work<unknown>;
  frees: boolean;
  settle: (outcome: Outcome) => void;
}

export class GroupCommit {
  readonly #host: GroupCommitHost;
  readonly #clock: Clock;
  readonly #queue: Entry[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(host: GroupCommitHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** See `StateStore.write`. */
  write<T>(work: Work<T>, { frees = false }: WriteOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        work,
        frees,
        settle: (outcome) => {
          if (outcome.ok) resolve(outcome.value as T);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what the work threw
          else reject(outcome.error);
        },
      });
      // Not at once: the caller goes on first, and perhaps to the next write.
      if (this.#queue.length === MAX_GROUP) this.#schedule(0);
      else if (this.#queue.length === 1) this.#schedule(MAX_DELAY_MS);
    });
  }

  /** Commits all that waits, now. */
  flush(): void {
    while (this.#queue.length > 0) this.#commitNext();
  }

  #commitNext(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const group = this.#queue.splice(0, MAX_GROUP);
    if (this.#queue.length > 0) this.#schedule(0);
    this.#commit(group);
  }

  #schedule(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(ms, () => this.#commitNext());
  }

  #commit(group: readonly Entry[]): void {
    let outcomes: Outcome[];
    try {
      outcomes = this.#attemptMended(group);
    } catch (error) {
      if (group.length > 1) this.#commitApart(group);
      else group[0]?.settle({ ok: false, error: coded(error, 'STORE_FAILED') });
      return;
    }
    outcomes.forEach((outcome, at) => group[at]?.settle(outcome));
  }

  /** The group failed as a whole: one of it may be to blame, and on a full store what frees space may succeed alone. */
  #commitApart(group: readonly Entry[]): void {
    const freeing = group.filter(({ frees }) => frees);
    const others = group.filter(({ frees }) => !frees);
    if (freeing.length > 0 && others.length > 0) {
      this.#commit(freeing);
      this.#commit(others);
      return;
    }
    let misfits = 0;
    let reason: unknown;
    for (const entry of group) {
      if (misfits >= MAX_MISFITS) {
        entry.settle({ ok: false, error: reason });
        continue;
      }
      try {
        for (const outcome of this.#attemptMended([entry])) entry.settle(outcome);
        misfits = 0;
      } catch (error) {
        reason = coded(error, 'STORE_FAILED');
        misfits++;
        entry.settle({ ok: false, error: reason });
      }
    }
  }

  #attemptMended(group: readonly Entry[]): Outcome[] {
    for (let recovered = false; ; ) {
      try {
        return this.#attempt(group);
      } catch (error) {
        const code = error instanceof CodedError ? error.code : undefined;
        if (code === 'STORE_CORRUPT' && !recovered) {
          this.#host.recover();
          recovered = true;
        } else if (code !== 'STORE_FULL' || !this.#host.makeRoom()) throw error;
      }
    }
  }

  #attempt(group: readonly Entry[]): Outcome[] {
    const database = this.#host.database();
    return database.transaction(() => group.map(({ work }) => apart(database, work)));
  }
}

/** The work in a savepoint of its own, so that its failure undoes nobody else's. Throws what concerns the whole transaction. */
function apart(database: Sqlite, work: Work<unknown>): Outcome {
  database.run('SAVEPOINT work');
  try {
    const value = work(database);
    if (value instanceof Promise) throw new CodedError('STORE_FAILED', 'the work of a write must not wait');
    database.run('RELEASE work');
    return { ok: true, value };
  } catch (error) {
    if (error instanceof CodedError && (error.code === 'STORE_FULL' || error.code === 'STORE_CORRUPT')) throw error;
    // Throws where SQLite has undone the whole transaction already.
    database.run('ROLLBACK TO work');
    database.run('RELEASE work');
    return { ok: false, error };
  }
}
