import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wirePath } from '../../../nodes/kit/http-path';

describe('wirePath', () => {
  test.each([
    ['/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5', '/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5'],
    ['/x?codes=%5BAll%5D', '/x?codes=%5BAll%5D'],
    ['/a b?n=niño', '/a%20b?n=ni%C3%B1o'],
    ['/100%?x=%zz', '/100%25?x=%25zz'],
    ['/x#fragment', '/x'],
    ['x?y=1', '/x?y=1'],
    ['', '/'],
    ['/"\\\r\nX-Evil: 1', '/%22%5C%0D%0AX-Evil:%201'],
    ['/李\ud800', '/%E6%9D%8E%EF%BF%BD'],
  ])('%j becomes %s', (path, wire) => {
    expect(wirePath(path)).toBe(wire);
  });

  test('gives what may stand in a request line and in a quoted uri, and nothing changes the second time', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (path) => {
      const wire = wirePath(path);
      expect(wire).toMatch(/^\/[!$-;=?-[\]_a-z~]*$/);
      expect(wirePath(wire)).toBe(wire);
    }));
  });
});
