import type { Random } from '../seeded-random';
import type { LogEntry, WepEvent } from './event-log';
import type { EventStore } from './event-store';
import type { FaultKind, PageFault } from './faults';
import type { AvigilonOptions } from './options';
import { Refusal } from './refusal';
import { bytes, type Site } from './site';
import { AvigilonStats } from './stats';
import { expandTopics } from './topics';

const MOST_TOKENS = 10_000;

interface Query {
  serverId: string;
  /** Epoch ms. */
  from: number;
  to: number;
  topics: ReadonlySet<string> | undefined;
  deviceIds: ReadonlySet<string> | undefined;
  limit: number;
}

/** What a continuation token stands for. */
interface Continuation {
  query: Query;
  after: LogEntry | undefined;
  /** Where the page before began. */
  pageBefore: LogEntry | undefined;
  session: string;
}

export interface SearchResult {
  events: WepEvent[];
  token?: string;
}

interface SearchSurroundings {
  options: AvigilonOptions;
  site: Site;
  store: EventStore;
  stats: AvigilonStats;
  random: Random;
  now: () => number;
}

/** `GET /events/search` (facts A4). */
export class EventSearch {
  private readonly tokens = new Map<string, Continuation>();

  constructor(private readonly around: SearchSurroundings) {}

  /** Tokens do not survive a restart. */
  forget(): void {
    this.tokens.clear();
  }

  /** `takeFault` gives the fault that shall spoil this page, if there is one; `fits` says which kinds can. */
  search(parameters: URLSearchParams, session: string, takeFault: (fits: (kind: FaultKind) => boolean) => PageFault | undefined): SearchResult {
    this.around.store.settle();
    const queryType = oneOf(parameters, 'queryType', ['TIME_RANGE', 'ACTIVE', 'CONTINUE']);
    if (queryType === 'ACTIVE') return this.active(parameters);
    const continuing = queryType === 'CONTINUE';
    const place: Continuation = continuing
      ? this.continued(parameters, session)
      : { query: this.timeRange(parameters), after: undefined, pageBefore: undefined, session };
    const result = this.pageAt(place, takeFault((kind) => continuing || kind === 'emptyPage'));
    this.note(queryType, place.query, result);
    return result;
  }

  private pageAt(place: Continuation, fault: PageFault | undefined): SearchResult {
    const { query } = place;
    if (fault?.kind === 'emptyPage') return { events: [], token: this.tokenFor(place) };
    const log = this.around.store.log(query.serverId)!;
    const wants = wanted(query);
    let { after } = place;
    if (fault?.kind === 'repeatedPage') after = place.pageBefore;
    if (fault?.kind === 'overlap' && after) after = log.back({ from: query.from, wants }, after, fault.events ?? 3);
    if (this.isElsewhere(query.serverId)) return { events: [] };
    const { entries, more } = log.page({ ...query, wants, after });
    const events = entries.map(({ event }) => event);
    if (fault?.kind === 'repeatedPage') return { events, token: this.tokenFor(place) };
    return more ? { events, token: this.tokenFor({ ...place, after: entries.at(-1), pageBefore: after }) } : { events };
  }

  private active(parameters: URLSearchParams): SearchResult {
    allow(parameters, ['serverId', 'eventTopics', 'deviceIds', 'limit']);
    const query = { ...this.filters(parameters), from: -Infinity, to: Infinity };
    const log = this.around.store.log(query.serverId)!;
    const result = { events: this.isElsewhere(query.serverId) ? [] : log.running(wanted(query), query.limit) };
    this.note('ACTIVE', query, result);
    return result;
  }

  private timeRange(parameters: URLSearchParams): Query {
    allow(parameters, ['serverId', 'from', 'to', 'eventTopics', 'deviceIds', 'limit']);
    const to = single(parameters, 'to') === undefined && this.around.options.toOptional ? Infinity : isoTime(parameters, 'to');
    const query = { ...this.filters(parameters), from: isoTime(parameters, 'from'), to };
    if (query.from > query.to) throw new Refusal(400, '"from" must not be after "to"');
    return query;
  }

  private continued(parameters: URLSearchParams, session: string): Continuation {
    allow(parameters, ['token']);
    const token = required(parameters, 'token');
    const { continuation = {} } = this.around.options;
    const place = this.tokens.get(token);
    if (!place || (continuation.boundToSession && place.session !== session)) throw new Refusal(400, '"token" is not valid');
    if (continuation.singleUse) this.tokens.delete(token);
    return { ...place, session };
  }

  private filters(parameters: URLSearchParams): Pick<Query, 'serverId' | 'topics' | 'deviceIds' | 'limit'> {
    const { options, site, store } = this.around;
    const serverId = required(parameters, 'serverId');
    if (!store.log(serverId)) throw new Refusal(404, 'server not found.');
    const names = parameters.getAll('eventTopics');
    const topics = expandTopics(names);
    if (!topics) throw new Refusal(400, '"eventTopics" has a value that is not allowed');
    const ids = parameters.getAll('deviceIds');
    if (options.unknownDevice === 'notFound' && ids.some((id) => !site.cameras.some((camera) => camera.id === id))) {
      throw new Refusal(404, 'camera not found.');
    }
    const limit = single(parameters, 'limit') ?? '1000';
    if (!/^[1-9]\d{0,8}$/.test(limit)) throw new Refusal(400, '"limit" must be a positive number');
    return {
      serverId,
      topics: names.length > 0 ? topics : undefined,
      deviceIds: ids.length > 0 ? new Set(ids) : undefined,
      limit: Math.min(Number(limit), options.maxLimit ?? Infinity),
    };
  }

  private isElsewhere(serverId: string): boolean {
    const { localServer } = this.around.options;
    return localServer !== undefined && localServer !== serverId;
  }

  private tokenFor(place: Continuation): string {
    const token = Buffer.concat([Buffer.from([0x0a, 6, 8, 1]), bytes(this.around.random, 20)]).toString('base64');
    this.tokens.set(token, place);
    if (this.tokens.size > MOST_TOKENS) this.tokens.delete(this.tokens.keys().next().value!);
    return token;
  }

  private note(queryType: 'TIME_RANGE' | 'ACTIVE' | 'CONTINUE', query: Query, { events, token }: SearchResult): void {
    const { stats, now } = this.around;
    stats.eventsServed += events.length;
    AvigilonStats.remember(stats.queries, {
      at: now(),
      queryType,
      serverId: query.serverId,
      ...(Number.isFinite(query.from) ? { from: query.from } : {}),
      ...(Number.isFinite(query.to) ? { to: query.to } : {}),
      ...(query.topics ? { topics: [...query.topics] } : {}),
      ...(query.deviceIds ? { deviceIds: [...query.deviceIds] } : {}),
      limit: query.limit,
      served: events.length,
      hasToken: token !== undefined,
    });
  }
}

function wanted({ topics, deviceIds }: Query): (event: WepEvent) => boolean {
  return (event) => (!topics || topics.has(event.type)) && (!deviceIds || (event.cameraId !== undefined && deviceIds.has(event.cameraId)));
}

function allow(parameters: URLSearchParams, names: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (name !== 'session' && name !== 'queryType' && !names.includes(name)) throw new Refusal(400, `"${name}" is not allowed`);
  }
}

/** A parameter that must not be repeated. */
export function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  if (values.length > 1) throw new Refusal(400, `"${name}" must be a string`);
  return values[0];
}

function required(parameters: URLSearchParams, name: string): string {
  const value = single(parameters, name);
  if (!value) throw new Refusal(400, `"${name}" is required`);
  return value;
}

function oneOf<T extends string>(parameters: URLSearchParams, name: string, values: readonly T[]): T {
  const value = required(parameters, name);
  const known = values.find((one) => one === value);
  if (known === undefined) throw new Refusal(400, `"${name}" must be one of [${values.join(', ')}]`);
  return known;
}

const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?$/;

/** Epoch ms, with the microseconds as a fraction; without a zone it is UTC. */
function isoTime(parameters: URLSearchParams, name: string): number {
  const [, seconds, fraction = '', zone = 'Z'] = ISO.exec(required(parameters, name)) ?? [];
  const whole = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(whole)) throw new Refusal(400, `"${name}" must be a valid ISO 8601 date`);
  return whole + Number(`0${fraction}`) * 1000;
}
