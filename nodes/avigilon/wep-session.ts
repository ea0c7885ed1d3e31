/**
 * The one session that all users of a server share. Renewed before it ages and when it is refused; the old one is logged out,
 * so that sessions do not pile up on the server (facts/avigilon-een.md A2).
 */
import type { Backoff } from '../kit/backoff';
import { pause, type Clock } from '../kit/clock';
import { CodedError } from '../kit/errors';
import type { LoginGate } from '../kit/login-gate';
import { authorizationToken, type IntegrationKeys } from './auth-token';
import { heldBack, LoginError, loginError } from './wep-errors';
import type { WepAnswer, WepHttp } from './wep-http';

export interface WepLogin extends IntegrationKeys {
  user: string;
  password: string;
}

export interface WepSessionOptions {
  http: WepHttp;
  login: WepLogin;
  gate: LoginGate;
  clock: Clock;
  /** For refusals that time alone rarely mends. */
  backoff: Backoff;
}

export interface Session {
  readonly token: string;
  /** Monotonic ms. */
  readonly since: number;
}

const CLIENT_NAME = 'node-red-camera-events';
/** Sessions end after an hour without use. */
const RENEW_MS = 50 * 60_000;
const LOGOUT_LIMIT_MS = 3000;

export class WepSession {
  readonly #options: WepSessionOptions;
  readonly #abort = new AbortController();
  readonly #leaving = new Set<Promise<void>>();
  #current: Session | undefined;
  #loggingIn: Promise<Session> | undefined;
  #held: { error: LoginError; until: number } | undefined;
  #closed = false;

  constructor(options: WepSessionOptions) {
    this.#options = options;
  }

  /** The session, after a login where there is none yet or it is old. @throws LoginError, WepError, CodedError network codes */
  async current(): Promise<Session> {
    const session = this.#current;
    if (!session) return this.renewed(undefined);
    if (this.#options.clock.monotonic() - session.since < RENEW_MS) return session;
    // An old session may work for long yet; whether it does, the request will tell.
    return this.renewed(session).catch(() => session);
  }

  /** Another session than the one that was refused. Users who were refused at the same time share one login. */
  async renewed(old: Session | undefined): Promise<Session> {
    if (this.#current && this.#current !== old) return this.#current;
    this.#loggingIn ??= this.#replace().finally(() => (this.#loggingIn = undefined));
    return this.#loggingIn;
  }

  /** A person asks to try again now. */
  retry(): void {
    this.#options.gate.lift();
    this.#held = undefined;
  }

  /** Logs out; resolves within a few seconds, whatever the server does. */
  async close(): Promise<void> {
    this.#closed = true;
    // A login that is cut off may leave a session behind, so its answer is waited for.
    if (this.#loggingIn) await this.#atMost(this.#loggingIn.then(() => undefined, () => undefined));
    if (this.#current) this.#leave(this.#current);
    this.#current = undefined;
    await this.#atMost(Promise.all(this.#leaving));
    this.#abort.abort();
  }

  #atMost(work: Promise<unknown>): Promise<unknown> {
    return Promise.race([work, pause(this.#options.clock, LOGOUT_LIMIT_MS, this.#abort.signal)]);
  }

  async #replace(): Promise<Session> {
    const old = this.#current;
    const session = await this.#logIn();
    this.#current = session;
    if (old) this.#leave(old);
    return session;
  }

  async #logIn(): Promise<Session> {
    this.#throwWhereHeldBack();
    const { http, login, clock, gate, backoff } = this.#options;
    const body = {
      username: login.user,
      password: login.password,
      clientName: CLIENT_NAME,
      authorizationToken: authorizationToken(login, Math.floor(clock.now() / 1000)),
    };
    const answer = await http.send({ method: 'POST', path: '/login', body }, this.#abort.signal);
    const { session } = (answer.result ?? {}) as { session?: unknown };
    if (answer.status < 300 && typeof session === 'string' && session !== '') {
      gate.accepted();
      backoff.reset();
      return { token: session, since: clock.monotonic() };
    }
    const error = loginError(withoutSecrets(answer, login), http.serverAheadMs, http.address.label);
    switch (error.code) {
      case 'AVIGILON_PASSWORD': {
        const refusal = gate.refused();
        if (refusal.kind === 'blocked') throw new LoginError(heldBack(http.address.label), refusal.forMs, true);
        throw this.#hold(new LoginError(error, refusal.kind === 'busy' ? refusal.waitMs : backoff.next(), false));
      }
      case 'AVIGILON_CLOCK_SKEW':
      case 'AVIGILON_NONCE_OR_KEY':
        throw this.#hold(new LoginError(error, backoff.longest(), false));
      default:
        throw error;
    }
  }

  #hold(error: LoginError): LoginError {
    this.#held = { error, until: this.#options.clock.monotonic() + error.retryInMs };
    return error;
  }

  /** However many users ask: no login before its time. */
  #throwWhereHeldBack(): void {
    const { gate, clock, http } = this.#options;
    if (this.#closed) throw new CodedError('CONNECTION_LOST', 'the node was stopped');
    const blockedForMs = gate.blockedForMs;
    if (blockedForMs > 0) throw new LoginError(heldBack(http.address.label), blockedForMs, true);
    const left = this.#held ? this.#held.until - clock.monotonic() : 0;
    if (this.#held && left > 0) throw new LoginError(this.#held.error, left, false);
    this.#held = undefined;
  }

  #leave({ token }: Session): void {
    const { http } = this.#options;
    const logout = http
      .send({ method: 'POST', path: '/logout', headers: { 'x-avg-session': token }, body: { session: token } }, this.#abort.signal)
      // A session that is gone already, or a server that is away, has nothing to end.
      .then(() => undefined, () => undefined)
      .finally(() => this.#leaving.delete(logout));
    this.#leaving.add(logout);
  }
}

/** Validation messages may repeat what they complain of. */
const withoutSecrets = (answer: WepAnswer, { password, nonce, key }: WepLogin): WepAnswer => ({
  ...answer,
  message: [password, nonce, key].reduce((message, secret) => message.replaceAll(secret, '…'), answer.message),
});
