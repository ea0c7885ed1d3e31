import { describe, expect, it } from 'vitest';
import { digestResponse, DigestVerifier, type DigestAlgorithm, type DigestOptions, type LoginResult } from '../../devices/digest-server';

const RFC_NONCE = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v';
const rfcServer = (over: Partial<DigestOptions> = {}): DigestVerifier => {
  const verifier = new DigestVerifier({
    realm: 'http-auth@example.org',
    users: { Mufasa: 'Circle of Life' },
    algorithms: ['SHA-256', 'MD5'],
    qop: 'auth, auth-int',
    opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
    makeNonce: () => RFC_NONCE,
    ...over,
  });
  verifier.challenges();
  return verifier;
};
/** The Authorization headers printed in RFC 7616 section 3.9.1. */
const rfcLogin = (algorithm: string, response: string): string =>
  `Digest username="Mufasa",realm="http-auth@example.org",uri="/dir/index.html",algorithm=${algorithm},nonce="${RFC_NONCE}",` +
  `nc=00000001,cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",qop=auth,response="${response}",` +
  'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
const MD5_RESPONSE = '8ca523f5e9506fed4657c9700eebdbec';
const SHA256_RESPONSE = '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1';

const verify = (verifier: DigestVerifier, authorization?: string, uri = '/dir/index.html'): LoginResult =>
  verifier.verify({ method: 'GET', uri, authorization });
const why = (result: LoginResult): string => (result.ok ? 'ok' : result.why);

describe('the vectors of RFC 7616', () => {
  it.each([['MD5', MD5_RESPONSE], ['SHA-256', SHA256_RESPONSE]])('accepts %s of section 3.9.1', (algorithm, response) => {
    expect(verify(rfcServer(), rfcLogin(algorithm, response))).toEqual({ ok: true, user: 'Mufasa', scheme: 'digest' });
  });

  it('computes SHA-512-256 of section 3.9.2 as corrected by erratum 4897', () => {
    const input = {
      user: 'Jäsøn Doe', realm: 'api@example.org', password: 'Secret, or not?', method: 'GET', uri: '/doe.json', qop: 'auth',
      nonce: '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK', nc: '00000001', cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v',
    };
    expect(digestResponse('SHA-512-256', input)).toBe('3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5');
  });

  it('accepts the RFC 2617 example, and its RFC 2069 form without qop', () => {
    const input = {
      user: 'Mufasa', realm: 'testrealm@host.com', password: 'Circle Of Life', method: 'GET', uri: '/dir/index.html',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093', nc: '00000001', cnonce: '0a4f113b', qop: 'auth',
    };
    expect(digestResponse('MD5', input)).toBe('6629fae49393a05397450978507c4ef1');
    expect(digestResponse('MD5', { ...input, nc: undefined, cnonce: undefined, qop: undefined })).toBe('670fd8c2df070c60b045671b8b24ff02');
  });
});

describe('what it refuses', () => {
  const right = rfcLogin('MD5', MD5_RESPONSE);
  it.each([
    ['no-credentials', undefined],
    ['scheme-not-offered', 'Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl'],
    ['scheme-not-offered', 'Bearer abc'],
    ['malformed', right.replace('qop=auth', 'qop="auth"')],
    ['malformed', right.replace('nc=00000001', 'nc="00000001"')],
    ['malformed', right.replace('algorithm=MD5', 'algorithm="MD5"')],
    ['malformed', right.replace('username="Mufasa"', 'username=Mufasa')],
    ['malformed', `${right},nc=00000001`],
    ['malformed', `${right},`],
    ['malformed', right.replace('nonce=', 'nonsense=')],
    ['unknown-user', right.replace('"Mufasa"', '"Scar"')],
    ['wrong-realm', right.replace('http-auth@', 'auth@')],
    ['wrong-uri', right.replace('uri="/dir/', 'uri="/%64ir/')],
    ['wrong-algorithm', right.replace('algorithm=MD5,', '')],
    ['wrong-algorithm', right.replace('algorithm=MD5', 'algorithm=MD5-sess')],
    ['wrong-opaque', right.replace('opaque="F', 'opaque="f')],
    ['wrong-qop', right.replace('qop=auth,', '')],
    ['wrong-qop', right.replace('qop=auth,', 'qop=other,')],
    ['bad-nc', right.replace('00000001', '1')],
    ['bad-nc', right.replace('00000001', '0000000A')],
    ['missing-cnonce', right.replace(/cnonce="[^"]*",/, '')],
    ['wrong-response', right.replace(MD5_RESPONSE, SHA256_RESPONSE)],
    ['wrong-response', right.replace(MD5_RESPONSE, MD5_RESPONSE.toUpperCase())],
  ])('%s: %s', (reason, header) => {
    expect(why(verify(rfcServer(), header))).toBe(reason);
  });

  it('counts a wrong login as bad, and neither a missing nor a stale one', () => {
    const server = rfcServer();
    expect(verify(server)).toMatchObject({ countsAsBadLogin: false, stale: false });
    expect(verify(server, right.replace('"Mufasa"', '"Scar"'))).toMatchObject({ countsAsBadLogin: true });
    server.forgetNonces();
    expect(verify(server, right)).toMatchObject({ why: 'stale-nonce', stale: true, countsAsBadLogin: false });
  });

  it('does not call a wrong password stale', () => {
    const server = rfcServer({ users: { Mufasa: 'other' } });
    server.forgetNonces();
    expect(verify(server, right)).toMatchObject({ why: 'wrong-response', stale: false });
  });
});

/** Logs in against whatever the verifier's first digest challenge says. */
function login(verifier: DigestVerifier, algorithm: DigestAlgorithm, over: { nc?: string; cnonce?: string; qop?: string | undefined; nonce?: string } = {}) {
  const challenge = verifier.challenges().find((one) => one.startsWith('Digest')) ?? '';
  const nonce = over.nonce ?? /nonce="([^"]*)"/.exec(challenge)?.[1] ?? '';
  const { nc = '00000001', cnonce = 'c' } = over;
  const qop = 'qop' in over ? over.qop : 'auth';
  const input = { user: 'u', realm: 'r', password: 'p', method: 'GET', uri: '/x', nonce, cnonce, qop, nc };
  const response = digestResponse(algorithm, qop === undefined ? { ...input, nc: undefined, cnonce: undefined } : input);
  const counted = qop === undefined ? '' : `,qop=${qop},nc=${nc},cnonce="${cnonce}"`;
  const header = `Digest username="u",realm="r",nonce="${nonce}",uri="/x",algorithm=${algorithm},response="${response}"${counted}`;
  return { nonce, header, result: verify(verifier, header, '/x') };
}
const base = { realm: 'r', users: { u: 'p' } };

describe('algorithms and qop', () => {
  it.each(['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess', 'SHA-512-256', 'SHA-512-256-sess'] as const)('%s', (algorithm) => {
    expect(login(new DigestVerifier({ ...base, algorithms: [algorithm] }), algorithm).result.ok).toBe(true);
  });

  it('without qop takes neither nc nor cnonce', () => {
    const verifier = new DigestVerifier({ ...base, qop: null });
    const { header, result } = login(verifier, 'MD5', { qop: undefined });
    expect(result.ok).toBe(true);
    expect(why(verify(verifier, `${header},nc=00000001`, '/x'))).toBe('bad-nc');
    expect(why(verify(verifier, `${header},cnonce="c"`, '/x'))).toBe('unexpected-cnonce');
  });

  it('hashes the body for auth-int', () => {
    const verifier = new DigestVerifier({ ...base, qop: 'auth-int' });
    const { header, result } = login(verifier, 'MD5', { qop: 'auth-int' });
    expect(result.ok).toBe(true);
    const withBody = verifier.verify({ method: 'GET', uri: '/x', authorization: header, body: Buffer.from('x') });
    expect(why(withBody)).toBe('wrong-response');
  });

  it('lets a session keep the cnonce of its first request in the key, or use the current one', () => {
    const verifier = new DigestVerifier({ ...base, algorithms: ['MD5-sess'] });
    const first = login(verifier, 'MD5-sess');
    const second = login(verifier, 'MD5-sess', { nonce: first.nonce, nc: '00000002', cnonce: 'd' });
    expect([first.result.ok, second.result.ok]).toEqual([true, true]);
    const input = { user: 'u', realm: 'r', password: 'p', method: 'GET', uri: '/x', nonce: first.nonce, nc: '00000003', cnonce: 'e', qop: 'auth' };
    const response = digestResponse('MD5-sess', { ...input, sessionCnonce: 'c' });
    const header = second.header.replace('00000002', '00000003').replace('cnonce="d"', 'cnonce="e"').replace(/response="\w+"/, `response="${response}"`);
    expect(why(verify(verifier, header, '/x'))).toBe('ok');
  });
});

describe('nonces', () => {
  it.each([
    ['exact', '00000003', 'bad-nc'],
    ['monotonic', '00000003', 'ok'],
    ['monotonic', '00000001', 'replayed-nc'],
    ['exact', '00000001', 'replayed-nc'],
    ['off', '00000001', 'ok'],
  ] as const)('%s: nc %s after 00000001 is %s', (ncCheck, nc, expected) => {
    const verifier = new DigestVerifier({ ...base, ncCheck });
    const { nonce } = login(verifier, 'MD5');
    expect(why(login(verifier, 'MD5', { nonce, nc }).result)).toBe(expected);
  });

  it('begins at 00000001', () => {
    expect(why(login(new DigestVerifier(base), 'MD5', { nc: '00000002' }).result)).toBe('bad-nc');
  });

  it('goes stale with age', () => {
    let now = 0;
    const verifier = new DigestVerifier({ ...base, nonceLifetimeMs: 1000, clock: { now: () => now } });
    const { nonce } = login(verifier, 'MD5');
    now = 1001;
    expect(login(verifier, 'MD5', { nonce, nc: '00000002' }).result).toMatchObject({ why: 'stale-nonce', stale: true });
  });

  it('serves one request only when told so', () => {
    const verifier = new DigestVerifier({ ...base, nonceUse: 'once' });
    const { nonce, result } = login(verifier, 'MD5');
    expect(result.ok).toBe(true);
    expect(why(login(verifier, 'MD5', { nonce, nc: '00000002' }).result)).toBe('stale-nonce');
  });

  it('may be given with a blank inside', () => {
    expect(login(new DigestVerifier({ ...base, makeNonce: () => 'a b' }), 'MD5').result.ok).toBe(true);
  });
});

describe('user names', () => {
  const server = (charsetUtf8: boolean): DigestVerifier => {
    const verifier = new DigestVerifier({ realm: 'r "quoted" \\', users: { 'J"ä"søn': 'p' }, charsetUtf8, makeNonce: () => 'n' });
    verifier.challenges();
    return verifier;
  };
  const header = (name: string, encoding: BufferEncoding): string => {
    const input = { user: 'J"ä"søn', realm: 'r "quoted" \\', password: 'p', method: 'GET', uri: '/x', nonce: 'n', nc: '00000001', cnonce: 'c', qop: 'auth' };
    return `Digest ${name},realm="r \\"quoted\\" \\\\",nonce="n",uri="/x",qop=auth,nc=00000001,cnonce="c",response="${digestResponse('MD5', input, encoding)}"`;
  };
  const quoted = (encoding: BufferEncoding): string =>
    `username="${Buffer.from('J\\"ä\\"søn', encoding).toString('latin1')}"`;
  const extended = `username*=UTF-8''${encodeURIComponent('J"ä"søn')}`;

  it('escapes the realm in the challenge and unescapes quoted strings', () => {
    expect(server(true).challenges()[0]).toContain('realm="r \\"quoted\\" \\\\"');
    expect(why(verify(server(true), header(quoted('utf8'), 'utf8'), '/x'))).toBe('ok');
  });

  it('takes username* only where UTF-8 was offered', () => {
    expect(why(verify(server(true), header(extended, 'utf8'), '/x'))).toBe('ok');
    expect(why(verify(server(false), header(extended, 'utf8'), '/x'))).toBe('malformed');
    expect(why(verify(server(true), header(`${quoted('utf8')},${extended}`, 'utf8'), '/x'))).toBe('malformed');
  });

  it('takes latin-1 only where UTF-8 was not offered', () => {
    expect(why(verify(server(false), header(quoted('latin1'), 'latin1'), '/x'))).toBe('ok');
    expect(why(verify(server(true), header(quoted('latin1'), 'latin1'), '/x'))).toBe('unknown-user');
  });
});

describe('challenges', () => {
  it('reads as facts A8 show it', () => {
    const verifier = new DigestVerifier({ realm: 'Login to ND00', users: {}, opaque: '9a', makeNonce: () => '211955164' });
    expect(verifier.challenges()).toEqual(['Digest realm="Login to ND00",qop="auth",nonce="211955164",opaque="9a"']);
  });

  it.each([
    ['unquoted', 'stale=FALSE'],
    ['quoted', 'stale="false"'],
  ] as const)('shows stale %s', (showStale, text) => {
    expect(new DigestVerifier({ ...base, showStale, separator: ', ' }).challenges()[0]).toMatch(new RegExp(`, ${text}$`));
  });

  it('keeps silent about stale when told so', () => {
    expect(new DigestVerifier({ ...base, showStale: 'never' }).challenges(true)[0]).not.toContain('stale');
  });

  it('orders algorithms, Basic and others, in one header or several', () => {
    const options: DigestOptions = { ...base, algorithms: ['SHA-256', 'MD5'], offerBasic: 'first', basicRealm: 'Device_CGI', extraChallenges: ['Negotiate'] };
    const schemes = new DigestVerifier(options).challenges().map((one) => /algorithm=.*|^\w+/.exec(one.replace('Digest ', ''))?.[0]);
    expect(schemes).toEqual(['Negotiate', 'Basic', 'realm', 'realm']);
    const [all, ...others] = new DigestVerifier({ ...options, challengesInOneHeader: true }).challenges();
    expect(others).toEqual([]);
    expect(all).toMatch(/^Negotiate, Basic realm="Device_CGI", Digest .*algorithm=SHA-256, Digest .*algorithm=MD5$/);
  });
});

describe('Basic', () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  it('is taken where offered', () => {
    expect(verify(new DigestVerifier({ ...base, offerBasic: 'last' }), basic('u:p'))).toEqual({ ok: true, user: 'u', scheme: 'basic' });
    expect(why(verify(new DigestVerifier({ ...base, offerBasic: 'last' }), basic('u:q')))).toBe('wrong-response');
  });

  it('alone makes every digest a bad login, as 2014 firmware does', () => {
    const verifier = new DigestVerifier({ ...base, offerBasic: 'only' });
    expect(verifier.challenges()).toEqual(['Basic realm="r"']);
    expect(login(verifier, 'MD5').result).toMatchObject({ why: 'scheme-not-offered', countsAsBadLogin: true });
  });
});
