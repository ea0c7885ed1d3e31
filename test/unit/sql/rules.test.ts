import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePath, valueAt } from '../../../nodes/sql/message-path';
import { DEFAULT_FILTER, anyRule, ruleSchema } from '../../../nodes/sql/rules';
import { safePattern } from '../../../nodes/sql/safe-pattern';
import { DEFAULT_ZONES, movesOf, zoneNamed, zoneSchema, zonesOf } from '../../../nodes/sql/zones';

const event = (analyticEventName: unknown, activity: unknown = 'OBJECT_COUNTING_ENTER') => ({ data: { analyticEventName, activity } });
const rule = (changes: object) => [ruleSchema.parse(changes)];
const refusal = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string; field?: string }).code;
  }
};

describe('rules', () => {
  test.each([
    [{ op: 'contains', value: 'puerta' }, 'Aforo Entrada PUERTA 40', true],
    [{ op: 'contains', value: 'PUERTA' }, 'Salida', false],
    [{ op: 'equals', value: 'Ingreso' }, 'INGRESO', true],
    [{ op: 'equals', value: 'Ingreso' }, 'INGRESO 2', false],
    [{ op: 'regex', value: '^(entrada|ingreso) .*sur$' }, 'INGRESO PARQUEADERO SUR', true],
    [{ op: 'contains', value: 'ENTRADA', activity: 'object_counting_enter' }, 'Entrada', true],
    [{ op: 'contains', value: 'ENTRADA', activity: 'OBJECT_COUNTING_EXIT' }, 'Entrada', false],
    [{ activity: 'OBJECT_COUNTING_ENTER' }, null, true],
    [{ op: 'contains', value: 'CAMPÍN' }, 'campi\u0301n', true],
  ])('%j on %j: %s', (config, name, expected) => {
    expect(anyRule(rule(config), 'rules')(event(name))).toBe(expected);
  });

  test.each([null, undefined, 7, true, {}, []])('a name that is %j is no text that matches, and no error', (name) => {
    expect(anyRule(rule({ value: 'PUERTA' }), 'rules')(event(name))).toBe(false);
    expect(anyRule(rule({ value: 'PUERTA' }), 'rules')({ data: null })).toBe(false);
  });

  test('a rule without text and activity is refused: it would match everything', () => {
    expect(refusal(() => anyRule(rule({}), 'rules'))).toBe('CONFIG_INVALID');
  });

  test.each([
    ['Aforo Entrada Puerta 40', true],
    ['Aforo Entrada Sencia Norte', true],
    ['Ingreso Personas Entrada Maraton', true],
    ['Ingreso Personas Entrada Maraton 2', false],
    ['Aforo Entrada Parqueadero Norte', false],
    [null, false],
  ])('the stadium stores %j: %s', (name, expected) => {
    expect(anyRule(DEFAULT_FILTER, 'rules')(event(name))).toBe(expected);
  });
});

describe('patterns', () => {
  test.each(['(a+)+$', '(a|a)*b', '(a*)*', '((a+)b)*', '(a?){50}', '(\\w+\\s?)*$', 'a*a*a*a*b', '(a)\\1', '(?<x>a)\\k<x>', '(', 'a{2}{3}', 'x'.repeat(300), '(?:a{1,9}){1,9}'])(
    '%s is refused',
    (pattern) => {
      expect(refusal(() => safePattern(pattern, 'rules'))).toBe('CONFIG_INVALID');
    },
  );

  test.each(['^INGRESO .* SUR$', '(ENTRADA|INGRESO) .*NORTE', 'PUERTA \\d{1,2}', '(?:AFORO )?ENTRADA', '[(+*]', 'a\\+b+', '(ab)+c'])('%s is taken', (pattern) => {
    expect(refusal(() => safePattern(pattern, 'rules'))).toBeUndefined();
  });

  test('any pattern that is taken is done with 255 hostile characters in bounded work', () => {
    const piece = fc.constantFrom('a', 'b', '.', '\\w', '(a|b)', '(ab)', '[ab]', '(?:a)', '|', 'a*', '.*', 'a+', '(a+)', '{2}', '?', '*', '+', '^', '$');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        let matches: (subject: string) => boolean;
        try {
          matches = safePattern(pieces.join(''), 'rules');
        } catch {
          return;
        }
        // A pattern that backtracks without bound does not come back from this within the test's own limit.
        matches(`${'a'.repeat(10_000)}!`);
      }),
      { numRuns: 300 },
    );
  });
});

describe('zones', () => {
  const zones = zonesOf(DEFAULT_ZONES);
  const movesFor = (name: unknown) => movesOf(event(name), zones).map(({ zone, delta }) => [zone.table, delta]);

  test.each([
    ['Aforo Entrada Parqueadero Norte', [['Aforo_parqueadero', 1]]],
    ['AFORO SALIDA PARQUEADERO NORTE 2', [['Aforo_parqueadero', -1]]],
    ['Entrada Vehicular Campinsito', [['Aforo_parqueadero_campinsito', 1]]],
    ['Salida Vehicular Campinsito', [['Aforo_parqueadero_campinsito', -1]]],
    ['Ingreso Parqueadero Sur', [['Aforo_parqueadero_SUR', 1]]],
    ['Salida Parqueadero Sur', [['Aforo_parqueadero_SUR', -1]]],
    ['Aforo Entrada Puerta 4', []],
    [null, []],
  ])('the stadium counts %j as %j', (name, expected) => {
    expect(movesFor(name)).toEqual(expected);
  });

  test('an event that is both an entry and an exit counts as an entry, once', () => {
    const both = zonesOf([zoneSchema.parse({ name: 'z', table: 't', entry: { value: 'A' }, exit: { value: 'A' } })]);
    expect(movesOf(event('A'), both).map(({ delta }) => delta)).toEqual([1]);
  });

  test('are found by name whatever the case, and listed where there is no such zone', () => {
    expect(zoneNamed('zona sur', zones).table).toBe('Aforo_parqueadero_SUR');
    expect(() => zoneNamed('x', zones)).toThrow(/PARQUEADERO NORTE/);
    expect(refusal(() => zoneNamed(undefined, zones))).toBe('BAD_MESSAGE');
  });

  test.each([
    ['two of one name', [{ name: 'a', table: 't' }, { name: 'A', table: 'u' }]],
    ['two on one counter', [{ name: 'a', table: 'dbo.T' }, { name: 'b', table: 't' }]],
    ['none at all', []],
  ])('%s are refused', (_, configs) => {
    expect(refusal(() => zonesOf(configs.map((config) => zoneSchema.parse(config))))).toBe('CONFIG_INVALID');
  });

  test('two may count in columns of one table', () => {
    const configs = ['norte', 'sur'].map((countColumn) => zoneSchema.parse({ name: countColumn, table: 't', countColumn }));
    expect(zonesOf(configs)).toHaveLength(2);
  });
});

describe('paths', () => {
  test.each([
    ['payload.data.a', 1],
    ['msg.payload.data.a', 1],
    ['payload.list[1].b', 2],
    ['payload.none.x', undefined],
    ['payload.data.constructor', undefined],
    ['payload.data.a.toFixed', undefined],
  ])('%s', (path, expected) => {
    expect(valueAt({ payload: { data: { a: 1 }, list: [0, { b: 2 }] } }, parsePath(path))).toEqual(expected);
  });
});
