/**
 * The ledger: which effect has had which event. A sink's write and its entries are one transaction, and the entry's key decides,
 * so that a replay, an overlap or a second worker changes nothing.
 */
import { createHash } from 'node:crypto';
import { CodedError } from '../kit/errors';
import { cleanText } from './clean-text';

export interface LedgerEntry {
  /** {@link effectName} */
  effect: string;
  /** {@link ledgerKey} of the event */
  event: string;
  /** When the event happened, ms since 1970. */
  at: number;
}

export const LEDGER_TABLE = 'camera_events_ledger';
export const AUDIT_TABLE = 'camera_events_audit';

/** Lengths of the key's columns. */
export const MAX_EFFECT = 100;
export const MAX_KEY = 64;

/** Lock escalation begins at 5,000 locks in one statement (facts/reliability.md 5). */
export const PRUNE_ROWS = 2000;

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;

/** The event's id as the ledger keeps it. What a varchar column would change (other scripts, blanks at the end) is hashed. */
export const ledgerKey = (id: string): string => (id.length <= MAX_KEY && PRINTABLE_ASCII.test(id) ? id : sha256(id));

/**
 * The name of an effect, made of parts that every worker sees alike (database, table, zone), never of a node's id: ids change
 * on import, and two workers that call the same effect differently count everything twice (facts/reliability.md 5).
 */
export function effectName(...parts: string[]): string {
  const name = parts.map((part) => part.split(':').map(plain).join(':')).join(':');
  return name.length <= MAX_EFFECT ? name : `${name.slice(0, MAX_EFFECT - 17)}~${sha256(name).slice(0, 16)}`;
}

/** Printable ASCII of whatever text; names of tables come in all scripts. */
const plain = (part: string): string => encodeURIComponent(cleanText(part.trim().toLowerCase())).replaceAll('%20', '_');

/** A name that a person chose. @throws CodedError CONFIG_INVALID, field effect */
export function assertEffect(name: string): string {
  if (name.length <= MAX_EFFECT && /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(name)) return name;
  throw new CodedError('CONFIG_INVALID', `effect: must be up to ${MAX_EFFECT} printable ASCII characters`, { field: 'effect' });
}

const DAY_MS = 86_400_000;

/**
 * How far back the ledger remembers. Entries carry the time of their event and are pruned a day later than events begin to be
 * refused, so that whatever is accepted would still be found, also by a worker whose clock differs.
 */
export class Retention {
  readonly #days: number;

  constructor(days: number) {
    this.#days = days;
  }

  /** @throws CodedError EVENT_TOO_OLD @param at of the event, @param now, ms since 1970 */
  assertRemembered(at: number, now: number): void {
    if (at >= now - this.#days * DAY_MS) return;
    throw new CodedError('EVENT_TOO_OLD', `the event is older than the ${this.#days} days that the ledger remembers; it is not applied, since it may have been before`);
  }

  /** Entries of events before this may go; ms since 1970. */
  pruneBefore(now: number): number {
    return now - (this.#days + 1) * DAY_MS;
  }
}

/** `YYYY-MM-DDTHH:MM:SS.mmm` in UTC, without the Z, which datetime columns do not keep. */
export const utcText = (at: number): string => new Date(at).toISOString().slice(0, -1);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
