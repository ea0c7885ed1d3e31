/**
 * digest-fetch behind one nonce. The package supplies the hash functions and A1; what it gets wrong (the table in
 * facts/dependencies.md 1) is replaced here, and its own `fetch` loop is closed off: see DeviceHttp in `digest.ts`.
 */
import { randomBytes as cryptoRandomBytes } from 'node:crypto';
import type { DigestChallenge } from './digest-choice';

export type RandomBytes = (size: number) => Buffer;

/** The login of one nonce: `nc` starts at 1 with it and the cnonce stays (a `-sess` key is made with the first one). */
export interface DigestSession {
  readonly scheme: 'digest';
  readonly challenge: DigestChallenge;
  /**
   * The Authorization header for the next request; it takes the next `nc`, so that requests under way at the same time
   * never share one (defects 3 to 5).
   * @param uri exactly as in the request line
   */
  authorization(method: string, uri: string): string;
}

export type NewDigestSession = (
  user: string,
  password: string,
  challenge: DigestChallenge,
  randomBytes?: RandomBytes,
) => DigestSession;

let loading: Promise<NewDigestSession> | undefined;

/** Loads digest-fetch, which is ESM only, on first use. */
export function loadDigestSession(): Promise<NewDigestSession> {
  loading ??= defineDigestSession();
  return loading;
}

async function defineDigestSession(): Promise<NewDigestSession> {
  const { DigestClient } = await import('digest-fetch');

  class HardenedDigestClient extends DigestClient implements DigestSession {
    readonly scheme = 'digest';
    readonly #user: string;
    readonly #cnonce: string;

    constructor(
      user: string,
      password: string,
      readonly challenge: DigestChallenge,
      readonly randomBytes: RandomBytes,
    ) {
      super(octets(user), octets(password), { algorithm: challenge.hash });
      this.#user = user;
      this.#cnonce = this.makeNonce();
    }

    override makeNonce(): string {
      return this.randomBytes(16).toString('hex');
    }

    /** @param text one character per byte */
    override hashWithAlgorithm(text: string): string {
      return super.hashWithAlgorithm(Buffer.from(text, 'latin1')) as string;
    }

    /** Would send requests past DeviceHttp, and with the global fetch. */
    override getClient(): Promise<never> {
      return Promise.reject(new Error('requests go through DeviceHttp'));
    }

    authorization(method: string, uri: string): string {
      const { realm, nonce, opaque, qop, algorithm, sess, utf8 } = this.challenge;
      this.digest.nc += 1;
      const nc = this.digest.nc.toString(16).padStart(8, '0');
      const login = this.computeHash(this.user, realm, this.password) as string;
      const a1 = sess ? this.hashWithAlgorithm(`${login}:${nonce}:${this.#cnonce}`) : login;
      const a2 = this.hashWithAlgorithm(`${method}:${uri}`);
      const response = this.hashWithAlgorithm(
        qop ? `${a1}:${nonce}:${nc}:${this.#cnonce}:${qop}:${a2}` : `${a1}:${nonce}:${a2}`,
      );
      const params = [
        utf8 && !isAscii(this.#user)
          ? `username*=UTF-8''${extValue(this.#user)}`
          : `username=${quoted(octets(this.#user))}`,
        `realm=${quoted(realm)}`,
        `nonce=${quoted(nonce)}`,
        `uri="${uri}"`,
        `response="${response}"`,
      ];
      if (algorithm !== undefined) params.push(`algorithm=${algorithm}`);
      if (opaque !== undefined) params.push(`opaque=${quoted(opaque)}`);
      if (qop) params.push(`qop=${qop}`, `nc=${nc}`);
      // Without qop there is no cnonce in the header, but the key of a -sess algorithm cannot be checked without it.
      if (qop || sess) params.push(`cnonce="${this.#cnonce}"`);
      return `Digest ${params.join(', ')}`;
    }
  }

  return (user, password, challenge, randomBytes = cryptoRandomBytes) =>
    new HardenedDigestClient(user, password, challenge, randomBytes);
}

/** UTF-8 as a string with one character per byte, which is what undici writes into a header. */
const octets = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

const isAscii = (text: string) => !/[^\0-\x7f]/.test(text);

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** RFC 8187 value-chars: what is no attr-char is percent-encoded. */
const extValue = (text: string) =>
  octets(text).replace(/[^\w!#$&+.^`|~-]/g, (octet) => `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
