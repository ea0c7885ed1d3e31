/**
 * A camera that is gone from the site may spoil a whole search: some servers answer 404 to a list with an id they do not know.
 * Then the search is made without the ids that the site does not list.
 */
import type { Clock } from '../kit/clock';
import { CodedError } from '../kit/errors';
import type { Get, Query } from './event-search';
import type { Site } from './site';
import { untilAborted } from './until-aborted';
import { WepError } from './wep-errors';

/** After it they are asked for again: a camera may be added, or come back. */
const LEFT_OUT_MS = 10 * 60_000;

export class KnownCameras {
  readonly #site: Pick<Site, 'refresh' | 'knows'>;
  readonly #clock: Clock;
  readonly #notice: (error: CodedError) => void;
  #leftOut: ReadonlySet<string> = new Set();
  #until = Number.NEGATIVE_INFINITY;

  constructor(site: Pick<Site, 'refresh' | 'knows'>, clock: Clock, notice: (error: CodedError) => void) {
    this.#site = site;
    this.#clock = clock;
    this.#notice = notice;
  }

  /** `get` for searches. */
  guard(get: Get, signal: AbortSignal): Get {
    return async (path, query) => {
      const first = this.#known(query);
      if (!first) return NOTHING;
      try {
        return await get(path, first);
      } catch (error) {
        if (!(error instanceof WepError) || error.status !== 404 || !(await this.#learn(first, signal))) throw error;
        const second = this.#known(query);
        return second ? get(path, second) : NOTHING;
      }
    };
  }

  /** The query without the ids left out; undefined where none remains, for without ids it would ask for all cameras. */
  #known(query: Query): Query | undefined {
    if (this.#clock.monotonic() >= this.#until) this.#leftOut = new Set();
    const known = query.filter(([key, value]) => key !== 'deviceIds' || !this.#leftOut.has(value));
    return hasIds(query) && !hasIds(known) ? undefined : known;
  }

  /** Whether there was something to leave out. @throws as Site.refresh */
  async #learn(query: Query, signal: AbortSignal): Promise<boolean> {
    if (!hasIds(query)) return false;
    await untilAborted(this.#site.refresh(), signal);
    const unknown = query.filter(([key, id]) => key === 'deviceIds' && !this.#site.knows(id)).map(([, id]) => id);
    if (unknown.length === 0) return false;
    this.#leftOut = new Set([...this.#leftOut, ...unknown]);
    this.#until = this.#clock.monotonic() + LEFT_OUT_MS;
    const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : '';
    this.#notice(new CodedError('AVIGILON_REQUEST_REFUSED', `The site has no camera ${unknown.slice(0, 3).join(', ')}${more}; only the others are read. Check the list of cameras.`));
    return true;
  }
}

const NOTHING = { events: [] };

const hasIds = (query: Query): boolean => query.some(([key]) => key === 'deviceIds');
