/**
 * How many are inside, counted by events: floored at 0 event by event, so that the result does not depend on how events were
 * cut into batches (facts/avigilon-een.md E). A whole batch folds into two numbers that one UPDATE can apply.
 */

/** Entries (+1) and exits (-1) in a row, folded. */
export interface Movement {
  entries: number;
  exits: number;
  /** Entries minus exits. */
  net: number;
  /** What must have been inside for no exit to be lost: the lowest running sum, negated; never below 0. */
  low: number;
}

/** Deltas in the order in which they happened. */
export function movementOf(deltas: Iterable<1 | -1>): Movement {
  const movement: Movement = { entries: 0, exits: 0, net: 0, low: 0 };
  for (const delta of deltas) {
    if (delta > 0) movement.entries++;
    else movement.exits++;
    movement.net += delta;
    movement.low = Math.max(movement.low, -movement.net);
  }
  return movement;
}

export interface Count {
  aforo: number;
  /** Exits that found nobody inside. */
  lost: number;
}

/** @param previous what was inside; a negative count, as others may have left it, is taken as 0 */
export function applyMovement(previous: number, { net, low }: Movement): Count {
  const start = Math.max(0, previous);
  return { aforo: net + Math.max(start, low), lost: Math.max(0, low - start) };
}
