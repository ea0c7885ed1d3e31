/** Calls `silent` when `fed` was not called for `limitMs`. Feeding is cheap: it moves a time stamp, no timer. */
import type { Clock } from './clock';

export class Watchdog {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #silent: () => void;
  #last: number;
  #cancel: () => void;

  constructor(clock: Clock, limitMs: number, silent: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#silent = silent;
    this.#last = clock.monotonic();
    this.#cancel = clock.after(limitMs, () => this.#check());
  }

  feed(): void {
    this.#last = this.#clock.monotonic();
  }

  stop(): void {
    this.#cancel();
  }

  #check(): void {
    const left = this.#last + this.#limitMs - this.#clock.monotonic();
    if (left <= 0) this.#silent();
    else this.#cancel = this.#clock.after(left, () => this.#check());
  }
}
