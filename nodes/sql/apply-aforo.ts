/** Occupancy counters, moved by each event once. */
import type { Database, Row, Session } from './database';
import { effectName, ledgerKey, type LedgerEntry } from './ledger';
import { applyMovement, movementOf } from './occupancy';
import { racing } from './sql-error';
import type { CounterTable } from './statements';

/** A zone as far as counting it goes. */
export type Counter = CounterTable & { name: string; key: string };

/** Zones move, or one zone is set, for an event of the schedule. */
export type AforoItem =
  | { kind: 'move'; id: string; at: number; event: string; moves: readonly { zone: Counter; delta: 1 | -1 }[] }
  | { kind: 'set'; id: string; at: number; event: string; zone: Counter; action: 'set' | 'reset'; value: number };

export interface AforoChange {
  zone: string;
  event: string;
  entries: number;
  exits: number;
  aforo: number;
  previous: number;
  /** Exits that found nobody inside. */
  lost: number;
  action?: 'set' | 'reset';
}

export interface AforoTarget {
  database: Database;
  /** In front of each zone's own key in the ledger. */
  effect: string;
  /** ms since 1970, for the audit. */
  now: number;
}

/** Each zone is an effect of its own: a zone that is added later takes nothing from the others' memory. */
const zoneEffect = (effect: string, zone: Counter): string => effectName(effect, zone.key);

/**
 * All items in one transaction: events in the order of their time, floored at 0 one by one, between the settings among them in
 * the order given. @throws SqlError
 */
export async function applyAforo(items: readonly AforoItem[], { database, effect, now }: AforoTarget): Promise<{ changes: AforoChange[]; applied: boolean[] }> {
  const { statements } = database;
  const touched = new Map(items.flatMap((item) => zonesIn(item).map((zone): [string, Counter] => [zone.key, zone])));
  const zones = [...touched.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  const effects = new Map(zones.map((zone) => [zone.key, zoneEffect(effect, zone)]));
  const entryKey = (zone: Counter, id: string): string => `${effects.get(zone.key) ?? ''}\n${ledgerKey(id)}`;

  return database.transaction(async (session) => {
    for (const zone of zones) await racing(session.query(statements.lockCounter(zone, now)));
    const claimed = await racing(session.query(statements.claim(entriesOf(items, effects))));
    const fresh = new Set(claimed.map((row) => `${String(row.effect)}\n${String(row.event_id)}`));
    /** True once for each entry, so that an event that is in the batch twice counts once. */
    const claim = (zone: Counter, id: string): boolean => fresh.delete(entryKey(zone, id));

    const changes: AforoChange[] = [];
    const applied: boolean[] = [];
    let pending: Move[] = [];
    const flush = async (): Promise<void> => {
      changes.push(...(await moveCounters(session, database, pending)));
      pending = [];
    };
    for (const item of items) {
      if (item.kind === 'move') {
        const moves = item.moves.filter(({ zone }) => claim(zone, item.id));
        pending.push(...moves.map(({ zone, delta }) => ({ zone, delta, at: item.at, event: item.event })));
        applied.push(moves.length > 0);
      } else {
        const mine = claim(item.zone, item.id);
        applied.push(mine);
        if (!mine) continue;
        await flush();
        changes.push(await setCounter(session, database, item));
      }
    }
    await flush();
    return { changes, applied };
  });
}

interface Move {
  zone: Counter;
  delta: 1 | -1;
  at: number;
  event: string;
}

async function moveCounters(session: Session, { statements }: Database, moves: readonly Move[]): Promise<AforoChange[]> {
  const counters = new Map<string, Move[]>();
  for (const move of moves) {
    const key = `${move.zone.key}\n${move.event}`;
    const counter = counters.get(key);
    if (counter) counter.push(move);
    else counters.set(key, [move]);
  }
  const changes: AforoChange[] = [];
  for (const [, counter] of [...counters].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [{ zone, event } = { zone: undefined, event: '' }] = counter;
    if (!zone) continue;
    const movement = movementOf(counter.sort((a, b) => a.at - b.at).map(({ delta }) => delta));
    const previous = previousIn(await session.query(statements.moveCount(zone, event, movement.net, movement.low)));
    const { entries, exits } = movement;
    changes.push({ zone: zone.name, event, entries, exits, previous, ...applyMovement(previous, movement) });
  }
  return changes;
}

async function setCounter(session: Session, { statements }: Database, { zone, event, value, action, at }: AforoItem & { kind: 'set' }): Promise<AforoChange> {
  const previous = previousIn(await session.query(statements.setCount(zone, event, value)));
  await session.query(statements.audit({ at, action, zone: zone.name, event, previous, value }));
  return { zone: zone.name, event, entries: 0, exits: 0, aforo: value, previous, lost: 0, action };
}

/** Drivers give large integer types as text. */
const previousIn = (rows: readonly Row[]): number => Number(rows[0]?.previous ?? 0);

const zonesIn = (item: AforoItem): Counter[] => (item.kind === 'set' ? [item.zone] : item.moves.map(({ zone }) => zone));

/** By key, so that two workers lock in the same order, and each once. */
function entriesOf(items: readonly AforoItem[], effects: ReadonlyMap<string, string>): LedgerEntry[] {
  const entries = new Map<string, LedgerEntry>();
  for (const item of items) {
    for (const { key } of zonesIn(item)) {
      const entry = { effect: effects.get(key) ?? '', event: ledgerKey(item.id), at: item.at };
      entries.set(`${entry.effect}\n${entry.event}`, entry);
    }
  }
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}
