/** Exponential back-off with full jitter: the wait before attempt n is uniform in (0, min(max, base^n)] seconds. */
import type { Random } from './clock';

export interface BackoffOptions {
  /** Growth factor, and ceiling of the first wait in seconds; above 1. */
  base: number;
  /** Ceiling of any wait, seconds. */
  max: number;
}

/** No wait is shorter: a device that closes at once must not be asked in a hot loop. Milliseconds. */
const FLOOR_MS = 100;

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    this.#failures++;
    const ceiling = Math.min(this.#options.max, this.#options.base ** this.#failures) * 1000;
    return Math.max(FLOOR_MS, Math.round(ceiling * (1 - this.#random())));
  }

  /** The longest wait there is, with jitter, for failures that time alone rarely mends. Milliseconds. */
  longest(): number {
    return Math.round(this.#options.max * 1000 * (1 - this.#random() / 2));
  }

  reset(): void {
    this.#failures = 0;
  }
}
