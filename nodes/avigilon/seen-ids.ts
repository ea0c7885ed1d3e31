/** Ids of events already handed on, so that what an overlap reads again goes no further. Bounded: the oldest entry makes room. */
export class SeenIds {
  readonly #max: number;
  readonly #times = new Map<string, number>();

  /** @param max ids kept at most */
  constructor(max: number) {
    this.#max = max;
  }

  has(id: string): boolean {
    return this.#times.has(id);
  }

  /** @param time of the event, ms since 1970 */
  add(id: string, time: number): void {
    this.#times.set(id, time);
    if (this.#times.size <= this.#max) return;
    const [oldest] = this.#times.keys();
    if (oldest !== undefined) this.#times.delete(oldest);
  }

  /** Forgets events before this time: no search reaches back to them. */
  forgetBefore(time: number): void {
    for (const [id, at] of this.#times) if (at < time) this.#times.delete(id);
  }

  get size(): number {
    return this.#times.size;
  }
}
