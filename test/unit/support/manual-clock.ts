import type { Clock } from '../../../nodes/kit/clock';

interface Timer {
  at: number;
  run: () => void;
}

/** A clock that stands still until told to go on. Wall and monotonic time move together. */
export class ManualClock implements Clock {
  #elapsed = 0;
  readonly #start: number;
  readonly #timers = new Set<Timer>();

  constructor(start = Date.UTC(2026, 0, 15, 12)) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#elapsed + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves time on, running what falls due on the way, in order. */
  advance(ms: number): void {
    const until = this.#elapsed + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#elapsed = Math.max(this.#elapsed, due.at);
      due.run();
    }
    this.#elapsed = until;
  }

  get waiting(): number {
    return this.#timers.size;
  }
}
