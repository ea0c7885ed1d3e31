/**
 * Reads the events of one recording server forward in time. What was read moves a position, to the latest event or, where there
 * was none for long, after the present; what a restart begins from is the position of a while ago, kept in the store.
 */
import type { Clock } from '../kit/clock';
import { coded, type CodedError } from '../kit/errors';
import type { CursorStore } from './cursor-store';
import { searchEvents, type Get } from './event-search';
import { timeOf, type WepEvent } from './wep-event';

export interface ServerReaderOptions {
  serverId: string;
  store: CursorStore;
  /** Of the cursor in the store. */
  key: string;
  topics: readonly string[];
  /** How late an event may be written and still be found, ms; also how far a restart goes back. */
  overlapMs: number;
  /** The server's time, ms since 1970. */
  now: () => number;
  clock: Clock;
  /** Takes each event that a search finds, repeats included. */
  take: (event: WepEvent) => void;
  /** The cursor could not be saved. */
  notSaved: (error: CodedError) => void;
}

export interface Span {
  /** Nothing before it is read. */
  from?: number | undefined;
  /** Reading is over when everything before it was read. */
  until?: number | undefined;
}

export type Lap =
  /** There is more to read at once. */
  | 'behind'
  | 'upToDate'
  /** All until the end of the span was read, late events included. */
  | 'finished';

/**
 * Without later events the position keeps this far behind the present. The server's clock may be wrong by 5 minutes before it
 * refuses logins (facts A2): what it writes now may be dated so far back.
 */
const CLOCK_TOLERANCE_MS = 6 * 60_000;
/** One lap reads no more than this much time, and less where it holds many events or the server does not manage it. */
const MAX_SLICE_MS = 10 * 60_000;
const MIN_SLICE_MS = 10_000;
const MANY_EVENTS = 5000;
/**
 * An event that was handed on is for a while only in the memory of this process, on its way through the flow. The cursor follows
 * this much later, so that a process that is killed reads it again.
 */
const ON_ITS_WAY_MS = 10_000;

export class ServerReader {
  readonly #options: ServerReaderOptions;
  #position: number;
  #isNew: boolean;
  #floor = Number.NEGATIVE_INFINITY;
  #until = Number.POSITIVE_INFINITY;
  #sliceMs = MAX_SLICE_MS;
  /** Positions that are not in the store yet, and when they were reached. */
  #reached: { position: number; at: number }[] = [];

  /** @param startedAt the server's time from which to read where nothing is in the store */
  constructor(options: ServerReaderOptions, startedAt: number) {
    this.#options = options;
    const stored = cursorOf(options.store.get(options.key));
    this.#position = stored ?? startedAt;
    this.#isNew = stored === undefined;
  }

  /** Reading goes on where it stopped; a later `from` leaves out what is before it. Where nothing was ever read it begins at `from`. */
  span({ from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY }: Span): void {
    this.#floor = from;
    this.#until = until;
    if (from > this.#position || (this.#isNew && Number.isFinite(from))) this.#position = from;
    // Saved before the first search, so that an outage at the very beginning loses nothing.
    if (this.#isNew) this.#reached = [{ position: this.#position, at: Number.NEGATIVE_INFINITY }];
  }

  /** A time before which no search will look, even if the server's clock is set back within what it tolerates. */
  get horizon(): number {
    return this.#position - this.#options.overlapMs - 2 * CLOCK_TOLERANCE_MS;
  }

  /**
   * Reads one slice. The position moves when all of it was handed on; on any error it stays.
   * @param deviceIds undefined for all
   */
  async lap(get: Get, deviceIds: readonly string[] | undefined): Promise<Lap> {
    const { overlapMs, now, clock } = this.#options;
    await this.#save();
    const time = now();
    const end = Math.min(time, this.#until);
    // The server's clock may have been set back, and its events with it.
    const start = Math.min(this.#position, time);
    // Close to the present there is no slice: the position may stand still there, and the search must reach the end.
    const to = end - start > CLOCK_TOLERANCE_MS + this.#sliceMs ? start + this.#sliceMs : end;
    const from = Math.max(start - overlapMs, this.#floor);
    if (from < to) {
      const latest = await this.#read(get, from, to, deviceIds);
      this.#isNew = false;
      this.#position = Math.max(start, Math.min(to, Math.max(latest, time - CLOCK_TOLERANCE_MS)));
      this.#reached.push({ position: this.#position, at: clock.monotonic() });
    }
    if (to < end) return 'behind';
    return time >= this.#until + overlapMs ? 'finished' : 'upToDate';
  }

  /** @returns time of the latest event */
  async #read(get: Get, from: number, to: number, deviceIds: readonly string[] | undefined): Promise<number> {
    const { serverId, topics, take } = this.#options;
    let events = 0;
    let latest = from;
    try {
      for await (const page of searchEvents(get, { serverId, from, to, topics, deviceIds })) {
        events += page.length;
        for (const event of page) {
          take(event);
          latest = Math.max(latest, timeOf(event) ?? 0);
        }
      }
    } catch (error) {
      if (TOO_MUCH.has(coded(error).code)) this.#sliceMs = Math.max(this.#sliceMs / 2, MIN_SLICE_MS);
      throw error;
    }
    this.#sliceMs = events > MANY_EVENTS ? Math.max(this.#sliceMs / 2, MIN_SLICE_MS) : Math.min(this.#sliceMs * 2, MAX_SLICE_MS);
    return latest;
  }

  /** Reading goes on where the store fails: a restart then begins further back. */
  async #save(): Promise<void> {
    const { store, key, clock, notSaved } = this.#options;
    const settled = clock.monotonic() - ON_ITS_WAY_MS;
    const last = this.#reached.findLastIndex(({ at }) => at <= settled);
    const reached = this.#reached[last];
    if (!reached) return;
    try {
      await store.set(key, new Date(reached.position).toISOString());
      this.#reached.splice(0, last + 1);
    } catch (error) {
      this.#reached.splice(0, last);
      notSaved(coded(error, 'STORE_FAILED'));
    }
  }
}

const TOO_MUCH: ReadonlySet<string> = new Set(['TIMEOUT', 'CONNECTION_LOST', 'AVIGILON_UNAVAILABLE', 'AVIGILON_BAD_ANSWER']);

function cursorOf(value: unknown): number | undefined {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
