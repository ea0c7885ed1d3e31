/** What both databases must do, whatever breaks: each event has its effect once, in order, and nothing is lost. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AforoItem } from '../../../../nodes/sql/apply-aforo';
import type { Outcome } from '../../../../nodes/sql/apply-batch';
import type { Database } from '../../../../nodes/sql/database';
import { PRUNE_ROWS } from '../../../../nodes/sql/ledger';
import { START, Breaking, arbitrarySteps, counts, expectedCounts, historyItem, historyNumbers, instantClock, step, writeAforo, writeHistory, type World } from './world';

/** `runs`: how many cases a property is tried on; a real server takes its time. */
export function exactlyOnce(title: string, makeWorld: () => Promise<World>, { runs }: { runs: number }): void {
  describe(title, () => {
    let world: World;
    let opened: Database[];
    const open = (): Database => {
      const database = world.open();
      opened.push(database);
      return database;
    };
    const begin = async (): Promise<void> => {
      world = await makeWorld();
      opened = [];
    };
    const end = async (): Promise<void> => {
      for (const database of opened) await database.close();
      await world.dispose();
    };
    beforeEach(begin);
    afterEach(end);
    const afresh = async (): Promise<void> => {
      await end();
      await begin();
    };

    const states = (outcomes: readonly Outcome<unknown>[]): string[] => outcomes.map(({ state }) => state);
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

    test('a replayed batch adds no row, an overlapping one only what is new', async () => {
      const database = open();
      await writeHistory(world, database, range(0, 5).map((n) => historyItem(n)));
      await writeHistory(world, database, range(0, 5).map((n) => historyItem(n)));
      const outcomes = await writeHistory(world, database, range(3, 8).map((n) => historyItem(n)));
      expect(outcomes.map((outcome) => outcome.state === 'done' && outcome.result)).toEqual(['already', 'already', 'inserted', 'inserted', 'inserted']);
      expect(await historyNumbers(world)).toEqual(range(0, 8));
    });

    test('an event that is twice in one batch is stored and counted once', async () => {
      const database = open();
      await writeHistory(world, database, [historyItem(1), historyItem(1)]);
      const { changes } = await writeAforo(database, [step(world, 1, 0, 1), step(world, 1, 0, 1)]);
      expect(await historyNumbers(world)).toEqual([1]);
      expect(changes).toMatchObject([{ zone: 'norte', entries: 1, aforo: 1 }]);
    });

    test('ids that differ in case only are two events', async () => {
      const database = open();
      await writeHistory(world, database, [{ ...historyItem(1), id: 'Ab' }, { ...historyItem(2), id: 'aB' }]);
      expect(await historyNumbers(world)).toEqual([1, 2]);
    });

    test('two effects of one event do not take each other for done', async () => {
      const database = open();
      await writeHistory(world, database, [historyItem(1)], 'one');
      await writeHistory(world, database, [historyItem(1)], 'other');
      expect(await historyNumbers(world)).toEqual([1, 1]);
    });

    test('2,500 rows go in batches, in order', async () => {
      const database = open();
      const outcomes = await writeHistory(world, database, range(0, 2500).map((n) => historyItem(n)));
      expect(new Set(states(outcomes))).toEqual(new Set(['done']));
      const stored = await world.rows(`SELECT n FROM ${world.history} ORDER BY id`);
      expect(stored.map((row) => Number(row.n))).toEqual(range(0, 2500));
    });

    test.each([
      ['history', 0],
      ['counters', 1],
    ])('%s: a connection that breaks at any boundary loses nothing and doubles nothing', async (_, which) => {
      const steps = [step(world, 0, 0, 1), step(world, 1, 1, -1), step(world, 2, 2, 1), step(world, 3, 0, 1, "O'Higgins")];
      const write = async (database: Database): Promise<string[]> =>
        which === 0
          ? states(await writeHistory(world, database, range(0, 3).map((n) => historyItem(n))))
          : states((await writeAforo(database, steps.map((item) => ({ ...item, moves: item.moves.map((move) => ({ ...move, zone: world.counters.find(({ name }) => name === move.zone.name)! })) })))).outcomes);
      for (let at = 0; ; at++) {
        const breaking = new Breaking(open(), at);
        const broken = await write(breaking);
        const again = await write(open());
        expect(new Set(again)).toEqual(new Set(['done']));
        if (which === 0) expect(await historyNumbers(world), `boundary ${at}`).toEqual([0, 1, 2]);
        else expect(await counts(world), `boundary ${at}`).toEqual(expectedCounts(steps));
        if (breaking.boundaries <= at) {
          expect(at).toBeGreaterThan(5);
          expect(new Set(broken)).toEqual(new Set(['done']));
          break;
        }
        expect(new Set(broken), `boundary ${at}`).toEqual(new Set(['retry']));
        await afresh();
      }
    });

    test('however events are cut into batches, repeated and broken off, the counts are those of each event once', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySteps(world, 30), fc.infiniteStream(fc.nat(12)), async (steps, whims) => {
          const whim = (): number => whims.next().value as number;
          const database = open();
          const current = steps.map((item) => ({ ...item, moves: item.moves.map((move) => ({ ...move, zone: world.counters.find(({ name }) => name === move.zone.name)! })) }));
          for (let from = 0; from < current.length; ) {
            const batch = current.slice(Math.max(0, from - (whim() % 4)), from + 1 + (whim() % 6));
            await writeAforo(new Breaking(database, whim()), batch);
            await writeAforo(database, batch);
            from += Math.max(1, batch.length - 4);
          }
          await writeAforo(database, current);
          expect(await counts(world)).toEqual(expectedCounts(steps));
          await afresh();
        }),
        { numRuns: runs },
      );
    });

    test('four workers that write the same events at once store and count each once', async () => {
      const steps = range(0, 120).map((n) => step(world, n, n % 3, 1));
      const rows = range(0, 120).map((n) => historyItem(n));
      await Promise.all(
        range(0, 4).map(async (worker) => {
          const database = open();
          for (let from = 0; from < 120; from += 15 + worker) {
            await writeAll(() => writeHistory(world, database, rows.slice(from, from + 30)));
            await writeAll(async () => (await writeAforo(database, steps.slice(from, from + 30))).outcomes);
          }
        }),
      );
      expect(await historyNumbers(world)).toEqual(range(0, 120));
      expect(await counts(world)).toEqual({ 'norte Final': 40, 'campinsito Final': 40, 'sur Final': 40 });
    });

    /** As a sink does: again, until nothing is left to retry. */
    async function writeAll(write: () => Promise<Outcome<unknown>[]>): Promise<void> {
      for (let attempt = 0; attempt < 50; attempt++) if ((await write()).every(({ state }) => state === 'done')) return;
      throw new Error('did not come to an end');
    }

    test('exits that find nobody inside are lost one by one, and said', async () => {
      const database = open();
      const steps = [-1, -1, 1, 1, -1, -1, -1, 1].map((delta, n) => step(world, n, 0, delta as 1 | -1));
      const { changes } = await writeAforo(database, steps);
      expect(changes).toEqual([{ zone: 'norte', event: 'Final', entries: 3, exits: 5, previous: 0, aforo: 1, lost: 3 }]);
      expect(await counts(world)).toEqual({ 'norte Final': 1 });
    });

    test('events of a batch count in the order of their time', async () => {
      const { changes } = await writeAforo(open(), [step(world, 2, 0, -1), step(world, 1, 0, 1)]);
      expect(changes).toMatchObject([{ aforo: 0, lost: 0 }]);
    });

    test('a count that others have set goes on from there, a negative or empty one from 0', async () => {
      const database = open();
      const [zone] = world.counters;
      for (const [event, count] of [['a', '7'], ['b', '-3']]) await world.rows(`INSERT INTO ${zone!.table} (evento, aforo) VALUES ('${event}', ${count})`);
      await writeAforo(database, [step(world, 0, 0, 1, 'a'), step(world, 1, 0, 1, 'b')]);
      expect(await counts(world)).toEqual({ 'norte a': 8, 'norte b': 1 });
    });

    test('set and reset are applied once, in their place, and written into the audit', async () => {
      const database = open();
      const zone = world.counters[0]!;
      const set = (id: string, action: 'set' | 'reset', value: number): AforoItem => ({ kind: 'set', id, at: START, event: 'Final', zone, action, value });
      const items = [step(world, 0, 0, 1), set('a', 'set', 40), step(world, 1, 0, 1), set('b', 'reset', 0), step(world, 2, 0, 1)];
      const { changes } = await writeAforo(database, items);
      await writeAforo(database, items);
      expect(changes.map(({ aforo, previous, action }) => [action, previous, aforo])).toEqual([
        [undefined, 0, 1],
        ['set', 1, 40],
        [undefined, 40, 41],
        ['reset', 41, 0],
        [undefined, 0, 1],
      ]);
      const audit = await world.rows(`SELECT action, zone, event, previous, value FROM ${world.ours.audit} ORDER BY id`);
      expect(audit).toEqual([
        { action: 'set', zone: 'norte', event: 'Final', previous: 1, value: 40 },
        { action: 'reset', zone: 'norte', event: 'Final', previous: 41, value: 0 },
      ]);
    });

    test('rows that their table refuses are left out, all others are stored', async () => {
      const refused = new Set([3, 77, 78, 99]);
      const rows = range(0, 100).map((n) => (refused.has(n) ? { ...historyItem(n), row: ['x', '2026-03-01 05:00:00.000', null] } : historyItem(n)));
      const outcomes = await writeHistory(world, open(), rows);
      expect(outcomes.flatMap(({ state }, n) => (state === 'dead' ? [n] : []))).toEqual([...refused]);
      expect(outcomes.find(({ state }) => state === 'dead')).toMatchObject({ error: { code: 'SQL_ROW_REFUSED' } });
      expect(await historyNumbers(world)).toEqual(range(0, 100).filter((n) => !refused.has(n)));
    });

    test.each([
      ['quotes', `'; DROP TABLE x; --`],
      ['brackets', ']]; DROP TABLE x; --'],
      ['a comment', '/* @name */ -- @rows'],
      ['other scripts', 'Ñandú 人 человек 🏟️'],
      ['wildcards', '%_[a-z]'],
      ['a backslash', '\\" \\u0000 \n\t'],
    ])('%s in names are data', async (_, name) => {
      const database = open();
      await writeHistory(world, database, [historyItem(1, name)]);
      const { outcomes } = await writeAforo(database, [step(world, 1, 0, 1, name), step(world, 2, 0, 1, name)]);
      expect(states(outcomes)).toEqual(['done', 'done']);
      expect((await world.rows(`SELECT name FROM ${world.history}`)).map((row) => row.name)).toEqual([name]);
      expect(await counts(world)).toEqual({ [`norte ${name}`]: 2 });
    });

    test('100,000 characters are data, or the row is refused with its code', async () => {
      const name = 'Ñ'.repeat(100_000);
      const database = open();
      const outcomes = [...(await writeHistory(world, database, [historyItem(1, name)])), ...(await writeAforo(database, [step(world, 1, 0, 1, name)])).outcomes];
      for (const outcome of outcomes) {
        expect(outcome.state).toMatch(/^(done|dead)$/);
        if (outcome.state === 'dead') expect(outcome.error.code).toBe('SQL_ROW_REFUSED');
      }
    });

    test('the ledger forgets what is older than asked, a bounded number of rows at once', async () => {
      const database = open();
      await writeHistory(world, database, range(0, PRUNE_ROWS + 500).map((n) => historyItem(n)));
      const prune = async (before: number): Promise<number> => Number((await database.query(database.statements.prune(before)))[0]?.pruned);
      expect(await prune(START)).toBe(0);
      expect(await prune(START + PRUNE_ROWS + 400)).toBe(PRUNE_ROWS);
      expect(await prune(START + PRUNE_ROWS + 400)).toBe(400);
      const left = await world.rows(`SELECT event_id FROM ${world.ours.ledger}`);
      expect(left).toHaveLength(100);
      expect(instantClock.now()).toBeGreaterThan(START);
    });

    test('creating what is there already changes nothing', async () => {
      const database = open();
      await writeHistory(world, database, [historyItem(1)]);
      for (const spec of [{ kind: 'ledger' }, { kind: 'audit' }] as const) for (const statement of database.statements.create(spec)) await database.query(statement);
      expect(await world.rows(`SELECT event_id FROM ${world.ours.ledger}`)).toHaveLength(1);
      expect(await database.query(database.statements.find(world.ours.ledger))).toHaveLength(1);
      expect(await database.query(database.statements.find(`${world.ours.ledger}_missing`))).toHaveLength(0);
    });
  });
}
