/**
 * Requests to a device that wants a login: Digest, hardened as facts/dependencies.md 1 and facts/dahua-hanwha.md A8
 * ask for, and Basic where the device knows nothing else and the user allows it.
 */
import { once } from 'node:events';
import type { Dispatcher } from 'undici';
import { CodedError } from './errors';
import { parseAuthParams, parseChallenges, type Challenge } from './digest-challenge';
import { asDigest, chooseChallenge, type DigestChallenge, type UsableChallenge } from './digest-choice';
import { loadDigestSession, type DigestSession, type NewDigestSession, type RandomBytes } from './digest-session';
import { drain, toNetworkError, type ResponseBody, type ResponseHeaders } from './http';
import { wirePath } from './http-path';

export interface DeviceLogin {
  user: string;
  password: string;
  /** Basic may be used where the device offers no Digest that can be answered. */
  allowBasic: boolean;
}

export interface AuthOutcome {
  /** What the last request carried. */
  scheme: 'none' | 'digest' | 'basic';
  /**
   * A 401 answered user and password on a nonce that was new and not called stale (or answered Basic): they are wrong,
   * or the device is locked or at its limit, which only its text tells. Trying again feeds a lockout.
   */
  refused: boolean;
}

export interface DeviceResponse {
  status: number;
  headers: ResponseHeaders;
  /** Unread, and to be read or destroyed by the caller; already at its end where `refusalText` is set. */
  body: ResponseBody;
  auth: AuthOutcome;
  /** With status 401 and 403: the text of the body, at most 64 KiB. */
  refusalText: string | undefined;
}

export interface DeviceRequest {
  /** As sent and signed; GET by default. */
  method?: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent again with every round trip of a login. */
  body?: string | Buffer;
  signal?: AbortSignal;
  /** In place of the agent's. */
  headersTimeoutMs?: number;
  /** In place of the client's, e.g. one with more sockets for short calls; the login is shared. */
  dispatcher?: Dispatcher;
}

export interface DeviceHttpOptions {
  /** `http://host:port` */
  origin: string;
  login: DeviceLogin;
  dispatcher: Dispatcher;
  randomBytes?: RandomBytes;
  /** How long the body of a refusal may take before it is cut off; milliseconds. */
  refusalTimeoutMs?: number;
}

const REFUSAL_LIMIT_BYTES = 64 * 1024;

/** After so many in a row a device is taken for one that takes no nonce twice. */
const REFUSED_REUSES = 2;

/** What a request is sent with. */
type Login = { scheme: 'basic' } | DigestSession;

/** One request, as each of its round trips sends it. */
interface Call extends DeviceRequest {
  method: string;
  uri: string;
}

/**
 * One device and one login. Keep one per device: the nonce is reused, so that after the first login a request costs one
 * round trip. While nothing is known of the device, requests that come together wait for the first one's login; so a
 * wrong password costs one refused login per request and never more.
 */
export class DeviceHttp {
  /** host:port, for texts. */
  readonly device: string;
  readonly #options: DeviceHttpOptions;
  readonly #origin: string;
  /** What the next request is sent with, unasked. */
  #login: Login | undefined;
  /** The latest session, accepted or not: where the same nonce is offered again, its `nc` goes on. */
  #session: DigestSession | undefined;
  /** Settles when the first login is over, whatever came of it. */
  #firstLogin: Promise<unknown> | undefined;
  /** The device answers without a login. */
  #open = false;
  /** Digest was offered once: from then on the password is not sent readably. */
  #digestSeen = false;
  /**
   * Reused nonces refused in a row. Many devices give a new nonce with every answer and take it once; asking first
   * spares them a refused login per request (facts/dahua-hanwha.md A8).
   */
  #refusedReuses = 0;

  /** @throws {CodedError} CONFIG_INVALID: an origin that is none, or a user that cannot stand in a header */
  constructor(options: DeviceHttpOptions) {
    const url = URL.canParse(options.origin) ? new URL(options.origin) : undefined;
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
      throw new CodedError('CONFIG_INVALID', 'The address of the device is not of the form http://host:port.', { field: 'host' });
    }
    // eslint-disable-next-line no-control-regex -- a line break in the user would be a header of its own
    if (/[\0-\x1f\x7f]/.test(options.login.user)) {
      throw new CodedError('CONFIG_INVALID', 'The user name holds a line break or another control character.', { field: 'user' });
    }
    this.#options = options;
    this.#origin = url.origin;
    this.device = url.port ? url.host : `${url.host}:${url.protocol === 'https:' ? 443 : 80}`;
  }

  /**
   * Sends a request, and logs in where the device asks for it: at most one login with a new nonce, and one more where
   * the device calls that nonce stale. Any status is an answer, also 401 and 403; the caller judges it.
   * A 401 without a challenge, as some devices send while locked, is such an answer too.
   * @param path path and query, e.g. `/cgi-bin/eventManager.cgi?action=attach&codes=[All]`
   * @throws {CodedError} AUTH_UNSUPPORTED, AUTH_BASIC_NOT_ALLOWED, CONFIG_INVALID and those of {@link toNetworkError};
   *   the reason of `signal` when that is aborted
   */
  async request(path: string, options: DeviceRequest = {}): Promise<DeviceResponse> {
    const call: Call = { ...options, method: options.method ?? 'GET', uri: wirePath(path) };
    const newSession = await loadDigestSession();
    while (this.#firstLogin && !this.#isKnown()) await settledOrAborted(this.#firstLogin, call.signal);
    if (this.#isKnown()) return this.#exchange(call, newSession);

    const exchange = this.#exchange(call, newSession);
    this.#firstLogin = exchange;
    try {
      return await exchange;
    } finally {
      this.#firstLogin = undefined;
    }
  }

  #isKnown(): boolean {
    return this.#login !== undefined || this.#open;
  }

  async #exchange(call: Call, newSession: NewDigestSession): Promise<DeviceResponse> {
    let login = this.#login;
    // Whether a 401 is about user and password. On a reused nonce it may be about the nonce; Basic has none.
    let decisive = login?.scheme === 'basic';
    let renewed = false;
    for (;;) {
      const answer = await this.#send(call, login);
      if (answer.status !== 401) {
        this.#accept(answer, login, decisive, newSession);
        return answer;
      }
      if (this.#login === login) this.#login = undefined;
      if (!login) this.#open = false;

      const offered = parseChallenges([answer.headers['www-authenticate'] ?? []].flat());
      if (login && decisive) {
        const stale = offered.map(asDigest).find((challenge) => challenge?.stale);
        if (stale && renewed) return answer;
        if (!stale || login.scheme === 'basic') return { ...answer, auth: { ...answer.auth, refused: true } };
        renewed = true;
      } else if (offered.length === 0) {
        return answer;
      }
      const challenge = this.#choose(offered);
      if (login && !decisive) {
        renewed = challenge.scheme === 'digest' && challenge.stale;
        if (!renewed) this.#refusedReuses += 1;
      }
      login = challenge.scheme === 'basic' ? challenge : this.#sessionFor(challenge, newSession);
      decisive = true;
    }
  }

  /** One round trip. The body of a refusal is read, so that the socket is free for the next one. */
  async #send(call: Call, login: Login | undefined): Promise<DeviceResponse> {
    const headers: Record<string, string> & { authorization?: string } = Object.fromEntries(
      Object.entries(call.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'authorization'),
    );
    if (login) headers.authorization = this.#authorization(call, login);
    let answer: Dispatcher.ResponseData;
    try {
      answer = await (call.dispatcher ?? this.#options.dispatcher).request({
        origin: this.#origin,
        path: call.uri,
        method: call.method,
        headers,
        body: call.body ?? null,
        signal: call.signal ?? null,
        headersTimeout: call.headersTimeoutMs ?? null,
      });
    } catch (error) {
      call.signal?.throwIfAborted();
      throw toNetworkError(error, this.device);
    }
    const { statusCode: status, headers: answerHeaders, body } = answer;
    let refusalText: string | undefined;
    if (status === 401 || status === 403) {
      refusalText = await drain(body, REFUSAL_LIMIT_BYTES, this.#options.refusalTimeoutMs);
      call.signal?.throwIfAborted();
    }
    return { status, headers: answerHeaders, body, auth: { scheme: login?.scheme ?? 'none', refused: false }, refusalText };
  }

  #authorization(call: Call, login: Login): string {
    if (login.scheme === 'digest') return login.authorization(call.method, call.uri);
    const { user, password } = this.#options.login;
    if (user.includes(':')) {
      throw new CodedError('CONFIG_INVALID', 'With Basic authentication the user name cannot hold a colon.', { field: 'user' });
    }
    return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
  }

  #choose(offered: readonly Challenge[]): UsableChallenge {
    const challenge = chooseChallenge(offered, this.#options.login.allowBasic, this.device);
    if (challenge.scheme === 'digest') {
      this.#digestSeen = true;
    } else if (this.#digestSeen) {
      throw new CodedError(
        'AUTH_BASIC_NOT_ALLOWED',
        `${this.device} offered Digest authentication before and now only Basic. The password was not sent: check that it is the same device, then deploy again.`,
      );
    }
    return challenge;
  }

  #sessionFor(challenge: DigestChallenge, newSession: NewDigestSession): DigestSession {
    const latest = this.#session?.challenge;
    if (this.#session && latest?.nonce === challenge.nonce && latest.realm === challenge.realm && latest.algorithm === challenge.algorithm) {
      return this.#session;
    }
    const { user, password } = this.#options.login;
    this.#session = newSession(user, password, challenge, this.#options.randomBytes);
    return this.#session;
  }

  /** Remembers under which login the device answered. */
  #accept(answer: DeviceResponse, login: Login | undefined, asked: boolean, newSession: NewDigestSession): void {
    if (answer.status === 403) return;
    if (!login) {
      this.#open = true;
      return;
    }
    if (!asked) this.#refusedReuses = 0;
    if (this.#refusedReuses >= REFUSED_REUSES) return;
    this.#login = login.scheme === 'digest' ? this.#next(answer, login, newSession) : login;
  }

  /** The session of the server's `nextnonce`, else the same. A -sess key belongs to the first nonce, so it stays. */
  #next(answer: DeviceResponse, session: DigestSession, newSession: NewDigestSession): DigestSession {
    const info = [answer.headers['authentication-info'] ?? []].flat().join();
    const nextNonce = info && parseAuthParams(info).get('nextnonce');
    if (!nextNonce || session.challenge.sess) return session;
    return this.#sessionFor({ ...session.challenge, nonce: nextNonce }, newSession);
  }
}

/** Waits until `work` is over, however it ends; rejects with the reason of `signal` when that comes first. */
async function settledOrAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const settled = work.then(
    () => undefined,
    () => undefined,
  );
  if (!signal) return settled;
  const over = new AbortController();
  const aborted = once(signal, 'abort', { signal: over.signal }).catch(() => undefined);
  await Promise.race([settled, aborted]);
  over.abort();
  signal.throwIfAborted();
}
