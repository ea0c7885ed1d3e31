/** Messages to a webhook: proof of where they come from, repeats, and what they say (facts/avigilon-een.md A6). */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { CodedError } from '../kit/errors';
import { eventId, type WepEvent } from './wep-event';

export type WebhookMessage =
  /** To be answered with this status; not from our server, or not readable. */
  | { kind: 'refused'; status: 400 | 401; error: CodedError }
  /** Proven but old, or had before: a recording, or a server that missed our answer. To be answered as a success. */
  | { kind: 'repeated' }
  | { kind: 'stale'; error: CodedError }
  /** The server was away: events may have been missed. */
  | { kind: 'hello' }
  | { kind: 'heartbeat' }
  | { kind: 'events'; events: WepEvent[] };

export interface WebhookProof {
  /** Of our address as the server calls it: with HTTPS the token is in the body, with HTTP the body is signed with it. */
  scheme: 'http' | 'https';
  /** Base64 of random bytes. */
  token: string;
}

/** How far a message's time may be from the server's: clocks that still let log in differ by 5 minutes, and queues take time. */
const WINDOW_MS = 10 * 60_000;
/** Ids remembered at most. Older ones than the window are refused for their time. */
const MAX_REMEMBERED = 50_000;

export class WebhookMessages {
  readonly #proof: WebhookProof;
  readonly #now: () => number;
  readonly #had = new LRUCache<string, true>({ max: MAX_REMEMBERED });

  /** @param now the server's time, ms since 1970 */
  constructor(proof: WebhookProof, now: () => number) {
    this.#proof = proof;
    this.#now = now;
  }

  /** @param body the bytes as received; @param authorization the header of that name */
  read(body: Buffer, authorization: string | undefined): WebhookMessage {
    const { scheme, token } = this.#proof;
    if (scheme === 'http' && !same(authorization?.trim() ?? '', signature(body, token))) return forged('signature');
    const message = parse(body);
    if (!message) return { kind: 'refused', status: 400, error: new CodedError('AVIGILON_WEBHOOK_FORGED', 'a message to the webhook is not a JSON object') };
    if (scheme === 'https' && !same(text(message.authenticationToken), token)) return forged('token');

    const age = this.#now() - Date.parse(text(message.time));
    if (!(Math.abs(age) <= WINDOW_MS)) {
      const error = new CodedError('AVIGILON_WEBHOOK_STALE', `a message to the webhook is dated ${text(message.time) || 'nowhere'}, too far from the server's time; it was left out`);
      return { kind: 'stale', error };
    }
    const type = text(message.type);
    if (type === 'NOTIFICATION') {
      const events = this.#events(message);
      return events.length > 0 ? { kind: 'events', events } : { kind: 'repeated' };
    }
    // The others have no id.
    if (!this.#isNew(`${type} ${text(message.time)}`)) return { kind: 'repeated' };
    return { kind: type === 'HELLO' ? 'hello' : 'heartbeat' };
  }

  /** There may be several, and the key differs between the guide and what servers send (facts A6, A9.12). */
  #events({ notifications, notification }: Record<string, unknown>): WepEvent[] {
    const list = [notifications ?? notification ?? []].flat() as unknown[];
    return list.flatMap((one) => {
      const { id, event } = (one ?? {}) as Record<string, unknown>;
      if (!isObject(event)) return [];
      return this.#isNew(text(id) || eventId(event)) ? [event] : [];
    });
  }

  #isNew(key: string): boolean {
    if (this.#had.has(key)) return false;
    this.#had.set(key, true);
    return true;
  }
}

/** What an HTTP target gets as its Authorization header. @param token base64 */
export const signature = (body: Buffer, token: string): string => createHmac('sha256', Buffer.from(token, 'base64')).update(body).digest('base64');

/** Takes the same time wherever they differ. */
function same(given: string, wanted: string): boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

const forged = (what: 'signature' | 'token'): WebhookMessage => ({
  kind: 'refused',
  status: 401,
  error: new CodedError('AVIGILON_WEBHOOK_FORGED', `a message to the webhook has a wrong ${what}; it was refused`),
});

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
