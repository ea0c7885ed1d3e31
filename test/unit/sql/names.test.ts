import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quoteName, quoteTable } from '../../../nodes/sql/identifiers';
import { MAX_EFFECT, MAX_KEY, Retention, assertEffect, effectName, ledgerKey } from '../../../nodes/sql/ledger';
import { parameterNames, positional } from '../../../nodes/sql/named-parameters';

const refusal = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('[', ']', '"', "'", ';', '-', '/', '*', '.', '@', '\0', '\n', 'a', '\ud800') }));

describe('identifiers', () => {
  test('are refused, or one quoted name that nothing in it can leave', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const inSqlServer = refusal(() => quoteName(name, 'sqlserver', 'table'));
        if (inSqlServer === undefined) expect(quoteName(name, 'sqlserver', 'table').slice(1, -1)).toBe(name.replaceAll(']', ''));
        else expect(inSqlServer).toBe('SQL_NAME_INVALID');
        const inSqlite = refusal(() => quoteName(name, 'sqlite', 'table'));
        if (inSqlite === undefined) expect(quoteName(name, 'sqlite', 'table')).toMatch(/^"(?:[^"]|"")*"$/u);
        else expect(inSqlite).toBe('SQL_NAME_INVALID');
      }),
      { numRuns: 2000 },
    );
  });

  test('128 characters are a name, 129 are not', () => {
    expect(refusal(() => quoteName('x'.repeat(128), 'sqlserver', 'table'))).toBeUndefined();
    expect(refusal(() => quoteName('x'.repeat(129), 'sqlserver', 'table'))).toBe('SQL_NAME_INVALID');
  });

  test.each(['', ' a', 'a\u0000b', 'a\u001bb', 'a\u2028b', '\udc00', 'a]b'])('%j is no name to SQL Server', (name) => {
    expect(refusal(() => quoteName(name, 'sqlserver', 'table'))).toBe('SQL_NAME_INVALID');
  });

  test('a table may have its schema in front', () => {
    expect(quoteTable('dbo.Aforo parqueadero', 'sqlserver', 'table')).toBe('[dbo].[Aforo parqueadero]');
    expect(quoteTable('main.a"b', 'sqlite', 'table')).toBe('"main"."a""b"');
    expect(refusal(() => quoteTable('server.db.dbo.t', 'sqlserver', 'table'))).toBe('SQL_NAME_INVALID');
    expect(refusal(() => quoteTable('dbo.', 'sqlserver', 'table'))).toBe('SQL_NAME_INVALID');
  });
});

describe('named parameters', () => {
  test('are found where they are parameters', () => {
    const sql = "SELECT '@a', \"@b\", [@c], @d, @D, @ñandú -- @e\n/* @f\n */ FROM t WHERE x=@d AND @@ROWCOUNT > 0 AND mail = 'a@b''@g'";
    expect(parameterNames(sql)).toEqual(['d', 'D', 'ñandú']);
    expect(positional(sql)).toMatchObject({ names: ['d', 'D', 'ñandú', 'd'] });
    expect(positional(sql).sql).toContain("WHERE x=? AND @@ROWCOUNT > 0 AND mail = 'a@b''@g'");
  });

  test('whatever is in quotes and comments stays as it is', () => {
    fc.assert(
      fc.property(fc.constantFrom(`'`, `"`), fc.string(), (quote, text) => {
        const quoted = `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
        expect(positional(`SELECT ${quoted}, @x`)).toEqual({ sql: `SELECT ${quoted}, ?`, names: ['x'] });
      }),
    );
  });
});

describe('the ledger', () => {
  test('keeps any id as up to 64 ASCII characters without blanks, no two alike', () => {
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        expect(ledgerKey(a)).toMatch(/^[\x21-\x7e]{1,64}$/);
        if (a !== b) expect(ledgerKey(a)).not.toBe(ledgerKey(b));
      }),
    );
    expect(ledgerKey('a')).toBe('a');
    expect(ledgerKey('a ')).toHaveLength(MAX_KEY);
  });

  test('names effects alike in every worker, and differently for different tables', () => {
    expect(effectName('history', 'AVIGILON', 'eventos_Analisis')).toBe('history:avigilon:eventos_analisis');
    expect(effectName('aforo', 'Estadio Ñ', 't')).toMatch(/^[\x21-\x7e]+$/);
    const long = (end: string) => effectName('aforo', 'x'.repeat(300) + end, 't');
    expect(long('a')).toHaveLength(MAX_EFFECT);
    expect(long('a')).not.toBe(long('b'));
  });

  test.each(['', ' a', 'ñ', 'x'.repeat(101)])('%j is refused as the name of an effect', (name) => {
    expect(refusal(() => assertEffect(name))).toBe('CONFIG_INVALID');
  });

  test('what is accepted is still remembered, also by a worker whose clock is half a day off', () => {
    const retention = new Retention(30);
    const now = Date.parse('2026-03-01T00:00:00Z');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 * 86_400_000 }), fc.integer({ min: -43_200_000, max: 43_200_000 }), (age, skew) => {
        const at = now - age;
        if (refusal(() => retention.assertRemembered(at, now)) === undefined) expect(at).toBeGreaterThanOrEqual(retention.pruneBefore(now + skew));
        else expect(age).toBeGreaterThan(30 * 86_400_000);
      }),
    );
    expect(refusal(() => retention.assertRemembered(now - 31 * 86_400_000, now))).toBe('EVENT_TOO_OLD');
  });
});
