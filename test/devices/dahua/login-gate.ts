import { parseParameters, splitScheme } from '../authorization-header';
import { DigestVerifier, type DigestOptions } from '../digest-server';
import type { WireAnswer, WireRequest } from '../http-wire';
import type { DahuaDeviceOptions } from './options';
import { DahuaStats, type SeenAuthorization } from './stats';

const TEXT = ['Content-Type', 'text/plain'] as const;

/** Login, its lockout and its refusals as the firmwares answer them (facts A8). */
export class LoginGate {
  private readonly verifier: DigestVerifier | undefined;
  private failures = 0;
  private lockedUntil = -Infinity;

  constructor(
    private readonly options: DahuaDeviceOptions,
    digest: DigestOptions,
    private readonly clock: { now(): number },
    private readonly stats: DahuaStats,
  ) {
    this.verifier = options.auth === 'none' ? undefined : new DigestVerifier({ clock, ...digest });
  }

  setPassword(user: string, password: string): void {
    this.verifier?.setPassword(user, password);
  }

  /** Epoch ms until which every login is refused; -Infinity when not locked. */
  get locked(): number {
    return this.lockedUntil;
  }

  unlock(): void {
    this.failures = 0;
    this.lockedUntil = -Infinity;
  }

  restart(): void {
    this.verifier?.forgetNonces();
    this.unlock();
  }

  /** Undefined when the request may pass, else the answer it gets. */
  refusal(request: WireRequest): WireAnswer | undefined {
    if (!this.verifier) return undefined;
    const authorization = request.headers.get('authorization');
    if (authorization !== undefined) DahuaStats.remember(this.stats.authorizations, seen(authorization));
    if (this.clock.now() < this.lockedUntil) return this.lockedAnswer(authorization !== undefined);

    const { method, target, body } = request;
    const result = this.verifier.verify({ method, uri: target, authorization, body });
    if (result.ok) {
      this.failures = 0;
      return undefined;
    }
    if (!result.countsAsBadLogin) {
      this.stats.challenges += 1;
      return this.unauthorized(result.headers, 'Error\r\nUnauthorized');
    }
    this.failures += 1;
    DahuaStats.remember(this.stats.badLogins, { at: this.clock.now(), why: result.why });
    const { lockout } = this.options;
    if (lockout && this.failures >= lockout.attempts) {
      this.failures = 0;
      this.lockedUntil = this.clock.now() + lockout.ms;
    }
    return this.unauthorized(result.headers, 'Error\r\nInvalid Authority!');
  }

  /** A 401 with a fresh challenge, for refusals that have nothing to do with the login. */
  unauthorized(challenges: string[] | undefined, text: string): WireAnswer {
    const headers = (challenges ?? this.verifier?.challenges() ?? []).map((value) => ['WWW-Authenticate', value] as const);
    const body = text.padEnd(this.options.unauthorizedBytes ?? 0, ' ');
    return { status: 401, headers: [...headers, TEXT], body, close: this.options.closeOn401 ?? false };
  }

  private lockedAnswer(withCredentials: boolean): WireAnswer {
    const { ms = 0, answer = 'minutes' } = this.options.lockout ?? {};
    if (withCredentials) {
      this.lockedUntil = this.clock.now() + ms;
      DahuaStats.remember(this.stats.badLogins, { at: this.clock.now(), why: 'locked' });
    }
    const left = this.lockedUntil - this.clock.now();
    const minutes = `Error\r\nUser Locked! Please try again after ${Math.ceil(left / 60_000)} minutes.`;
    if (answer === 'forbidden') return { status: 403, headers: [TEXT], body: minutes };
    const seconds = `401 Unauthorized (User Locked) remainLockSecond: ${Math.ceil(left / 1000)}`;
    return this.unauthorized(undefined, answer === 'seconds' ? seconds : minutes);
  }
}

function seen(header: string): SeenAuthorization {
  const { scheme, rest } = splitScheme(header);
  const fields = scheme.toLowerCase() === 'digest' ? parseParameters(rest) : undefined;
  const found: SeenAuthorization = { scheme };
  for (const name of ['nonce', 'nc', 'uri'] as const) {
    const value = fields?.get(name)?.value;
    if (value !== undefined) found[name] = value;
  }
  return found;
}
