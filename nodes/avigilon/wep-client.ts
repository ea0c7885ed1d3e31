/** The Web Endpoint as the nodes use it: requests within the shared session, which is renewed once where it is refused. */
import { pause, type Clock } from '../kit/clock';
import type { Query } from './event-search';
import { untilAborted } from './until-aborted';
import { isRefusal, MAX_SKEW_MS, requestError } from './wep-errors';
import type { WepAnswer, WepCall, WepHttp } from './wep-http';
import type { Session, WepSession } from './wep-session';

/**
 * How the session is sent with a GET. Versions before 7.12 need it in the query, where it may end up in logs (facts A2, A9.9);
 * `auto` begins with the header and turns to the query when the server refuses a session that it has just given.
 */
export const TRANSPORTS = ['auto', 'header', 'query'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Nodes stop at the same time as their server; what they still have to say to it goes first. */
const FAREWELL_LIMIT_MS = 6000;

export class WepClient {
  readonly #http: WepHttp;
  readonly #session: WepSession;
  readonly #clock: Clock;
  readonly #leases = new Set<symbol>();
  #transport: Transport;
  #released: () => void = () => undefined;

  constructor(http: WepHttp, session: WepSession, transport: Transport, clock: Clock) {
    this.#http = http;
    this.#session = session;
    this.#transport = transport;
    this.#clock = clock;
  }

  /** host:port, for texts. */
  get label(): string {
    return this.#http.address.label;
  }

  /**
   * The server's time, ms since 1970: its events carry it. Ours until it has answered, and where its answers are dated so far
   * off that it would have refused the login: then some proxy dated them.
   */
  get now(): number {
    const ahead = this.#http.serverAheadMs ?? 0;
    return this.#clock.now() + (Math.abs(ahead) <= MAX_SKEW_MS ? ahead : 0);
  }

  /** The `result` of a GET. @throws WepError, LoginError, CodedError network codes; the signal's reason */
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
    return this.#call({ method: 'GET', path, query }, signal);
  }

  /** The `result` of a request with a body. @throws as `get` */
  send(method: 'POST' | 'PUT' | 'DELETE', path: string, body: object, signal: AbortSignal): Promise<unknown> {
    return this.#call({ method, path, body }, signal);
  }

  /** A user of the server announces itself; the session stays until the last has called the returned function. */
  lease(): () => void {
    const lease = Symbol('lease');
    this.#leases.add(lease);
    return () => {
      this.#leases.delete(lease);
      if (this.#leases.size === 0) this.#released();
    };
  }

  /** A person asks to try again now, also where logins are held back. */
  retry(): void {
    this.#session.retry();
  }

  /** Waits for the users to leave, then logs out. */
  async close(): Promise<void> {
    const over = new AbortController();
    this.#released = () => over.abort();
    if (this.#leases.size > 0) await pause(this.#clock, FAREWELL_LIMIT_MS, over.signal);
    await this.#session.close();
  }

  async #call(call: WepCall, signal: AbortSignal): Promise<unknown> {
    let session = await untilAborted(this.#session.current(), signal);
    let answer = await this.#attempt(call, session, signal);
    if (isRefusal(answer.status)) {
      session = await untilAborted(this.#session.renewed(session), signal);
      answer = await this.#attempt(call, session, signal);
    }
    const error = requestError({ ...answer, message: answer.message.replaceAll(session.token, '…') }, `${call.method} ${call.path}`, this.label);
    if (error) throw error;
    return answer.result;
  }

  async #attempt(call: WepCall, session: Session, signal: AbortSignal): Promise<WepAnswer> {
    const withQuery = this.#transport === 'query';
    const answer = await this.#http.send(inSession(call, session, withQuery), signal);
    if (call.method !== 'GET' || this.#transport !== 'auto') return answer;
    if (answer.status < 400) {
      // The header alone is enough here: from now on no refusal is a question of transport.
      this.#transport = 'header';
    } else if (isRefusal(answer.status) || answer.status === 400) {
      const second = await this.#http.send(inSession(call, session, true), signal);
      if (second.status < 400) this.#transport = 'query';
      return second;
    }
    return answer;
  }
}

/** The header is documented for all routes; bodies carry the session as a field (facts A2). */
function inSession(call: WepCall, { token }: Session, withQuery: boolean): WepCall {
  return {
    ...call,
    headers: { 'x-avg-session': token },
    ...(call.body ? { body: { session: token, ...call.body } } : {}),
    ...(withQuery && !call.body ? { query: [...(call.query ?? []), ['session', token] as const] } : {}),
  };
}
