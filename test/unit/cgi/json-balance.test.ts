import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonBalance } from '../../../nodes/cgi/json-balance';
import { RUNS } from './support/arbitrary-streams';

/** Where the JSON at the beginning of the text ends, fed in one piece. */
function endOf(text: string | Buffer, doubleByte = false): number {
  const bytes = Buffer.from(text);
  return new JsonBalance(doubleByte).feed(bytes, 0, bytes.length);
}

describe('the end of JSON', () => {
  it('is its closing bracket, whatever its strings hold and however it comes', () => {
    const container = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(container, fc.constantFrom(0, 1, 3), fc.string(), (value, indent, after) => {
        const json = JSON.stringify(value, null, indent);
        const bytes = Buffer.from(json + after);
        const length = Buffer.byteLength(json);
        expect(endOf(bytes)).toBe(length);
        const balance = new JsonBalance();
        let at = 0;
        while (at < length && balance.feed(bytes, at, at + 1) < 0) at++;
        expect(at).toBe(length - 1);
      }),
      { numRuns: RUNS },
    );
  });

  it('is found although a string is not closed on its line', () => {
    const text = '{ "Name" : "Puerta,\n "Other" : [ 1 ]\n}';
    expect(endOf(`${text} }`)).toBe(text.length);
    const escaped = '{ "Name" : "Puerta\\\n "Other" : [ 1 ]\n}';
    expect(endOf(escaped)).toBe(escaped.length);
  });

  it('is not hidden by the second byte of a character, where characters have two', () => {
    const json = Buffer.concat([Buffer.from('{ "'), Buffer.of(0xa5, 0x5c), Buffer.from('" : 1 }')]);
    expect(endOf(json, true)).toBe(json.length);
    expect(endOf(json)).toBe(-1);
    const escapes = Buffer.concat([Buffer.from('{ "'), Buffer.of(0xa5, 0x41), Buffer.from('\\"}" : 1 }')]);
    expect(endOf(escapes, true)).toBe(escapes.length);
  });
});
