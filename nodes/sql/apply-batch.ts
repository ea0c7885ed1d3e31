/**
 * A batch against a database that may fail: what was lost to a race is tried again, what does not fit is found and left out by
 * halving, and what only time mends comes back as it was, in order.
 */
import { pause, type Clock, type Random } from '../kit/clock';
import { CodedError, coded } from '../kit/errors';
import { SqlError } from './sql-error';

export type Outcome<Result> = { state: 'done'; result: Result } | { state: 'dead'; error: CodedError } | { state: 'retry'; error: CodedError };

/** Rows in one transaction (facts/reliability.md 5: locks escalate at 5,000). */
const MAX_BATCH = 1000;

const RACES = 8;
const RACE_PAUSE_MS = 40;

export interface ApplyOptions<Item, Result> {
  /** All of the items in one transaction; a result for each, in the same order. */
  apply: (items: readonly Item[]) => Promise<readonly Result[]>;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

/**
 * An outcome for each item, in the order of the items. From the first `retry` on all are `retry`: nothing overtakes.
 * Never throws.
 */
export async function applyBatch<Item, Result>(items: readonly Item[], options: ApplyOptions<Item, Result>): Promise<Outcome<Result>[]> {
  const outcomes: Outcome<Result>[] = [];
  const parts = chunks(items).reverse();
  for (let part = parts.pop(); part; part = parts.pop()) {
    const result = await once(part, options);
    if (result instanceof CodedError) {
      if (fatal(result)) {
        const left = items.slice(outcomes.length);
        return [...outcomes, ...left.map(() => ({ state: 'retry' as const, error: result }))];
      }
      if (part.length === 1) outcomes.push({ state: 'dead', error: result });
      else parts.push(part.slice(part.length >> 1), part.slice(0, part.length >> 1));
    } else {
      outcomes.push(...result.map((one) => ({ state: 'done' as const, result: one })));
    }
  }
  return outcomes;
}

const chunks = <Item>(items: readonly Item[]): (readonly Item[])[] =>
  Array.from({ length: Math.ceil(items.length / MAX_BATCH) }, (_, index) => items.slice(index * MAX_BATCH, (index + 1) * MAX_BATCH));

/** Not a matter of a single row. */
const fatal = (error: CodedError): boolean => !(error instanceof SqlError) || !(error.kind === 'row' || error.kind === 'duplicate');

async function once<Item, Result>(items: readonly Item[], { apply, clock, random, signal }: ApplyOptions<Item, Result>): Promise<readonly Result[] | CodedError> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await apply(items);
    } catch (error) {
      const racing = error instanceof SqlError && (error.kind === 'race' || error.kind === 'duplicate');
      if (!racing || attempt === RACES || signal.aborted) return coded(error);
      await pause(clock, RACE_PAUSE_MS * attempt * (1 - random() / 2), signal);
    }
  }
}
