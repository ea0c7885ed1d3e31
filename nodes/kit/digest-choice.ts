/** Which of the offered challenges to answer. */
import { CodedError } from './errors';
import type { Challenge } from './digest-challenge';

/** The hash functions of digest-fetch, strongest first; each also as `-sess`. */
export const DIGEST_HASHES = ['SHA-512-256', 'SHA-256', 'MD5'] as const;
export type DigestHash = (typeof DIGEST_HASHES)[number];

/** A Digest challenge that can be answered. */
export interface DigestChallenge {
  scheme: 'digest';
  hash: DigestHash;
  /** Session variant: the cnonce is part of the key. */
  sess: boolean;
  /** The algorithm token as the server wrote it; undefined where it sent none (MD5 then). */
  algorithm: string | undefined;
  /** undefined: the server follows RFC 2069, which has neither nc nor cnonce. */
  qop: 'auth' | undefined;
  realm: string;
  nonce: string;
  opaque: string | undefined;
  /** The nonce of the request was too old, user and password are not in question. */
  stale: boolean;
  /** The server reads names as UTF-8 and knows `username*` (RFC 7616 3.4). */
  utf8: boolean;
}

export type UsableChallenge = DigestChallenge | { scheme: 'basic' };

/**
 * The challenge to answer: the Digest challenge with the strongest hash, of equals the one with qop, then the first
 * offered; Basic only where no Digest challenge can be answered and `allowBasic` is set (facts/dahua-hanwha.md A8).
 * @param device host:port, for the text
 * @throws {CodedError} AUTH_BASIC_NOT_ALLOWED, AUTH_UNSUPPORTED
 */
export function chooseChallenge(offered: readonly Challenge[], allowBasic: boolean, device: string): UsableChallenge {
  const [best] = offered.flatMap((challenge) => asDigest(challenge) ?? []).sort((a, b) => rank(a) - rank(b));
  if (best) return best;
  if (!offered.some(({ scheme }) => scheme.toLowerCase() === 'basic')) {
    const names = offered.map(describe).join(', ') || 'nothing';
    throw new CodedError('AUTH_UNSUPPORTED', `${device} asks for a login of a kind that this node does not know: ${names}.`);
  }
  if (allowBasic) return { scheme: 'basic' };
  throw new CodedError(
    'AUTH_BASIC_NOT_ALLOWED',
    `${device} accepts Basic authentication only, which sends the password readably. Turn on Digest in the device, or allow Basic for it here, best with HTTPS.`,
    { field: 'allowBasic' },
  );
}

const rank = ({ hash, qop }: DigestChallenge) => 2 * DIGEST_HASHES.indexOf(hash) + (qop ? 0 : 1);

/** The challenge in a form that can be answered; undefined for another scheme, hash or qop. */
export function asDigest({ scheme, params }: Challenge): DigestChallenge | undefined {
  const algorithm = params.get('algorithm');
  const hash = (algorithm ?? 'MD5').toUpperCase().replace(/-SESS$/, '');
  const nonce = params.get('nonce');
  const offersQop = params.get('qop')?.toLowerCase().split(/[ \t,]+/).filter(Boolean) ?? [];
  if (scheme.toLowerCase() !== 'digest' || !isKnown(hash) || !nonce) return undefined;
  if (offersQop.length > 0 && !offersQop.includes('auth')) return undefined;
  return {
    scheme: 'digest',
    hash,
    sess: algorithm?.toUpperCase().endsWith('-SESS') ?? false,
    algorithm,
    qop: offersQop.length > 0 ? 'auth' : undefined,
    realm: params.get('realm') ?? '',
    nonce,
    opaque: params.get('opaque'),
    stale: params.get('stale')?.toLowerCase() === 'true',
    utf8: params.get('charset')?.toUpperCase() === 'UTF-8',
  };
}

const isKnown = (hash: string): hash is DigestHash => (DIGEST_HASHES as readonly string[]).includes(hash);

/** Scheme, algorithm and qop, reduced to the characters such words have. */
function describe({ scheme, params }: Challenge): string {
  const words = [scheme, params.get('algorithm'), params.get('qop')].filter((word) => word !== undefined);
  return words.join(' ').replace(/[^\w ,-]/g, '').slice(0, 60);
}
