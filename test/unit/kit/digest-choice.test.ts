import { describe, expect, test } from 'vitest';
import { parseChallenges } from '../../../nodes/kit/digest-challenge';
import { chooseChallenge } from '../../../nodes/kit/digest-choice';

const choose = (header: string, allowBasic = false) => chooseChallenge(parseChallenges([header]), allowBasic, 'cam:80');

describe('chooseChallenge', () => {
  test('takes the strongest hash, wherever it stands, and keeps the word of the server', () => {
    const header = 'Digest nonce=1, algorithm=MD5, Digest nonce=2, algorithm=sha-512-256, Digest nonce=3, algorithm=SHA-256';
    expect(choose(header)).toMatchObject({ hash: 'SHA-512-256', nonce: '2', algorithm: 'sha-512-256', sess: false });
  });

  test('knows -sess in any case', () => {
    expect(choose('Digest nonce=1, algorithm=Md5-Sess')).toMatchObject({ hash: 'MD5', sess: true, algorithm: 'Md5-Sess' });
  });

  test('takes MD5 where no algorithm is named', () => {
    expect(choose('Digest nonce=1')).toMatchObject({ hash: 'MD5', algorithm: undefined, qop: undefined, realm: '' });
  });

  test('passes over SHA-1 and auth-int', () => {
    const header = 'Digest nonce=1,algorithm=SHA, Digest nonce=2,algorithm=SHA-256,qop=auth-int, Digest nonce=3,qop="auth-int, Auth"';
    expect(choose(header)).toMatchObject({ nonce: '3', hash: 'MD5', qop: 'auth' });
  });

  test('of equal hashes prefers the one with qop, then the first', () => {
    expect(choose('Digest nonce=1, Digest nonce=2,qop=auth, Digest nonce=3,qop=auth')).toMatchObject({ nonce: '2' });
  });

  test.each([
    ['stale=FALSE', false],
    ['stale="false"', false],
    ['stale=TRUE', true],
    ['stale="true"', true],
  ])('understands %s', (param, stale) => {
    expect(choose(`Digest nonce=1,${param}`)).toMatchObject({ stale });
  });

  test('takes Basic only if nothing else can be answered and it is allowed', () => {
    expect(choose('Basic realm=a, Digest nonce=1', true)).toMatchObject({ scheme: 'digest' });
    expect(choose('Basic realm=a, Digest nonce=1,qop=auth-int', true)).toEqual({ scheme: 'basic' });
    expect(() => choose('Basic realm=a, Digest nonce=1,qop=auth-int')).toThrow(
      expect.objectContaining({ code: 'AUTH_BASIC_NOT_ALLOWED', field: 'allowBasic' }),
    );
  });

  test('says what is offered where nothing can be answered', () => {
    const unsupported = expect.objectContaining({
      code: 'AUTH_UNSUPPORTED',
      message: expect.stringContaining('cam:80') as string,
    });
    expect(() => choose('Digest nonce=1,qop=auth-int', true)).toThrow(unsupported);
    expect(() => choose('Digest nonce=1,algorithm=SHA, Negotiate')).toThrow(/Digest SHA, Negotiate/);
    expect(() => choose('Digest realm=x')).toThrow(unsupported);
  });
});
