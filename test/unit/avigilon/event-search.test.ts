import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { searchEvents, type Query, type TimeRange } from '../../../nodes/avigilon/event-search';
import type { WepEvent } from '../../../nodes/avigilon/wep-event';
import { CodedError } from '../../../nodes/kit/errors';

const FROM = Date.UTC(2026, 0, 20, 20);
const RANGE: TimeRange = { serverId: 'server', from: FROM, to: FROM + 60_000, topics: ['DEVICE_ANALYTICS_STOP'], deviceIds: undefined };

const event = (number: number, at = FROM + number): WepEvent => ({ thisId: String(number), type: 'DEVICE_ANALYTICS_STOP', timestamp: new Date(at).toISOString() });
const numbers = (events: readonly WepEvent[]): number[] => events.map(({ thisId }) => Number(thisId));

const valueOf = (query: Query, wanted: string): string | undefined => query.find(([key]) => key === wanted)?.[1];
const valuesOf = (query: Query, wanted: string): string[] => query.filter(([key]) => key === wanted).map(([, value]) => value);

type Answer = { events: unknown; token?: unknown } | Error;

/** Answers one after another, the last one for ever. */
function scripted(answers: readonly Answer[]) {
  const asked: Query[] = [];
  const get = (_path: string, query: Query): Promise<unknown> => {
    const answer = answers[Math.min(asked.push(query), answers.length) - 1];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { get, asked };
}

async function all(get: (path: string, query: Query) => Promise<unknown>, range = RANGE): Promise<number[]> {
  const read: number[] = [];
  for await (const page of searchEvents(get, range)) read.push(...numbers(page));
  return read;
}

/** A server with these events. It serves pages of `size`; `spoil` says what becomes of a page. */
function server(events: readonly WepEvent[], size: number, spoil: (page: number) => 'good' | 'empty' | 'repeated' | 'forgotten' = () => 'good') {
  const sorted = [...events].sort((a, b) => Date.parse(String(a.timestamp)) - Date.parse(String(b.timestamp)));
  const places = new Map<string, { list: WepEvent[]; at: number }>();
  let pages = 0;
  const get = (_path: string, query: Query): Promise<unknown> => {
    const token = valueOf(query, 'token');
    const from = Date.parse(valueOf(query, 'from') ?? '');
    const place = token === undefined ? { list: sorted.filter(({ timestamp }) => Date.parse(String(timestamp)) >= from), at: 0 } : places.get(token);
    const fate = spoil(pages++);
    if (!place || (fate === 'forgotten' && token !== undefined)) return Promise.reject(new CodedError('AVIGILON_REQUEST_REFUSED', '"token" is not valid'));
    const next = (at: number): string => {
      const name = `t${places.size}`;
      places.set(name, { list: place.list, at });
      return name;
    };
    if (fate === 'empty') return Promise.resolve({ events: [], token: next(place.at) });
    const back = fate === 'repeated' ? Math.max(0, place.at - size) : place.at;
    const page = place.list.slice(back, back + size);
    const end = fate === 'repeated' ? place.at : back + page.length;
    return Promise.resolve(end < place.list.length ? { events: page, token: next(end) } : { events: page });
  };
  return { get, pages: () => pages };
}

test('asks for a time range with limit 1000, then with nothing but the token (facts A9.2)', async () => {
  const { get, asked } = scripted([{ events: [event(1)], token: 'CgYI' }, { events: [event(2)] }]);
  expect(await all(get)).toEqual([1, 2]);
  expect(asked).toEqual([
    [
      ['queryType', 'TIME_RANGE'],
      ['serverId', 'server'],
      ['from', '2026-01-20T20:00:00.000Z'],
      ['to', '2026-01-20T20:01:00.000Z'],
      ['limit', '1000'],
      ['eventTopics', 'DEVICE_ANALYTICS_STOP'],
    ],
    [
      ['queryType', 'CONTINUE'],
      ['token', 'CgYI'],
    ],
  ]);
});

test('repeats the key of topics and cameras (facts A9.3)', async () => {
  const { get, asked } = scripted([{ events: [] }]);
  await all(get, { ...RANGE, topics: ['A', 'B'], deviceIds: ['c', 'd', 'c'] });
  expect(valuesOf(asked[0]!, 'eventTopics')).toEqual(['A', 'B']);
  expect(valuesOf(asked[0]!, 'deviceIds')).toEqual(['c', 'd']);
});

test('no camera at all asks for nothing: without ids the server would give all', async () => {
  const { get, asked } = scripted([{ events: [event(1)] }]);
  expect(await all(get, { ...RANGE, deviceIds: [] })).toEqual([]);
  expect(asked).toEqual([]);
});

test('many cameras are asked for in groups that fit a URL, each camera once', async () => {
  const ids = Array.from({ length: 500 }, (_, index) => `4xIx1DMwMLSwMDW1TElKTtVLTsw1MBAS-MCsnHlRxLVo_edbC5f${index}AAA`);
  const { get, asked } = scripted([{ events: [] }]);
  await all(get, { ...RANGE, deviceIds: ids });
  expect(asked.flatMap((query) => valuesOf(query, 'deviceIds'))).toEqual(ids);
  const lengths = asked.map((query) => query.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&').length);
  expect(Math.max(...lengths)).toBeLessThan(4000);
  expect(asked.length).toBeLessThan(20);
});

describe('a server that always says there is more', () => {
  test('with the same page and token', async () => {
    const { get, asked } = scripted([{ events: [event(1)], token: 't' }]);
    expect(await all(get)).toEqual([1]);
    expect(asked.length).toBeLessThan(10);
  });

  test('with empty pages and new tokens', async () => {
    let token = 0;
    const get = (): Promise<unknown> => Promise.resolve({ events: [], token: String(token++) });
    expect(await all(get)).toEqual([]);
    expect(token).toBeLessThan(10);
  });

  test('with ever new events is given up, with an error', async () => {
    let number = 0;
    const get = (): Promise<unknown> => Promise.resolve({ events: [event(number++)], token: 't' });
    await expect(all(get)).rejects.toMatchObject({ code: 'AVIGILON_BAD_ANSWER' });
  });
});

test('a full page without a token is asked on from its last event', async () => {
  const first = Array.from({ length: 1000 }, (_, number) => event(number));
  const { get, asked } = scripted([{ events: first }, { events: [event(999), event(1000, FROM + 999), event(1001)] }]);
  expect(await all(get)).toEqual(Array.from({ length: 1002 }, (_, number) => number));
  expect(valueOf(asked[1]!, 'from')).toBe(new Date(FROM + 999).toISOString());
});

test('a token that the server has forgotten costs a new search, and no event', async () => {
  const events = Array.from({ length: 50 }, (_, number) => event(number, FROM + Math.floor(number / 4)));
  const { get } = server(events, 7, (page) => (page % 4 === 3 ? 'forgotten' : 'good'));
  expect(await all(get)).toEqual(numbers(events));
});

test('a token that is refused although nothing came since is an error', async () => {
  const refused = new CodedError('AVIGILON_REQUEST_REFUSED', 'no');
  const { get } = scripted([{ events: [event(1)], token: 't' }, refused, { events: [event(1)], token: 't' }, refused]);
  await expect(all(get)).rejects.toBe(refused);
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['no list', {}],
  ['a list that is none', { events: { length: 1 } }],
])('%s as the result is an error: it must not pass for no events', async (_, result) => {
  await expect(all(() => Promise.resolve(result))).rejects.toMatchObject({ code: 'AVIGILON_BAD_ANSWER' });
});

test('what is no event among the events is left out', async () => {
  const { get } = scripted([{ events: [null, 'x', 3, [event(9)], event(1)] }]);
  expect(await all(get)).toEqual([1]);
});

test('an error on a later page is thrown after the pages before it were given', async () => {
  const broken = new CodedError('AVIGILON_UNAVAILABLE', '503');
  const { get } = scripted([{ events: [event(1)], token: 't' }, broken]);
  const read: number[] = [];
  await expect(
    (async () => {
      for await (const page of searchEvents(get, RANGE)) read.push(...numbers(page));
    })(),
  ).rejects.toBe(broken);
  expect(read).toEqual([1]);
});

test('however pages are cut, repeated, empty or forgotten: every event once, in order, or an error', async () => {
  let whole = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(30), { maxLength: 80 }),
      fc.integer({ min: 1, max: 20 }),
      fc.infiniteStream(fc.constantFrom('good', 'good', 'good', 'empty', 'repeated', 'forgotten')),
      async (offsets, size, fates) => {
        const events = [...offsets].sort((a, b) => a - b).map((offset, number) => event(number, FROM + offset));
        let spoilt = 0;
        // Two in a row at most: a server that spoils more is one that never goes on.
        const { get } = server(events, size, () => {
          const fate = fates.next().value as 'good' | 'empty' | 'repeated' | 'forgotten';
          spoilt = fate === 'good' || spoilt === 2 ? 0 : spoilt + 1;
          return spoilt === 0 ? 'good' : fate;
        });
        const read: number[] = [];
        try {
          for await (const page of searchEvents(get, RANGE)) read.push(...numbers(page));
          whole++;
          expect(read).toEqual(numbers(events));
        } catch (error) {
          expect(error).toMatchObject({ code: 'AVIGILON_REQUEST_REFUSED' });
          expect(read).toEqual(numbers(events).slice(0, read.length));
        }
      },
    ),
  );
  expect(whole).toBeGreaterThan(50);
});
