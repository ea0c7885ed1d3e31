import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyMovement, movementOf } from '../../../nodes/sql/occupancy';

const deltas = fc.array(fc.constantFrom(1 as const, -1 as const), { maxLength: 200 });

/** One by one, as people walk. */
function walk(previous: number, steps: readonly number[]): { aforo: number; lost: number } {
  let aforo = Math.max(0, previous);
  let lost = 0;
  for (const step of steps) {
    if (aforo + step < 0) lost++;
    else aforo += step;
  }
  return { aforo, lost };
}

test('a folded batch does what its events do one by one', () => {
  fc.assert(
    fc.property(fc.integer({ min: -5, max: 50 }), deltas, (previous, steps) => {
      expect(applyMovement(previous, movementOf(steps))).toEqual(walk(previous, steps));
    }),
  );
});

test('the cut into batches does not matter', () => {
  fc.assert(
    fc.property(fc.nat(20), deltas, fc.nat(200), (previous, steps, cut) => {
      const first = applyMovement(previous, movementOf(steps.slice(0, cut)));
      const second = applyMovement(first.aforo, movementOf(steps.slice(cut)));
      expect({ aforo: second.aforo, lost: first.lost + second.lost }).toEqual(applyMovement(previous, movementOf(steps)));
    }),
  );
});

test('entries and exits are counted whether or not the floor took them', () => {
  expect(movementOf([-1, -1, 1])).toEqual({ entries: 1, exits: 2, net: -1, low: 2 });
});
