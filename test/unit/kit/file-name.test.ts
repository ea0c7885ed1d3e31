import { createHash } from 'node:crypto';
import { resolve, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderPath, safeFileName } from '../../../nodes/kit/file-name';
import { compileTemplate } from '../../../nodes/kit/template';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** Names as they come and as an attacker would send them. */
const names = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', ' ', 'a', '_', '-', ':', '\n', '\ud800', '\udc00', '👩'), maxLength: 12 }),
  fc.constantFrom('con', 'PRN', 'Aux.log', 'nul', 'COM1', 'lpt9.txt', 'COM¹', '.', '..', '', '.git', '_-e3b0c442'),
);

describe('safeFileName', () => {
  it.each(['cam-1', 'Cámara Entrada 2', '📷 norte', 'een_10045678', 'a.b.c', 'cam-12345678', 'console', 'COM10', 'x'.repeat(120)])(
    'keeps %s',
    (name) => {
      expect(safeFileName(name)).toBe(name);
    },
  );

  it.each([
    ['../../etc/passwd', '____etc_passwd'],
    ['..', '_'],
    ['.', '_'],
    ['', '_'],
    ['  ', '_'],
    ['a/b', 'a_b'],
    ['a\\b', 'a_b'],
    ['C:\\x', 'C__x'],
    ['a..b', 'a_b'],
    ['cam\n1\0', 'cam_1_'],
    ['<>:"|?*', '_______'],
    [' cam. ', '_cam_'],
    ['.hidden', '_hidden'],
    ['CON', '_CON'],
    ['nul.tar.gz', '_nul.tar.gz'],
    ['Lpt1 .x', '_Lpt1 .x'],
    ['a\u202egpj', 'a_gpj'],
    ['x'.repeat(121), `${'x'.repeat(119)}_`],
    ['👩'.repeat(40), `${'👩'.repeat(29)}_`],
  ])('changes %j to %s and its hash', (name, safe) => {
    expect(safeFileName(name)).toBe(`${safe}-${hash(name)}`);
  });

  it('changes a name that looks like the changed form of another', () => {
    const changed = safeFileName('a/b');
    expect(safeFileName(changed)).not.toBe(changed);
  });

  it('never gives a name that leaves its folder or that a file system refuses', () => {
    fc.assert(
      fc.property(names, (name) => {
        const safe = safeFileName(name);
        expect(safe).not.toBe('');
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(140);
        expect(safe).not.toMatch(/[<>:"|?*/\\\p{Cc}\p{Cs}]|\.\.|^[.\s]|[.\s]$/u);
        expect(safe).not.toMatch(/^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])\s*(\.|$)/i);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps distinct names distinct', () => {
    fc.assert(
      fc.property(fc.uniqueArray(names, { minLength: 2, maxLength: 30 }), (distinct) => {
        expect(new Set(distinct.map(safeFileName)).size).toBe(distinct.length);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the names apart that differ in a lone surrogate only', () => {
    expect(safeFileName('a\ud800')).not.toBe(safeFileName('a\ud801'));
  });
});

describe('renderPath', () => {
  const path = (template: string, values: Record<string, unknown>): string =>
    renderPath(compileTemplate(template), (name) => values[name]);

  it('cleans the values and leaves the literal text', () => {
    expect(path('/var/log/cams/.x y/{{device}}.log', { device: 'a/b' })).toBe(`/var/log/cams/.x y/a_b-${hash('a/b')}.log`);
    expect(path('logs/{{device}}.log', { device: 'cam-1' })).toBe('logs/cam-1.log');
    expect(path('../logs/all.log', {})).toBe('../logs/all.log');
    expect(path('../logs/{{device}}', { device: 'cam-1' })).toBe('../logs/cam-1');
  });

  it('gives a missing value a name', () => {
    expect(path('logs/{{device}}.log', {})).toBe(`logs/_-${hash('')}.log`);
  });

  it('stays in the folder of the literal prefix whatever the values', () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(resolve(path('logs/.{{a}}.{{b}}/{{b}}..', { a, b })).startsWith(resolve('logs') + sep)).toBe(true);
        expect(resolve(path('/{{a}}{{b}}', { a, b })).startsWith(resolve('/'))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['logs/{{a}}/../../x.log', 'logs/{{a}}/..', '{{a}}/../..'])('refuses the template %s, which leads out', (template) => {
    expect(() => path(template, { a: 'cam' })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
