/**
 * Requests to a device that wants a login: Digest, hardened as facts/dependencies.md 1 and facts/dahua-hanwha.md A8
 * ask for, and Basic where the device knows nothing else and the user allows it.
 */
import type { Dispatcher } from 'undici';
import { CodedError, coded } from './errors';
import { parseAuthParams, parseChallenges, type Challenge } from './digest-challenge';
import { asDigest, chooseChallenge, type DigestChallenge, type UsableChallenge } from './digest-choice';
import { loadDigestSession, type DigestSession, type NewDigestSession, type RandomBytes } from './digest-session';
import { Turn } from './digest-turn';
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

/** A round trip under the login that was at hand, or none. */
interface Attempt {
  login: Login | undefined;
  answer: DeviceResponse;
  /** How many 401s the device had sent by then. */
  challenged: number;
}

/**
 * One device and one login. Keep one per device: the nonce is reused, so that after the first login a request costs one
 * round trip. Logins are made one at a time, and while nothing is known of the device requests wait for the first one's.
 */
export class DeviceHttp {
  /** host:port, for texts. */
  readonly device: string;
  readonly #options: DeviceHttpOptions;
  readonly #origin: string;
  #newSession: NewDigestSession | undefined;
  /** What the next request is sent with, unasked. */
  #login: Login | undefined;
  /** The latest session, accepted or not: where the same nonce is offered again, its `nc` goes on. */
  #session: DigestSession | undefined;
  readonly #turn = new Turn();
  /** The device answered without a login, so that requests need not wait for one. */
  #open = false;
  /** Digest was offered once: from then on the password is not sent readably. */
  #digestSeen = false;
  /**
   * Reused nonces refused in a row. Many devices give a new nonce with every answer and take it once; asking first
   * spares them a refused login per request (facts/dahua-hanwha.md A8).
   */
  #refusedReuses = 0;

  /** 401s so far: where one came in between, it may have voided the nonce at hand. */
  #challenged = 0;
  /** Logins refused so far. */
  #refused = 0;

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
   * GET and HEAD are sent once more where the connection is lost before the answer.
   * A 401 without a challenge, as some devices send while locked, is such an answer too.
   * @param path path and query, e.g. `/cgi-bin/eventManager.cgi?action=attach&codes=[All]`
   * @throws {CodedError} AUTH_UNSUPPORTED, AUTH_BASIC_NOT_ALLOWED, CONFIG_INVALID and those of {@link toNetworkError};
   *   the reason of `signal` when that is aborted
   */
  async request(path: string, options: DeviceRequest = {}): Promise<DeviceResponse> {
    const call: Call = { ...options, method: options.method ?? 'GET', uri: wirePath(path) };
    this.#newSession ??= await loadDigestSession();
    while (this.#turn.taken && !this.#isKnown()) await this.#turn.over(call.signal);
    if (!this.#isKnown()) return this.#turn.take(this.#logIn(call));

    const first = await this.#try(call);
    if (first.answer.status !== 401) return first.answer;
    // Basic has no nonce that could be at fault.
    if (first.login?.scheme === 'basic') return this.#refuse(first.answer);
    const refusedBefore = this.#refused;
    while (this.#turn.taken) await this.#turn.over(call.signal);
    // Another request tried the same user and password with a new nonce: once is enough.
    if (first.login && this.#refused > refusedBefore) return this.#refuse(first.answer);
    return this.#turn.take(this.#logIn(call, first));
  }

  #isKnown(): boolean {
    return this.#login !== undefined || this.#open;
  }

  /** One round trip under the login at hand, if there is one. */
  async #try(call: Call): Promise<Attempt> {
    const login = this.#login;
    const answer = await this.#send(call, login);
    if (answer.status === 401) {
      if (this.#login === login) this.#login = undefined;
    } else if (!login) {
      this.#open = true;
    } else {
      this.#refusedReuses = 0;
      this.#accept(answer, login);
    }
    return { login, answer, challenged: this.#challenged };
  }

  /**
   * Answers a challenge, alone among the requests.
   * @param first the attempt that was challenged
   */
  async #logIn(call: Call, first?: Attempt): Promise<DeviceResponse> {
    const alone = first?.challenged === this.#challenged;
    const asked = first && alone ? first : await this.#try(call);
    let { answer } = asked;
    if (answer.status !== 401) return answer;
    let offered = challengesOf(answer);
    if (offered.length === 0) return answer;
    let challenge = this.#choose(offered);
    let renewed = asked.login !== undefined && isStale(challenge);
    if (asked.login && alone && !renewed) this.#refusedReuses += 1;
    for (;;) {
      const login = challenge.scheme === 'basic' ? challenge : this.#sessionFor(challenge);
      const challengedBefore = this.#challenged;
      answer = await this.#send(call, login);
      if (answer.status !== 401) {
        this.#accept(answer, login);
        return answer;
      }
      offered = challengesOf(answer);
      const voided = this.#challenged > challengedBefore + 1 || offered.map(asDigest).some((one) => one?.stale);
      if (login.scheme === 'basic' || !voided) return this.#refuse(answer);
      if (renewed || offered.length === 0) return answer;
      renewed = true;
      challenge = this.#choose(offered);
    }
  }

  #refuse(answer: DeviceResponse): DeviceResponse {
    this.#refused += 1;
    return { ...answer, auth: { ...answer.auth, refused: true } };
  }

  /** One round trip. The body of a refusal is read, so that the socket is free for the next one. */
  async #send(call: Call, login: Login | undefined): Promise<DeviceResponse> {
    const { statusCode: status, headers, body } = await this.#dispatch(call, login).catch((error: unknown) => {
      // Much firmware closes a socket that it should keep, unannounced, just as the next request goes out on it.
      const again = ['GET', 'HEAD'].includes(call.method) && coded(error).code === 'CONNECTION_LOST';
      if (!again) throw error;
      return this.#dispatch(call, login);
    });
    if (status === 401) this.#challenged += 1;
    let refusalText: string | undefined;
    if (status === 401 || status === 403) {
      refusalText = await drain(body, REFUSAL_LIMIT_BYTES, this.#options.refusalTimeoutMs);
      call.signal?.throwIfAborted();
    }
    return { status, headers, body, auth: { scheme: login?.scheme ?? 'none', refused: false }, refusalText };
  }

  async #dispatch(call: Call, login: Login | undefined): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> & { authorization?: string } = Object.fromEntries(
      Object.entries(call.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'authorization'),
    );
    if (login) headers.authorization = this.#authorization(call, login);
    try {
      return await (call.dispatcher ?? this.#options.dispatcher).request({
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

  #sessionFor(challenge: DigestChallenge): DigestSession {
    const latest = this.#session?.challenge;
    if (this.#session && latest?.nonce === challenge.nonce && latest.realm === challenge.realm && latest.algorithm === challenge.algorithm) {
      return this.#session;
    }
    const { user, password } = this.#options.login;
    if (!this.#newSession) throw new Error('digest-fetch is not loaded');
    this.#session = this.#newSession(user, password, challenge, this.#options.randomBytes);
    return this.#session;
  }

  /** Remembers the login for the next request: the server's `nextnonce`, else the same. */
  #accept(answer: DeviceResponse, login: Login): void {
    if (this.#refusedReuses >= REFUSED_REUSES) return;
    const nextNonce = nextNonceOf(answer);
    // The key of a -sess algorithm belongs to the first nonce.
    const goesOn = login.scheme === 'basic' || login.challenge.sess || nextNonce === undefined;
    this.#login = goesOn ? login : this.#sessionFor({ ...login.challenge, nonce: nextNonce });
  }
}

const challengesOf = ({ headers }: DeviceResponse) => parseChallenges([headers['www-authenticate'] ?? []].flat());

const isStale = (challenge: UsableChallenge) => challenge.scheme === 'digest' && challenge.stale;

function nextNonceOf({ headers }: DeviceResponse): string | undefined {
  const info = [headers['authentication-info'] ?? []].flat().join();
  return parseAuthParams(info).get('nextnonce');
}
