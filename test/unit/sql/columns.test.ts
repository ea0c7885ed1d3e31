import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COLUMN_TYPES, DEFAULT_COLUMNS, columnSchema, rowMapping, type ColumnType } from '../../../nodes/sql/columns';

const ZONE = 'America/Bogota';
const one = (type: ColumnType, value: unknown): unknown => rowMapping([columnSchema.parse({ column: 'c', value: 'v', type })], ZONE).row({ v: value })[0];

test('the stadium’s columns, with the time that its clocks show', () => {
  const msg = {
    payload: { time: '2025-11-29T03:15:04.512Z', data: { analyticEventName: 'Aforo Entrada Puerta 4', area: '', activity: 'OBJECT_COUNTING_ENTER', cameraId: '4xIx1D' } },
    event: { name: 'Final' },
  };
  const mapping = rowMapping(DEFAULT_COLUMNS, ZONE);
  expect(mapping.columns.map(({ column }) => column)).toEqual(['analyticEventName', 'area', 'activity', 'cameraID', 'timestamp', 'nombre_evento']);
  expect(mapping.row(msg)).toEqual(['Aforo Entrada Puerta 4', '', 'OBJECT_COUNTING_ENTER', '4xIx1D', '2025-11-28 22:15:04.512', 'Final']);
  expect(mapping.roots).toEqual(['payload', 'event']);
});

describe('types', () => {
  test.each<[ColumnType, unknown, unknown]>([
    ['text', 'Ñandú', 'Ñandú'],
    ['text', 7, '7'],
    ['text', { a: 1 }, '{"a":1}'],
    ['text', 'a\0b\ud800c', 'a\ufffdb\ufffdc'],
    ['integer', '42', 42],
    ['integer', -3, -3],
    ['number', '1.5', 1.5],
    ['boolean', 'true', true],
    ['boolean', 0, false],
    ['utc-time', '2026-01-02T03:04:05.678+02:00', '2026-01-02 01:04:05.678'],
    ['local-time', Date.parse('2026-01-02T03:04:05.678Z'), '2026-01-01 22:04:05.678'],
    ['json', [1, 'x'], '[1,"x"]'],
  ])('%s: %j is stored as %j', (type, value, expected) => {
    expect(one(type, value)).toBe(expected);
  });

  test.each(COLUMN_TYPES)('%s: nothing is NULL', (type) => {
    expect(one(type, undefined)).toBeNull();
    expect(one(type, null)).toBeNull();
  });

  test.each<[ColumnType, unknown]>([
    ['integer', 'ABC-123'],
    ['integer', 1.5],
    ['integer', 1e20],
    ['number', 'ABC-123'],
    ['number', ''],
    ['boolean', 'ABC-123'],
    ['local-time', 'ABC-123'],
    ['local-time', '2026-01-02 03:04:05'],
    ['utc-time', 1e17],
  ])('%s: %j is refused, and the error does not repeat it', (type, value) => {
    expect(() => one(type, value)).toThrow(expect.objectContaining({ code: 'SQL_ROW_REFUSED' }));
    expect(() => one(type, value)).not.toThrow(/ABC-123/);
  });

  test('any value at all becomes a cell or is refused with the code', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COLUMN_TYPES), fc.jsonValue(), (type, value) => {
        try {
          const cell = one(type, value);
          expect(cell === null || ['string', 'number', 'boolean'].includes(typeof cell)).toBe(true);
          expect(JSON.parse(JSON.stringify(cell))).toEqual(cell === 0 ? 0 : cell);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SQL_ROW_REFUSED' });
        }
      }),
    );
  });
});

test('a literal is the text itself', () => {
  const mapping = rowMapping([columnSchema.parse({ column: 'site', source: 'literal', value: 'payload.time' })], ZONE);
  expect(mapping.row({ payload: { time: 1 } })).toEqual(['payload.time']);
  expect(mapping.roots).toEqual([]);
});

test.each([
  ['no column', []],
  ['one column twice', [{ column: 'A' }, { column: 'a' }]],
])('%s is refused', (_, columns) => {
  expect(() => rowMapping(columns.map((column) => columnSchema.parse(column)), ZONE)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', field: 'columns' }));
});
