/** What goes through an outbox, and what its target says to it. */
import { CodedError, type Reason } from './errors';
import type { NewRow, OutboxRow } from './store/outbox-rows';
import { fromText, toText } from './store/text';

export interface OutboxItem {
  /** Order is kept among items of one key: a device, for example. */
  key: string;
  /** Two with the same one, while the first still waits, are one item. */
  id: string;
  /** JSON. */
  payload: unknown;
}

/** Of one item: the target has it; it is to be sent again, later, with everything of its key behind it; or it never can be. */
export type ItemResult = 'delivered' | 'retry' | { dead: Reason };

/** One result per item of the batch, in its order. */
export type SendResult = readonly ItemResult[];

/**
 * Sends a batch. Of items of one key it must not deliver one after another that it could not. Rejecting means that the target
 * is away: nothing at all is sent for a while, then the batch again. `signal` aborts when the outbox closes.
 */
export type Send = (batch: readonly OutboxItem[], signal: AbortSignal) => Promise<SendResult>;

/** What an item costs besides its texts: columns and index entries. */
const ITEM_BYTES = 100;

/** Throws BAD_MESSAGE for a payload that is not JSON. */
export function toRow(item: OutboxItem, putAt: number): NewRow {
  const [key, id, payload] = [toText(item.key), toText(item.id), json(item)];
  return { key, id, payload, putAt, bytes: Buffer.byteLength(payload) + Buffer.byteLength(key) + Buffer.byteLength(id) + ITEM_BYTES };
}

function json({ id, payload }: OutboxItem): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(payload);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new CodedError('BAD_MESSAGE', `${id}: what is to be sent is not JSON`, { cause });
  return text;
}

/** `payload` is undefined where damage to the file has left no JSON. */
export function toItem({ key, id, payload }: OutboxRow): OutboxItem {
  const names = { key: fromText(key), id: fromText(id) };
  try {
    return { ...names, payload: JSON.parse(payload) as unknown };
  } catch {
    return { ...names, payload: undefined };
  }
}
