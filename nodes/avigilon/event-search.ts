/** `GET /events/search`: one time range of one server, page by page to the last (facts/avigilon-een.md A4). */
import { CodedError } from '../kit/errors';
import { eventId, timeOf, type WepEvent } from './wep-event';

export type Query = readonly (readonly [key: string, value: string])[];

/** Asks for a path of the API and gives the `result` of the answer. */
export type Get = (path: string, query: Query) => Promise<unknown>;

export interface TimeRange {
  serverId: string;
  /** ms since 1970, not after `to`. Whether the server counts the bounds in is unknown; callers let ranges overlap. */
  from: number;
  to: number;
  topics: readonly string[];
  /** Camera ids; undefined for all. */
  deviceIds: readonly string[] | undefined;
}

const LIMIT = 1000;
/** Room in the URL for camera ids; the limit of the server is unknown, 8 KB is a usual one. */
const DEVICE_CHARACTERS = 3000;
/** Pages in a row that say there is more, and are empty or hold what the page before held. */
const FRUITLESS_PAGES = 3;
/** Of one search; more is a server that goes round in circles. */
const MAX_PAGES = 500;

/**
 * All events of the range, each once, a page at a time, in the server's order for each group of cameras.
 * @throws CodedError AVIGILON_BAD_ANSWER, and what `get` throws; the pages given until then are not all
 */
export async function* searchEvents(get: Get, range: TimeRange): AsyncGenerator<WepEvent[], void> {
  const groups = range.deviceIds === undefined ? [[]] : inGroups(range.deviceIds);
  for (const group of groups) yield* searchGroup(get, range, group);
}

async function* searchGroup(get: Get, range: TimeRange, deviceIds: readonly string[]): AsyncGenerator<WepEvent[], void> {
  const known = new Set<string>();
  let token: string | undefined;
  /** Time of the latest event: where to begin anew when the token leads nowhere. */
  let reached = range.from;
  /** Something new came since the search last began at a time. */
  let gained = true;
  let before: ReadonlySet<string> = new Set();
  let fruitless = 0;
  for (let asked = 0; asked < MAX_PAGES; asked++) {
    const page = await ask(get, range, deviceIds, reached, token).catch((error: unknown) => {
      if (token !== undefined && gained && isRefusedToken(error)) return undefined;
      throw error;
    });
    const ids = page?.events.map(eventId) ?? [];
    const fresh = page?.events.filter((_, index) => !known.has(ids[index] ?? '')) ?? [];
    for (const id of ids) known.add(id);
    for (const event of fresh) reached = Math.max(reached, Math.min(timeOf(event) ?? 0, range.to));
    if (fresh.length > 0) yield fresh;
    gained ||= fresh.length > 0;
    fruitless = ids.every((id) => before.has(id)) ? fruitless + 1 : 0;
    before = new Set(ids);

    token = page?.token;
    if (token !== undefined && fruitless < FRUITLESS_PAGES) continue;
    // A full page should have come with a token, and a token should have brought something. Asking once more from the last
    // event on costs a request, and loses nothing where the server did stop short.
    const stoppedShort = !page || token !== undefined || page.events.length >= LIMIT;
    if (!stoppedShort || !gained) return;
    token = undefined;
    gained = false;
    fruitless = 0;
  }
  throw new CodedError('AVIGILON_BAD_ANSWER', `the server hands out pages of events without end (more than ${MAX_PAGES})`);
}

/** Sessions that end and servers that restart take their tokens along. */
const isRefusedToken = (error: unknown): boolean => error instanceof CodedError && error.code === 'AVIGILON_REQUEST_REFUSED';

interface Page {
  events: WepEvent[];
  token: string | undefined;
}

async function ask(get: Get, range: TimeRange, deviceIds: readonly string[], from: number, token: string | undefined): Promise<Page> {
  // Nothing but the token: `limit` or a filter beside it is refused (facts A9.2).
  const query: Query = token === undefined ? timeRange(range, from, deviceIds) : [['queryType', 'CONTINUE'], ['token', token]];
  const result = ((await get('/events/search', query)) ?? {}) as { events?: unknown; token?: unknown };
  if (!Array.isArray(result.events)) throw new CodedError('AVIGILON_BAD_ANSWER', 'the answer to the search holds no list of events');
  return {
    events: result.events.filter((event): event is WepEvent => typeof event === 'object' && event !== null && !Array.isArray(event)),
    token: typeof result.token === 'string' && result.token !== '' ? result.token : undefined,
  };
}

const timeRange = ({ serverId, to, topics }: TimeRange, from: number, deviceIds: readonly string[]): Query => [
  ['queryType', 'TIME_RANGE'],
  ['serverId', serverId],
  ['from', new Date(from).toISOString()],
  ['to', new Date(to).toISOString()],
  ['limit', String(LIMIT)],
  // The key is repeated for each value: a list with commas is one unknown topic (facts A9.3).
  ...topics.map((topic) => ['eventTopics', topic] as const),
  ...deviceIds.map((id) => ['deviceIds', id] as const),
];

/** Camera ids in groups that fit a URL each; every camera is in one group, so that its events stay in order. */
function inGroups(ids: readonly string[]): string[][] {
  const groups: string[][] = [];
  let room = 0;
  for (const id of new Set(ids)) {
    const length = '&deviceIds='.length + encodeURIComponent(id).length;
    if (length > room) {
      groups.push([]);
      room = DEVICE_CHARACTERS;
    }
    groups.at(-1)?.push(id);
    room -= length;
  }
  return groups;
}
