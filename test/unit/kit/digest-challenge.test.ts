import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAuthParams, parseChallenges, type Challenge } from '../../../nodes/kit/digest-challenge';

const challenge = (scheme: string, params: Record<string, string>): Challenge => ({
  scheme,
  params: new Map(Object.entries(params)),
});

describe('parseChallenges', () => {
  test('reads the challenge of a camera, with and without blanks after the commas', () => {
    const params = { realm: 'Login to 5K0A', qop: 'auth', nonce: '1720', opaque: 'c0ffee' };
    expect(parseChallenges(['Digest realm="Login to 5K0A",qop="auth",nonce="1720",opaque="c0ffee"'])).toEqual([
      challenge('Digest', params),
    ]);
    expect(parseChallenges(['Digest realm="Login to 5K0A", qop="auth" ,\tnonce="1720", opaque="c0ffee"'])).toEqual([
      challenge('Digest', params),
    ]);
  });

  test('reads several challenges of one header and of several', () => {
    expect(
      parseChallenges(['Negotiate, Basic realm="a, Digest b", Digest realm="c",nonce="1"', 'NTLM TlRMTQ==, Digest nonce=2']),
    ).toEqual([
      challenge('Negotiate', {}),
      challenge('Basic', { realm: 'a, Digest b' }),
      challenge('Digest', { realm: 'c', nonce: '1' }),
      { ...challenge('NTLM', {}), token68: 'TlRMTQ==' },
      challenge('Digest', { nonce: '2' }),
    ]);
  });

  test('undoes quoted pairs and keeps blanks', () => {
    expect(parseChallenges([String.raw`Digest realm="say \"hi\", c:\\x",nonce="2 1 f",opaque=""`])).toEqual([
      challenge('Digest', { realm: String.raw`say "hi", c:\x`, nonce: '2 1 f', opaque: '' }),
    ]);
  });

  test('reads values without quotes, also with blanks and without the comma between', () => {
    expect(parseChallenges(['Digest stale=FALSE, realm=Login to cam, nonce=a== qop=auth,algorithm=MD5'])).toEqual([
      challenge('Digest', { stale: 'FALSE', realm: 'Login to cam', nonce: 'a==', qop: 'auth', algorithm: 'MD5' }),
    ]);
  });

  test('takes names in any case and of a repeated one the first', () => {
    expect(parseChallenges(['digest Realm="a", REALM="b"'])).toEqual([challenge('digest', { realm: 'a' })]);
  });

  test('survives an unclosed quote', () => {
    expect(parseChallenges(['Digest nonce="1", realm="open\\'])).toEqual([challenge('Digest', { nonce: '1', realm: 'open' })]);
  });

  test('never throws', () => {
    const pieces = fc.stringMatching(/^[Dd"\\=, \tx\xa0é]{0,30}$/);
    fc.assert(fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), pieces)), (values) => {
      parseChallenges(values);
    }));
  });

  test('reads back what was written', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
    const value = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)) });
    const params = fc
      .uniqueArray(fc.tuple(token.map((name) => name.toLowerCase()), value), { selector: ([name]) => name })
      .map((entries) => new Map(entries));
    const written = fc.record({ scheme: token, params });
    const headers = fc.array(fc.array(written, { minLength: 1 }));
    fc.assert(fc.property(headers, (lists) => {
      expect(parseChallenges(lists.map((list) => list.map(format).join(', ')))).toEqual(lists.flat());
    }));
  });
});

const format = ({ scheme, params }: Challenge) =>
  `${scheme} ${[...params].map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`).join(',')}`.trim();

test('parseAuthParams reads Authentication-Info', () => {
  expect(parseAuthParams('rspauth="f0", nextnonce="a b", qop=auth').get('nextnonce')).toBe('a b');
});
