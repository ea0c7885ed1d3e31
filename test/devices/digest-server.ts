import { createHash, randomBytes } from 'node:crypto';
import { escapeQuoted, parseParameters, splitScheme, type AuthParameter } from './authorization-header';

export type DigestAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess' | 'SHA-512-256' | 'SHA-512-256-sess';

export interface DigestOptions {
  realm: string;
  /** user name -> password */
  users: Record<string, string>;
  /** In challenge order. Default: MD5 alone, as nearly every Dahua (facts A8). */
  algorithms?: readonly DigestAlgorithm[];
  /** `null`: RFC 2069 style, without qop, nc and cnonce. Default `auth`. */
  qop?: 'auth' | 'auth,auth-int' | 'auth, auth-int' | 'auth-int' | null;
  /** Age in ms after which a nonce is stale. Default: never. */
  nonceLifetimeMs?: number;
  /** `once`: every request needs a nonce of its own (facts A8, "fresh nonce to every request"). Default `many`. */
  nonceUse?: 'many' | 'once';
  /** `exact`: 1, 2, 3, ... per nonce; `monotonic`: begins at 1 and rises; `off`: any. Default `monotonic`. */
  ncCheck?: 'exact' | 'monotonic' | 'off';
  /** Sent with the challenge and demanded back; may be empty. Default: none. */
  opaque?: string;
  /** Offer `charset=UTF-8` and accept `username*`. */
  charsetUtf8?: boolean;
  /** All challenges in one `WWW-Authenticate` value, separated by commas. */
  challengesInOneHeader?: boolean;
  offerBasic?: 'first' | 'last' | 'only' | false;
  /** Realm of the Basic challenge. Default: the Digest realm. */
  basicRealm?: string;
  /** Other challenges, put before everything else (`Negotiate`). */
  extraChallenges?: readonly string[];
  /** Write `algorithm=` into the challenge. Default: only if there is something else than MD5. */
  announceAlgorithm?: boolean;
  /** `never` also when the nonce was stale: the client has to notice by itself. Default `when-true`. */
  showStale?: 'when-true' | 'unquoted' | 'quoted' | 'never';
  /** Between the parameters of a challenge. Default `,` (facts A8: with and without blank). */
  separator?: ',' | ', ';
  clock?: { now(): number };
  /** Composes the nonces; for known vectors and for odd shapes (blanks inside, facts A8). */
  makeNonce?: () => string;
}

export type LoginFailure =
  | 'no-credentials'
  | 'scheme-not-offered'
  | 'malformed'
  | 'unknown-user'
  | 'wrong-realm'
  | 'wrong-uri'
  | 'wrong-algorithm'
  | 'wrong-qop'
  | 'bad-nc'
  | 'missing-cnonce'
  | 'unexpected-cnonce'
  | 'wrong-opaque'
  | 'wrong-response'
  | 'stale-nonce'
  | 'replayed-nc';

/** What is checked: `uri` is the request target byte for byte as in the request line; `authorization` the header with bytes as latin-1. */
export interface LoginRequest {
  method: string;
  uri: string;
  authorization?: string | undefined;
  body?: Buffer;
}

export type LoginResult =
  | { ok: true; user: string; scheme: 'digest' | 'basic' }
  | {
      ok: false;
      why: LoginFailure;
      stale: boolean;
      /** Values for `WWW-Authenticate`, one header each. */
      headers: string[];
      countsAsBadLogin: boolean;
    };

interface Nonce {
  issuedAt: number;
  lastNc: number;
  used: boolean;
  /** cnonce of the first accepted request: part of a `-sess` key (RFC 7616 3.4.2). */
  firstCnonce?: string;
}

const HASH: Record<string, string> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };
const MUST_QUOTE = ['username', 'realm', 'nonce', 'uri', 'response', 'cnonce', 'opaque'];
const MUST_NOT_QUOTE = ['algorithm', 'qop', 'nc', 'username*', 'userhash'];
const NONCES_KEPT = 1000;

/**
 * Server side of HTTP Digest (RFC 7616) and Basic: strict on purpose, shares no line with the client it is there to try.
 * A digest that is right for a nonce this server does not know (any more) is answered with `stale=true` and is not a bad login.
 */
export class DigestVerifier {
  private readonly nonces = new Map<string, Nonce>();
  private readonly users: Map<string, string>;
  private readonly algorithms: readonly DigestAlgorithm[];
  private readonly qop: string | null;
  private readonly announce: boolean;

  constructor(private readonly options: DigestOptions) {
    this.users = new Map(Object.entries(options.users));
    this.algorithms = options.algorithms ?? ['MD5'];
    this.qop = options.qop === undefined ? 'auth' : options.qop;
    this.announce = options.announceAlgorithm ?? this.algorithms.some((name) => name !== 'MD5');
    if (this.qop === null && this.algorithms.some((name) => name.endsWith('-sess')))
      throw new Error('a -sess algorithm needs a cnonce, hence a qop');
  }

  setPassword(user: string, password: string): void {
    this.users.set(user, password);
  }

  /** As after a restart: every nonce handed out so far is unknown. */
  forgetNonces(): void {
    this.nonces.clear();
  }

  /** `WWW-Authenticate` values with a new nonce. */
  challenges(stale = false): string[] {
    const basic = `Basic realm="${escapeQuoted(this.options.basicRealm ?? this.options.realm)}"`;
    const list = [...(this.options.extraChallenges ?? [])];
    const { offerBasic } = this.options;
    if (offerBasic === 'first' || offerBasic === 'only') list.push(basic);
    if (offerBasic !== 'only') list.push(...this.digestChallenges(stale));
    if (offerBasic === 'last') list.push(basic);
    return this.options.challengesInOneHeader ? [list.join(', ')] : list;
  }

  verify(request: LoginRequest): LoginResult {
    const { authorization } = request;
    if (authorization === undefined || authorization.trim() === '') return this.refuse('no-credentials');
    const { scheme, rest } = splitScheme(authorization);
    switch (scheme.toLowerCase()) {
      case 'basic':
        return this.verifyBasic(rest);
      case 'digest':
        return this.options.offerBasic === 'only' ? this.refuse('scheme-not-offered') : this.verifyDigest(request, rest);
      default:
        return this.refuse('scheme-not-offered');
    }
  }

  private digestChallenges(stale: boolean): string[] {
    const nonce = this.issueNonce();
    return this.algorithms.map((algorithm) => {
      const parts = [`realm="${escapeQuoted(this.options.realm)}"`];
      if (this.qop !== null) parts.push(`qop="${this.qop}"`);
      parts.push(`nonce="${escapeQuoted(nonce)}"`);
      if (this.options.opaque !== undefined) parts.push(`opaque="${escapeQuoted(this.options.opaque)}"`);
      if (this.announce) parts.push(`algorithm=${algorithm}`);
      const style = this.options.showStale ?? 'when-true';
      if (style === 'when-true' && stale) parts.push('stale=true');
      if (style === 'unquoted') parts.push(`stale=${stale ? 'TRUE' : 'FALSE'}`);
      if (style === 'quoted') parts.push(`stale="${stale}"`);
      if (this.options.charsetUtf8) parts.push('charset=UTF-8');
      return `Digest ${parts.join(this.options.separator ?? ',')}`;
    });
  }

  private issueNonce(): string {
    const nonce = this.options.makeNonce?.() ?? randomBytes(16).toString('hex');
    this.nonces.set(nonce, { issuedAt: this.now(), lastNc: 0, used: false });
    if (this.nonces.size > NONCES_KEPT) for (const oldest of this.nonces.keys()) return this.nonces.delete(oldest), nonce;
    return nonce;
  }

  private verifyBasic(credentials: string): LoginResult {
    if (!this.options.offerBasic) return this.refuse('scheme-not-offered');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credentials)) return this.refuse('malformed');
    const given = Buffer.from(credentials, 'base64');
    for (const [user, password] of this.users)
      for (const encoding of this.encodings())
        if (given.equals(Buffer.from(`${user}:${password}`, encoding))) return { ok: true, user, scheme: 'basic' };
    return this.refuse('wrong-response');
  }

  private verifyDigest(request: LoginRequest, text: string): LoginResult {
    const fields = parseParameters(text);
    if (!fields || !wellQuoted(fields)) return this.refuse('malformed');
    const get = (name: string): string | undefined => fields.get(name)?.value;
    const nonce = get('nonce');
    const response = get('response');
    if (nonce === undefined || response === undefined || get('userhash') === 'true') return this.refuse('malformed');

    const user = this.findUser(get('username'), get('username*'));
    if (user === 'malformed') return this.refuse('malformed');
    if (user === undefined) return this.refuse('unknown-user');
    if (get('realm') !== this.options.realm) return this.refuse('wrong-realm');
    if (get('uri') !== request.uri) return this.refuse('wrong-uri');
    const algorithm = this.algorithmFor(get('algorithm'));
    if (!algorithm) return this.refuse('wrong-algorithm');
    if (get('opaque') !== this.options.opaque) return this.refuse('wrong-opaque');

    const [qop, nc, cnonce] = [get('qop'), get('nc'), get('cnonce')];
    if (this.qop === null) {
      if (qop !== undefined) return this.refuse('wrong-qop');
      if (nc !== undefined) return this.refuse('bad-nc');
      if (cnonce !== undefined) return this.refuse('unexpected-cnonce');
    } else {
      if (qop === undefined || !this.qop.split(/,\s*/).includes(qop)) return this.refuse('wrong-qop');
      if (nc === undefined || !/^[0-9a-f]{8}$/.test(nc)) return this.refuse('bad-nc');
      if (cnonce === undefined || cnonce === '') return this.refuse('missing-cnonce');
    }

    const known = this.nonces.get(nonce);
    const input = { user, realm: this.options.realm, password: this.users.get(user) ?? '', nonce, nc, cnonce, qop, ...request };
    const sessionCnonces = new Set([cnonce, known?.firstCnonce ?? cnonce]);
    const right = this.encodings().some((encoding) =>
      [...sessionCnonces].some((sessionCnonce) => digestResponse(algorithm, { ...input, sessionCnonce }, encoding) === response),
    );
    if (!right) return this.refuse('wrong-response');
    return this.useNonce(known, nc, cnonce) ?? { ok: true, user, scheme: 'digest' };
  }

  /** Freshness and counter of a nonce whose digest was right; undefined when the login stands. */
  private useNonce(known: Nonce | undefined, nc: string | undefined, cnonce: string | undefined): LoginResult | undefined {
    const { nonceLifetimeMs = Infinity, nonceUse = 'many', ncCheck = 'monotonic' } = this.options;
    if (!known || this.now() - known.issuedAt > nonceLifetimeMs || (nonceUse === 'once' && known.used))
      return this.refuse('stale-nonce', true);
    if (nc !== undefined && ncCheck !== 'off') {
      const count = Number.parseInt(nc, 16);
      if (known.lastNc === 0 && count !== 1) return this.refuse('bad-nc');
      if (count <= known.lastNc) return this.refuse('replayed-nc');
      if (ncCheck === 'exact' && count !== known.lastNc + 1) return this.refuse('bad-nc');
      known.lastNc = count;
    }
    known.used = true;
    if (cnonce !== undefined) known.firstCnonce ??= cnonce;
    return undefined;
  }

  private findUser(plain: string | undefined, extended: string | undefined): string | undefined {
    if ((plain === undefined) === (extended === undefined)) return 'malformed';
    if (extended !== undefined) {
      const encoded = /^UTF-8'[A-Za-z0-9-]*'(.*)$/i.exec(extended)?.[1];
      if (!this.options.charsetUtf8 || encoded === undefined) return 'malformed';
      try {
        const name = decodeURIComponent(encoded);
        return this.users.has(name) ? name : undefined;
      } catch {
        return 'malformed';
      }
    }
    return [...this.users.keys()].find((user) =>
      this.encodings().some((encoding) => Buffer.from(user, encoding).toString('latin1') === plain),
    );
  }

  /** Echoed when announced; when not announced absent or MD5 (RFC 7616 3.4: the default). Case-insensitive (facts A8). */
  private algorithmFor(echoed: string | undefined): DigestAlgorithm | undefined {
    if (echoed === undefined) return this.announce ? undefined : this.algorithms[0];
    return this.algorithms.find((name) => name.toLowerCase() === echoed.toLowerCase());
  }

  /** Without an announced charset a user agent may hash either. */
  private encodings(): BufferEncoding[] {
    return this.options.charsetUtf8 ? ['utf8'] : ['utf8', 'latin1'];
  }

  private now(): number {
    return (this.options.clock ?? Date).now();
  }

  private refuse(why: LoginFailure, stale = false): LoginResult {
    const countsAsBadLogin = why !== 'no-credentials' && why !== 'stale-nonce';
    return { ok: false, why, stale, headers: this.challenges(stale), countsAsBadLogin };
  }
}

interface DigestInput {
  user: string;
  realm: string;
  password: string;
  nonce: string;
  method: string;
  uri: string;
  nc?: string | undefined;
  cnonce?: string | undefined;
  sessionCnonce?: string | undefined;
  qop?: string | undefined;
  body?: Buffer;
}

/** The `response` value of RFC 7616 section 3.4.1, lower-case hex; `encoding` is that of user name and password. */
export function digestResponse(algorithm: DigestAlgorithm, input: DigestInput, encoding: BufferEncoding = 'utf8'): string {
  const hashName = HASH[algorithm.replace('-sess', '')] ?? 'md5';
  const hash = (data: string | Buffer): string =>
    createHash(hashName).update(typeof data === 'string' ? Buffer.from(data, 'latin1') : data).digest('hex');
  let a1 = hash(Buffer.from(`${input.user}:${input.realm}:${input.password}`, encoding));
  if (algorithm.endsWith('-sess')) a1 = hash(`${a1}:${input.nonce}:${input.sessionCnonce ?? input.cnonce ?? ''}`);
  const entity = input.qop === 'auth-int' ? `:${hash(input.body ?? Buffer.alloc(0))}` : '';
  const a2 = hash(`${input.method}:${input.uri}${entity}`);
  const between = input.qop === undefined ? '' : `${input.nc ?? ''}:${input.cnonce ?? ''}:${input.qop}:`;
  return hash(`${a1}:${input.nonce}:${between}${a2}`);
}

function wellQuoted(fields: Map<string, AuthParameter>): boolean {
  return (
    MUST_QUOTE.every((name) => fields.get(name)?.quoted !== false) &&
    MUST_NOT_QUOTE.every((name) => fields.get(name)?.quoted !== true)
  );
}
