/**
 * Keeps reading the events of a site: a lap over its recording servers, a wait, and after failures the waits that the failure
 * asks for. Says how the connection is.
 */
import { Backoff, type BackoffOptions } from '../kit/backoff';
import type { CameraEvent } from '../kit/camera-event';
import { pause, type Clock, type Random } from '../kit/clock';
import type { ConnectionState } from '../kit/connection';
import { CodedError, coded, reasonOf, type Reason } from '../kit/errors';
import type { CameraList } from './camera-list';
import type { CursorStore } from './cursor-store';
import { searchEvents, type Get } from './event-search';
import { KnownCameras } from './known-cameras';
import { SeenIds } from './seen-ids';
import { ServerReader, type Span } from './server-reader';
import { SITE_AGE_MS, type Site } from './site';
import { untilAborted } from './until-aborted';
import type { WepClient } from './wep-client';
import { LoginError, WepError } from './wep-errors';
import { timeOf, toCameraEvent, type WepEvent } from './wep-event';

export interface PollerOptions {
  client: Pick<WepClient, 'get' | 'now' | 'label'>;
  site: Site;
  /** Servers to read; empty for all of the site. */
  serverIds: readonly string[];
  cameras: CameraList;
  topics: readonly string[];
  /** ms between two laps; asked for before each wait. */
  interval: () => number;
  overlapMs: number;
  store: CursorStore;
  /** Before the server's id in the keys of the store. */
  keyPrefix: string;
  backoff: BackoffOptions;
  clock: Clock;
  random: Random;
  report: PollerReport;
}

/** For the log: `down` comes with every failure, `up` with every success, and the log says the first of each. */
export interface PollerReport {
  event: (event: CameraEvent) => void;
  state: (state: ConnectionState) => void;
  down: (error: CodedError) => void;
  up: () => void;
  /** Something to know that stops nothing. */
  notice: (error: CodedError) => void;
}

interface Reading {
  reader: ServerReader;
  backoff: Backoff;
  /** Monotonic ms. */
  dueAt: number;
  error: CodedError | undefined;
  finished: boolean;
}

/** Of events handed on, some of which an overlap reads again. */
const MAX_SEEN = 50_000;
/** Between the laps of one that is behind, so that others get their turn. */
const CATCH_UP_PAUSE_MS = 50;
const HISTORY_SLICE_MS = 60 * 60_000;

export class Poller {
  readonly #options: PollerOptions;
  readonly #seen = new SeenIds(MAX_SEEN);
  readonly #readings = new Map<string, Reading>();
  readonly #backoff: Backoff;
  readonly #known: KnownCameras;
  #state: ConnectionState;
  #attempt = 0;
  #span: Span = {};
  #startedAt = 0;
  #run: { abort: AbortController; over: Promise<void> } | undefined;
  /** Ends the present wait. */
  #wake = new AbortController();
  /** Something was missed: the next lap is due at once. */
  #woken = false;
  /** The end was asked for; the next lap may be the last. */
  #ending: 'no' | 'bySpan' | 'afterLap' = 'no';

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#known = new KnownCameras(options.site, options.clock, options.report.notice);
    this.#state = { state: 'stopped', attempt: 0, since: this.#time() };
  }

  /** Begins to read, or, where it reads already, goes on with this span. */
  start(span: Span = {}): void {
    this.#span = span;
    this.#ending = 'no';
    for (const reading of this.#readings.values()) {
      reading.finished = false;
      reading.reader.span(span);
    }
    if (this.#run && !this.#run.abort.signal.aborted) {
      this.wake();
      return;
    }
    this.#startedAt = this.#options.clock.now();
    const abort = new AbortController();
    const before = this.#run?.over ?? Promise.resolve();
    this.#run = { abort, over: before.then(() => this.#loop(abort.signal)) };
  }

  /**
   * Ends reading when all until now was read, which one lap does unless it is far behind; a span that is over just now ends by
   * itself when its late events were read. Asked again, or where the server cannot be read, it ends at once.
   */
  finish(): void {
    if (this.#ending !== 'no' || this.#isFailing()) {
      void this.stop();
      return;
    }
    const isOver = (this.#span.until ?? Number.POSITIVE_INFINITY) <= this.#options.client.now;
    this.#ending = isOver ? 'bySpan' : 'afterLap';
    if (!isOver) this.wake();
  }

  /** Ends reading; resolves when no event will come any more. The positions stay. */
  async stop(): Promise<void> {
    const run = this.#run;
    run?.abort.abort(new CodedError('CONNECTION_LOST', 'reading was stopped'));
    this.#wake.abort();
    await run?.over;
  }

  /** The next lap now: something was missed. Waits after failures are waited for nevertheless. */
  wake(): void {
    this.#woken = true;
    if (this.#state.state === 'connected') this.#wake.abort();
  }

  /** A person asks to try again now. */
  retry(): void {
    for (const reading of this.#readings.values()) reading.dueAt = 0;
    this.#backoff.reset();
    this.#wake.abort();
  }

  /** An event that did not come by a search. */
  push(event: WepEvent): void {
    const { from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = this.#span;
    const at = timeOf(event);
    if (this.#run && at !== undefined && at >= from && at < until) this.#take(event);
  }

  /** Hands an event on, unless that was done already. */
  readonly #take = (event: WepEvent): void => {
    const made = this.#toCameraEvent(event);
    if (this.#seen.has(made.id)) return;
    this.#options.report.event(made);
    // Only now: what failed to be handed on comes again with the next lap.
    this.#seen.add(made.id, Date.parse(made.time));
  };

  /** History, in time order per server; moves no position. @throws as the searches */
  async history(from: number, to: number, hand: (event: CameraEvent) => void, signal: AbortSignal): Promise<void> {
    const { topics, cameras, site } = this.#options;
    const get = this.#get(signal);
    const deviceIds = await untilAborted(cameras.ids(), signal);
    await untilAborted(site.ready().catch(() => undefined), signal);
    for (const serverId of await this.#serverIds(signal)) {
      for (const [start, end] of slices(from, to)) {
        for await (const page of searchEvents(get, { serverId, from: start, to: end, topics, deviceIds })) {
          signal.throwIfAborted();
          for (const event of page) hand(this.#toCameraEvent(event));
        }
      }
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#state.state !== 'connected') this.#set({ ...this.#because(), state: 'connecting', attempt: ++this.#attempt, since: this.#time() });
      const isLast = this.#ending === 'afterLap';
      const wait = await this.#lap(signal);
      if (wait === 'finished' || (this.#isEnding() && (isLast || this.#isFailing()))) break;
      await this.#wait(wait, signal);
    }
    if (this.#run?.abort.signal === signal) this.#run = undefined;
    this.#attempt = 0;
    this.#set({ state: 'stopped', attempt: 0, since: this.#time() });
  }

  #isEnding(): boolean {
    return this.#ending === 'afterLap';
  }

  #isFailing(): boolean {
    return 'reason' in this.#state;
  }

  /** One turn over the servers that are due. Never rejects. @returns ms until the next */
  async #lap(signal: AbortSignal): Promise<number | 'finished'> {
    try {
      const readings = await this.#current(signal);
      const deviceIds = await untilAborted(this.#options.cameras.ids(), signal);
      if (this.#woken) for (const reading of readings) if (!reading.error) reading.dueAt = 0;
      this.#woken = false;
      for (const reading of readings) {
        if (reading.dueAt <= this.#options.clock.monotonic() && !reading.finished) await this.#read(reading, deviceIds, signal);
      }
      return this.#judge(readings);
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(coded(error));
    }
  }

  /** @throws what concerns the whole site; an error of this server alone is kept in `reading` */
  async #read(reading: Reading, deviceIds: readonly string[] | undefined, signal: AbortSignal): Promise<void> {
    const { clock, interval } = this.#options;
    const begun = clock.monotonic();
    try {
      const lap = await reading.reader.lap(this.#get(signal), deviceIds);
      reading.backoff.reset();
      reading.error = undefined;
      reading.finished = lap === 'finished';
      reading.dueAt = lap === 'behind' ? 0 : begun + interval();
    } catch (error) {
      if (!(error instanceof WepError) && !OF_ONE_SERVER.has(coded(error).code)) throw error;
      reading.error = coded(error);
      reading.dueAt = clock.monotonic() + (LASTING.has(reading.error.code) ? reading.backoff.longest() : reading.backoff.next());
    }
  }

  /** The state after a lap, and ms until the next. Connected is where at least one server is read. */
  #judge(readings: readonly Reading[]): number | 'finished' {
    const { clock, report } = this.#options;
    this.#seen.forgetBefore(Math.min(...readings.map(({ reader }) => reader.horizon)));
    const failing = readings.find(({ error }) => error)?.error;
    const now = clock.monotonic();
    const open = readings.filter(({ finished }) => !finished);
    if (open.length === 0) return 'finished';
    const wait = Math.max(Math.min(...open.map(({ dueAt }) => dueAt)) - now, 0);
    if (failing && readings.every(({ error }) => error)) return this.#down(failing, wait);
    this.#backoff.reset();
    if (failing) report.down(failing);
    else report.up();
    if (this.#state.state !== 'connected') this.#set({ state: 'connected', attempt: this.#attempt, since: this.#time() });
    this.#attempt = 0;
    return this.#woken ? 0 : Math.max(wait, CATCH_UP_PAUSE_MS);
  }

  #failed(error: CodedError): number {
    if (error instanceof LoginError) return this.#down(error, error.retryInMs, error.blocked);
    return this.#down(error, LASTING.has(error.code) ? this.#backoff.longest() : this.#backoff.next());
  }

  #down(error: CodedError, retryInMs: number, blocked = false): number {
    this.#options.report.down(error);
    this.#set({ state: blocked ? 'blocked' : 'disconnected', attempt: this.#attempt, since: this.#time(), reason: reasonOf(error), retryInMs });
    return retryInMs;
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> | undefined {
    if (signal.aborted) return undefined;
    this.#wake = new AbortController();
    return pause(this.#options.clock, ms, this.#wake.signal);
  }

  /** One reading per server; those of servers that are gone end. */
  async #current(signal: AbortSignal): Promise<Reading[]> {
    const { site, store, keyPrefix, topics, overlapMs, clock, client, report, backoff, random } = this.#options;
    const ids = await this.#serverIds(signal);
    // Names are wanted with the first event already, but a server that cannot list cameras may well find events.
    await untilAborted(site.ready().catch(() => undefined), signal);
    for (const id of this.#readings.keys()) if (!ids.includes(id)) this.#readings.delete(id);
    for (const serverId of ids) {
      if (this.#readings.has(serverId)) continue;
      const reader = new ServerReader(
        {
          serverId,
          store,
          key: `${keyPrefix}/${serverId}`,
          topics,
          overlapMs,
          clock,
          now: () => client.now,
          take: this.#take,
          notSaved: report.notice,
        },
        this.#startedAt + client.now - clock.now(),
      );
      reader.span(this.#span);
      this.#readings.set(serverId, { reader, backoff: new Backoff(backoff, random), dueAt: 0, error: undefined, finished: false });
    }
    // A server that joins the site later was not there when the list was last read.
    this.#startedAt = Math.max(this.#startedAt, clock.now() - SITE_AGE_MS);
    return [...this.#readings.values()];
  }

  async #serverIds(signal: AbortSignal): Promise<readonly string[]> {
    const { serverIds, site } = this.#options;
    return serverIds.length > 0 ? serverIds : site.serverIds(signal);
  }

  #get(signal: AbortSignal): Get {
    return this.#known.guard((path, query) => this.#options.client.get(path, query, signal), signal);
  }

  #toCameraEvent(event: WepEvent): CameraEvent {
    return toCameraEvent(event, this.#options.clock.now(), this.#options.site.camera);
  }

  /** Why the last lap failed, for the attempt that follows it. */
  #because(): { reason?: Reason } {
    return 'reason' in this.#state ? { reason: this.#state.reason } : {};
  }

  #set(state: ConnectionState): void {
    this.#state = state;
    this.#options.report.state(state);
  }

  #time(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

function* slices(from: number, to: number): Generator<[start: number, end: number]> {
  for (let start = from; start < to; start += HISTORY_SLICE_MS) yield [start, Math.min(start + HISTORY_SLICE_MS, to)];
}

/** Others may be read meanwhile. */
const OF_ONE_SERVER: ReadonlySet<string> = new Set(['AVIGILON_BAD_ANSWER', 'TIMEOUT']);
/** Waiting a little longer will not mend these. */
const LASTING: ReadonlySet<string> = new Set(['TLS_FAILED', 'AVIGILON_SESSION_REFUSED', 'AVIGILON_REQUEST_REFUSED', 'AVIGILON_BAD_ANSWER']);
