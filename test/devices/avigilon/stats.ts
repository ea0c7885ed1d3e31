export type LoginRefusal =
  | 'badRequest' | 'clientVersion' | 'noToken' | 'malformedToken' | 'nonce' | 'hash' | 'skew' | 'integrationId' | 'password';
export type SessionRefusal = 'missing' | 'headerOnly' | 'expired' | 'unknown';
export type SessionWay = 'header' | 'query' | 'header+query' | 'body';

export interface SeenRequest {
  /** Epoch ms on the clock of the world, not of the server. */
  at: number;
  method: string;
  /** Without the query, which may hold a session. */
  path: string;
  /** 0: never answered in full. */
  status: number;
  /** Why it was refused. */
  message?: string;
}

/** A search as the server understood it. */
export interface SeenQuery {
  at: number;
  queryType: 'TIME_RANGE' | 'ACTIVE' | 'CONTINUE';
  serverId: string;
  /** Epoch ms. */
  from?: number;
  to?: number;
  /** Groups expanded; undefined: all. */
  topics?: readonly string[];
  deviceIds?: readonly string[];
  limit: number;
  served: number;
  hasToken: boolean;
}

export interface SeenPush {
  at: number;
  webhookId: string;
  type: 'HELLO' | 'HEARTBEAT' | 'NOTIFICATION';
  events: number;
  /** Undefined: no answer. */
  status?: number;
}

/** What a Web Endpoint has seen since it was created, restarts included. Lists keep the last 1000 entries. */
export class AvigilonStats {
  connectionsOpened = 0;
  connectionsOpen = 0;
  requests = 0;
  /** By `GET /events/search` and the like; what is no route counts as `other`. */
  readonly requestsByRoute: Record<string, number> = {};
  readonly requestLog: SeenRequest[] = [];
  logins = 0;
  readonly refusedLogins: { at: number; why: LoginRefusal; message: string }[] = [];
  readonly refusedSessions: { at: number; route: string; why: SessionRefusal }[] = [];
  /** How sessions were given with requests that were let in. */
  readonly sessionWays: Record<SessionWay, number> = { header: 0, query: 0, 'header+query': 0, body: 0 };
  logouts = 0;
  /** The most sessions that were open at a time. */
  sessionsPeak = 0;
  eventsWritten = 0;
  /** Summed over all answers. */
  eventsServed = 0;
  readonly queries: SeenQuery[] = [];
  readonly faults: { at: number; kind: string; route: string }[] = [];
  readonly pushes: SeenPush[] = [];
  /** HELLO, HEARTBEAT and NOTIFICATION messages that the target took. */
  pushesDelivered = 0;
  /** Lost for good: the server does not repeat them. */
  pushesFailed = 0;
  pushesInFlight = 0;
  pushesInFlightPeak = 0;
  eventsPushed = 0;

  private readonly watchers = new Set<() => void>();

  constructor(private readonly countSessions: () => number) {}

  /** Logged in, not logged out, not expired: those a careless client piles up. */
  get sessionsOpen(): number {
    return this.countSessions();
  }

  /** Adds to one of the lists above and forgets the oldest entry beyond 1000. */
  static remember<T>(list: T[], entry: T): void {
    list.push(entry);
    if (list.length > 1000) list.shift();
  }

  countRequest(route: string): void {
    this.requests += 1;
    this.requestsByRoute[route] = (this.requestsByRoute[route] ?? 0) + 1;
  }

  /** To be called after a change; wakes those who wait in `until`. */
  changed(): void {
    this.sessionsPeak = Math.max(this.sessionsPeak, this.sessionsOpen);
    for (const watch of this.watchers) watch();
  }

  /** Resolves as soon as `check` holds. The caller's test has the time limit. */
  until(check: (stats: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (!check(this)) return;
        this.watchers.delete(watch);
        resolve();
      };
      this.watchers.add(watch);
      watch();
    });
  }
}
