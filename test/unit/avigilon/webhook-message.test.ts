import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signature, WebhookMessages, type WebhookMessage } from '../../../nodes/avigilon/webhook-message';

const NOW = Date.UTC(2026, 0, 20, 21);
const TOKEN = randomBytes(32).toString('base64');
const event = (thisId: string): object => ({ thisId, type: 'DEVICE_ANALYTICS_STOP', timestamp: new Date(NOW).toISOString(), cameraId: 'c' });
const notice = (id: string | undefined, thisId = id ?? '1'): object => ({ siteId: 's', type: 'EVENT', time: new Date(NOW).toISOString(), ...(id === undefined ? {} : { id }), event: event(thisId) });
const message = (more: object = {}): object => ({ siteId: 's', type: 'NOTIFICATION', time: new Date(NOW).toISOString(), notifications: [notice('a')], ...more });

/** As the server sends it to an address of this scheme. */
function sent(scheme: 'http' | 'https', content: object, token = TOKEN): [Buffer, string | undefined] {
  const body = Buffer.from(JSON.stringify(scheme === 'https' ? { ...content, authenticationToken: token } : content));
  return [body, scheme === 'http' ? signature(body, token) : undefined];
}
const inbox = (scheme: 'http' | 'https', now = (): number => NOW): WebhookMessages => new WebhookMessages({ scheme, token: TOKEN }, now);
const numbers = (read: WebhookMessage): unknown => (read.kind === 'events' ? read.events.map(({ thisId }) => thisId) : read.kind);

describe.each(['http', 'https'] as const)('to an %s address', (scheme) => {
  test('every notification of a message is read (facts A9.12)', () => {
    expect(numbers(inbox(scheme).read(...sent(scheme, message({ notifications: [notice('a'), notice('b'), notice('c')] }))))).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['as a list', [notice('a')]],
    ['alone', notice('a')],
  ])('under the other spelling, %s', (_, notification) => {
    expect(numbers(inbox(scheme).read(...sent(scheme, message({ notifications: undefined, notification }))))).toEqual(['a']);
  });

  test.each<[string, string]>([
    ['HELLO', 'hello'],
    ['HEARTBEAT', 'heartbeat'],
  ])('%s', (type, kind) => {
    expect(inbox(scheme).read(...sent(scheme, message({ type, notifications: undefined })))).toEqual({ kind });
  });

  test('with another token it is refused', () => {
    const forged = inbox(scheme).read(...sent(scheme, message(), randomBytes(32).toString('base64')));
    expect(forged).toMatchObject({ kind: 'refused', status: 401, error: { code: 'AVIGILON_WEBHOOK_FORGED' } });
  });

  test('without any proof it is refused', () => {
    expect(inbox(scheme).read(Buffer.from(JSON.stringify(message())), undefined)).toMatchObject({ kind: 'refused', status: 401 });
  });

  test('a repeated notification is acknowledged, and brings nothing again', () => {
    const messages = inbox(scheme);
    messages.read(...sent(scheme, message({ notifications: [notice('a'), notice('b')] })));
    expect(messages.read(...sent(scheme, message({ notifications: [notice('a'), notice('b')] })))).toEqual({ kind: 'repeated' });
    expect(numbers(messages.read(...sent(scheme, message({ notifications: [notice('b'), notice('c')] }))))).toEqual(['c']);
  });

  test('a notification without an id is known by its event', () => {
    const messages = inbox(scheme);
    expect(numbers(messages.read(...sent(scheme, message({ notifications: [notice(undefined, '1'), notice(undefined, '2')] }))))).toEqual(['1', '2']);
    expect(messages.read(...sent(scheme, message({ notifications: [notice(undefined, '1')] })))).toEqual({ kind: 'repeated' });
  });

  test.each(['HELLO', 'HEARTBEAT'])('a recorded %s does nothing', (type) => {
    const messages = inbox(scheme);
    const recorded = sent(scheme, message({ type, notifications: undefined }));
    messages.read(...recorded);
    expect(messages.read(...recorded)).toEqual({ kind: 'repeated' });
  });

  test.each<[string, unknown]>([
    ['an hour old', new Date(NOW - 3_600_000).toISOString()],
    ['from the future', new Date(NOW + 3_600_000).toISOString()],
    ['without a time', undefined],
    ['with nonsense for a time', 'soon'],
  ])('%s: left out', (_, time) => {
    expect(inbox(scheme).read(...sent(scheme, message({ time })))).toMatchObject({ kind: 'stale', error: { code: 'AVIGILON_WEBHOOK_STALE' } });
  });

  test('a recording stays a recording for as long as its time would pass', () => {
    let now = NOW;
    const messages = inbox(scheme, () => now);
    const recorded = sent(scheme, message());
    const kinds = new Set<string>();
    for (messages.read(...recorded); now < NOW + 3_600_000; now += 60_000) kinds.add(messages.read(...recorded).kind);
    expect(kinds).toEqual(new Set(['repeated', 'stale']));
  });
});

test('a signed body that was changed is refused', () => {
  const [body, authorization] = sent('http', message());
  const changed = Buffer.from(body.toString().replace('"c"', '"d"'));
  expect(changed.length).toBe(body.length);
  expect(inbox('http').read(changed, authorization)).toMatchObject({ kind: 'refused', status: 401 });
});

test('a token in the body does not prove what should be signed', () => {
  expect(inbox('http').read(...sent('https', message()))).toMatchObject({ kind: 'refused', status: 401 });
});

test('whatever comes without the token is refused, and nothing throws', () => {
  const messages = [inbox('http'), inbox('https')];
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map((text) => Buffer.from(text))), fc.option(fc.string(), { nil: undefined }), (body, authorization) => {
      for (const one of messages) expect(one.read(Buffer.from(body), authorization).kind).toBe('refused');
    }),
  );
});

test('whatever comes with the token is read or left out, and nothing throws', () => {
  const part = fc.record({ type: fc.constantFrom('NOTIFICATION', 'HELLO', 'x'), time: fc.oneof(fc.constant(new Date(NOW).toISOString()), fc.jsonValue()), notifications: fc.jsonValue(), notification: fc.jsonValue() }, { requiredKeys: [] });
  fc.assert(
    fc.property(part, (content) => {
      for (const scheme of ['http', 'https'] as const) expect(inbox(scheme).read(...sent(scheme, content)).kind).not.toBe('refused');
    }),
  );
});
