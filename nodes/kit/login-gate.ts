/**
 * Keeps a device from locking us out (facts/dahua-hanwha.md A8, A11). Every login to a device passes its gate. It counts refusals
 * in a row and, at the third, stays closed until the credentials change, the block has passed or a person says `retry`.
 * Gates are kept per process by address, user and password, so that a redeploy neither forgets nor repeats refusals.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { systemClock, type Clock } from './clock';

const MAX_REFUSALS = 3;
const BLOCK_MS = 30 * 60_000;
/** A login that worked within this time makes a refusal doubtful: the device may be at its connection limit. */
const TRUST_MS = 60 * 60_000;
const FIRST_BUSY_MS = 30_000;

export type Refusal =
  /** Wrong credentials, as far as one can tell; try again after the usual back-off. */
  | { kind: 'refused'; left: number }
  /** It worked within the hour: wait. */
  | { kind: 'busy'; waitMs: number; left: number }
  | { kind: 'blocked'; forMs: number };

export class LoginGate {
  readonly #clock: Clock;
  #refusals = 0;
  #busy = 0;
  #blockedUntil = 0;
  #lastSuccess = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds for which no login may be tried; 0 when one may. */
  get blockedForMs(): number {
    return Math.max(0, Math.ceil(this.#blockedUntil - this.#clock.monotonic()));
  }

  accepted(): void {
    this.#refusals = 0;
    this.#busy = 0;
    this.#blockedUntil = 0;
    this.#lastSuccess = this.#clock.monotonic();
  }

  /** The device refused the login and did not say why. */
  refused(): Refusal {
    this.#refusals++;
    if (this.#refusals >= MAX_REFUSALS) return this.locked(BLOCK_MS);
    const left = MAX_REFUSALS - this.#refusals;
    return this.#clock.monotonic() - this.#lastSuccess < TRUST_MS
      ? { kind: 'busy', waitMs: this.busy(), left }
      : { kind: 'refused', left };
  }

  /** The device said that it has no room for a connection; no refusal of the login. How long to wait, in ms. */
  busy(): number {
    return Math.min(FIRST_BUSY_MS * 2 ** this.#busy++, BLOCK_MS);
  }

  /** The device said that it has locked us out, for how long if it knows. */
  locked(forMs = BLOCK_MS): Refusal {
    this.#blockedUntil = this.#clock.monotonic() + forMs;
    // After the block one login is tried, and a refusal of it blocks again.
    this.#refusals = MAX_REFUSALS - 1;
    return { kind: 'blocked', forMs };
  }

  /** A person asked to try again now. */
  lift(): void {
    this.#refusals = 0;
    this.#busy = 0;
    this.#blockedUntil = 0;
  }
}

const salt = randomBytes(32);
const gates = new LRUCache<string, LoginGate>({ max: 10_000 });

/** The gate of a device and its credentials; the same one as long as neither changes. */
export function loginGate(origin: string, user: string, password: string, clock: Clock = systemClock): LoginGate {
  const key = createHmac('sha256', salt).update(JSON.stringify([origin, user, password])).digest('base64');
  let gate = gates.get(key);
  if (!gate) gates.set(key, (gate = new LoginGate(clock)));
  return gate;
}
