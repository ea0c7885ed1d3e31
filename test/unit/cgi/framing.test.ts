import { describe, expect, it } from 'vitest';
import { decoder } from '../../../nodes/cgi/charset';
import { eventFormat } from '../../../nodes/cgi/event-line';
import { MultipartReader } from '../../../nodes/cgi/multipart-reader';
import { deviceJson, heartbeat, line, part } from './support/parts';
import { byteByByte, cut, read, type ReadOptions, type Reading } from './support/stream-reading';

const bytesOf = (...pieces: (string | Buffer)[]): Buffer => Buffer.concat(pieces.map((piece) => Buffer.from(piece)));

/** The reading of a stream, after seeing that chunks make no difference. */
function readAnyhow(bytes: Buffer, options: ReadOptions = {}): Reading {
  const whole = read([bytes], options);
  expect(read(byteByByte(bytes), options).reports).toEqual(whole.reports);
  expect(read(cut(bytes, [13, 1, 90]), options).reports).toEqual(whole.reports);
  return whole;
}

const kinds = (reading: Reading): string[] =>
  reading.events.map(({ code, action, index }) => `${code} ${action} ${index}`);

/** Whether the last byte of the stream delivers an event: what comes later is not needed to know that it is whole. */
function endsPromptly(bytes: Buffer, options: ReadOptions = {}): boolean {
  const reading = readAnyhow(bytes, { ...options, end: false });
  expect(read(byteByByte(bytes), { ...options, end: false }).deliveredAt.at(-1)).toBe(reading.events.length > 0 ? bytes.length : undefined);
  return reading.events.length > 0;
}

const REGION = { Id: [0], RegionName: ['Entrada'], SmartMotionEnable: true };
const withData = line('VideoMotion', 'Start', 0, REGION);
const bare = line('VideoMotion', 'Stop', 0);
const next = part(line('AlarmLocal', 'Start', 3));
const NEXT = 'AlarmLocal Start 3';

describe('framing of devices (facts A2)', () => {
  it.each([
    ['without a blank after the colon', { lengthHeader: 'Content-Length:' }],
    ['with one', { lengthHeader: 'Content-Length: ' }],
    ['with more blanks', { lengthHeader: 'Content-Length \t:   ' }],
    ['in other case', { lengthHeader: 'CONTENT-length:' }],
    ['without a blank line after it', { blank: '' }],
    ['with blank lines between the headers', { lengthHeader: '\r\nContent-Length:' }],
    ['with a blank in the boundary', { boundary: '-- myboundary' }],
    ['with more dashes in the boundary', { boundary: '----myboundary' }],
    ['with a closing boundary', { boundary: '--myboundary--' }],
    ['without a content type', { type: null }],
    ['with a type in other case', { type: 'TEXT/Plain; charset="x"' }],
    ['with LF after the part only', { after: '\n' }],
    ['with nothing between the parts', { after: '' }],
    ['with blank lines before the part', { before: '\r\n\n\r\n' }],
  ])('a length %s', (_, framing) => {
    const reading = readAnyhow(bytesOf(part(withData, framing), heartbeat(framing), part(bare, framing), next));
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', 'VideoMotion Stop 0', NEXT]);
    expect(reading.events[0]?.data).toEqual(REGION);
    expect(endsPromptly(part(bare, { ...framing, after: '' }))).toBe(true);
  });

  it('CRLF inside the JSON, not counted after the last bracket', () => {
    const body = `Code=VideoMotion;action=Start;index=0;data=${deviceJson(REGION, '\r\n')}`;
    const reading = readAnyhow(bytesOf(part(body, { after: '\r\n' }), next));
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', NEXT]);
    expect(reading.events[0]?.data).toEqual(REGION);
  });

  it('heartbeats without a blank line on a stream whose events have one', () => {
    const reading = readAnyhow(
      bytesOf(heartbeat({ blank: '' }), part(withData), heartbeat({ blank: '' }), part(bare), heartbeat({ blank: '' }), next),
    );
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', 'VideoMotion Stop 0', NEXT]);
  });

  it.each(['Heartbeat', 'heartbeat', 'HEARTBEAT\r\n'])('the heartbeat %j is no event and not malformed', (body) => {
    expect(readAnyhow(bytesOf(part(body), part(body, { length: null }), part(body, { length: 4 }))).reports).toEqual([]);
  });

  it('no length: bare lines and data', () => {
    const reading = readAnyhow(
      bytesOf(part(bare, { length: null }), part(withData, { length: null, blank: '' }), part(withData, { length: null, type: null })),
    );
    expect(kinds(reading)).toEqual(['VideoMotion Stop 0', 'VideoMotion Start 0', 'VideoMotion Start 0']);
    expect(reading.events[2]?.data).toEqual(REGION);
  });

  it.each(['abc', '-5', '', '1e3', '99999999999999', '0x10'])('a length that is no number of bytes: %j', (length) => {
    const broken = part(withData, { length: null, lengthHeader: '', type: `text/plain\r\nContent-Length: ${length}` });
    expect(kinds(readAnyhow(bytesOf(broken, next)))).toEqual(['VideoMotion Start 0', NEXT]);
  });

  it('any wrong length leaves the events of data as they are', () => {
    for (let length = 0; length < withData.length + next.length + 40; length++) {
      const reading = readAnyhow(bytesOf(part(withData, { length }), next, part(withData)));
      // A cut behind the action or the index leaves a line that is whole by itself.
      const cutLine = length === withData.indexOf(';index') || length === withData.indexOf(';data');
      if (cutLine) continue;
      expect(kinds(reading), `length ${length}`).toEqual(['VideoMotion Start 0', NEXT, 'VideoMotion Start 0']);
      expect(reading.events[0]?.data, `length ${length}`).toEqual(REGION);
    }
  });

  it('a wrong length leaves a bare line as it is, wherever the cut shows', () => {
    const long = line('CrossLineDetection', 'Start', 12);
    for (let length = 0; length < long.length + next.length + 40; length++) {
      const reading = readAnyhow(bytesOf(part(long, { length }), next, part(withData)));
      // A cut behind the whole action or inside the index leaves a line that is whole by itself.
      const first =
        length === long.indexOf(';index')
          ? 'CrossLineDetection Start undefined'
          : `CrossLineDetection Start ${length === long.length - 1 ? 1 : 12}`;
      expect(kinds(reading), `length ${length}`).toEqual([first, NEXT, 'VideoMotion Start 0']);
    }
  });

  it('an event whose length is too large waits for the next boundary and no longer', () => {
    const boundary = '--myboundary\r\n';
    expect(endsPromptly(bytesOf(part(bare, { length: 500 }), boundary))).toBe(true);
    expect(endsPromptly(bytesOf(part(withData, { length: 500 }), boundary))).toBe(true);
    expect(endsPromptly(bytesOf(part('', { length: 500, after: '' }), part(bare, { after: '' })))).toBe(true);
    expect(read(byteByByte(part(bare, { length: 500 })), { end: false }).events).toEqual([]);
  });

  it('an event that is never closed ends where another begins', () => {
    const open = 'Code=CrossLineDetection;action=Start;index=0;data={ "Name" : [ "a",\n';
    const reading = readAnyhow(bytesOf(part(`${open}${withData}`, { length: null }), part(`${open}code = B;action=Stop;index=1\n`), next));
    expect(kinds(reading)).toEqual([
      'CrossLineDetection Start 0',
      'VideoMotion Start 0',
      'CrossLineDetection Start 0',
      'B Stop 1',
      NEXT,
    ]);
    expect(reading.events[0]).toMatchObject({ data: undefined, raw: '{ "Name" : [ "a",' });
  });

  it('a stray HTTP status line and headers, before a boundary, after it and before the text', () => {
    const status = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n';
    const inHead = bytesOf('--myboundary\r\nHTTP/1.1 200 OK\r\nContent-Length:', String(bare.length), '\r\n\r\n', bare, '\r\n');
    const reading = readAnyhow(bytesOf(status, part(withData), status, inHead, status, next));
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', 'VideoMotion Stop 0', NEXT]);
    expect(endsPromptly(inHead.subarray(0, -2))).toBe(true);
  });

  it('several events in one part, with and without data, with and without length', () => {
    const body = `${bare}\r\n${withData}\n${bare}\n\r\n${withData}${line('Last', 'Pulse', 9)}\r\n`;
    for (const length of [undefined, null, 5, body.length + 20] as const) {
      const framing = length === undefined ? {} : { length };
      const reading = readAnyhow(bytesOf(part(body, framing), next));
      expect(kinds(reading)).toEqual([
        'VideoMotion Stop 0',
        'VideoMotion Start 0',
        'VideoMotion Stop 0',
        'VideoMotion Start 0',
        'Last Pulse 9',
        NEXT,
      ]);
    }
  });

  it.each([
    ['quoted', '"myboundary"', '--myboundary'],
    ['with its dashes', '--myboundary', '--myboundary'],
    ['named otherwise', 'frontier', '--frontier'],
    ['named otherwise than sent', 'frontier', '--myboundary'],
    ['that is the beginning of the one sent', 'my', '--myboundary'],
    ['that the one sent is the beginning of', 'myboundary2', '--myboundary'],
    ['not named', '', '--myboundary'],
    ['longer than any', 'b'.repeat(600), `--${'b'.repeat(600)}`],
  ])('a boundary %s', (_, declared, sent) => {
    const framing = { boundary: sent };
    const reading = readAnyhow(bytesOf(part(bare, framing), heartbeat(framing), part('Code=Last;action=Start;index=1', framing)), {
      boundary: declared,
    });
    expect(kinds(reading)).toEqual(['VideoMotion Stop 0', 'Last Start 1']);
    // Its length is known only if the boundary is.
    expect(endsPromptly(part(bare, { ...framing, after: '' }), { boundary: declared })).toBe(true);
  });

  it('a boundary that nobody declared: events still open by themselves', () => {
    const framing = { boundary: '--whatever' };
    const reading = readAnyhow(bytesOf(part(withData, framing), heartbeat(framing), part(bare, framing)));
    expect(kinds(reading)).toEqual(['VideoMotion Start 0', 'VideoMotion Stop 0']);
  });

  it('the boundary text inside of a line is text', () => {
    const body = line('CrossRegionDetection', 'Start', 0, { Name: '--myboundary', Rule: 'a\n--myboundary\n' });
    const reading = readAnyhow(bytesOf(part(body), part(body, { length: null }), next));
    expect(reading.events.map(({ data }) => data?.Rule)).toEqual(['a\n--myboundary\n', 'a\n--myboundary\n', undefined]);
  });

  it('a line inside a head cannot reach over a boundary', () => {
    const odd = 'Code=\n--myboundary\n;action=Start;index=0';
    for (const length of [odd.length, null]) expect(kinds(readAnyhow(bytesOf(part(odd, { length }), next)))).toEqual([NEXT]);
  });

  it('an image is cut by its length alone, whatever it contains', () => {
    const image = bytesOf(Buffer.of(0xff, 0xd8), '\r\n--myboundary\r\nContent-Length:5\r\n\r\nCode=No;action=Start;index=0\r\n', Buffer.of(0xff, 0xd9));
    const reading = readAnyhow(bytesOf(part(bare), part(image, { type: 'image/jpeg' }), next));
    expect(kinds(reading)).toEqual(['VideoMotion Stop 0', NEXT]);
    expect(reading.images.map(({ body }) => body.equals(image))).toEqual([true]);
    expect(reading.images[0]?.head).toEqual({ contentType: 'image/jpeg', contentLength: image.length });
  });

  it("an image is the receiver's own: later bytes leave it alone", () => {
    const image = Buffer.from('first image');
    const stream = bytesOf(part(image, { type: 'image/jpeg' }), part('other image', { type: 'image/jpeg' }));
    const reading = read(cut(stream, [40]));
    stream.fill(0);
    expect(reading.images.map(({ body }) => body.toString())).toEqual(['first image', 'other image']);
  });

  it('an image without length or above its limit is reported and skipped', () => {
    const limits = { text: 1024, binary: 64 };
    const image = Buffer.alloc(80, 0xd8);
    for (const length of [null, image.length]) {
      const reading = readAnyhow(bytesOf(part(image, { type: 'image/jpeg', length }), next), { limits });
      expect(reading.reports.map(({ kind }) => kind)).toEqual(['tooLarge', 'event']);
    }
  });

  it('text above the limit: what fits is kept as raw, the rest is skipped, the next part is whole', () => {
    const limits = { text: 300, binary: 300 };
    const large = line('CrossRegionDetection', 'Start', 4, { Names: Array<string>(40).fill('Salida de mercancías') });
    for (const length of [undefined, null, 120] as const) {
      const framing = length === undefined ? {} : { length };
      const reading = readAnyhow(bytesOf(part(large, framing), next, part(withData)), { limits });
      expect(reading.reports.map(({ kind }) => kind)).toEqual(['tooLarge', 'event', 'event', 'event']);
      const [first] = reading.events;
      expect(first).toMatchObject({ code: 'CrossRegionDetection', action: 'Start', index: 4, data: undefined });
      expect(Buffer.from(first?.raw ?? '').length).toBeGreaterThan(240);
      expect(reading.mostHeld).toBeLessThanOrEqual(bytesOf(part(large, framing), next, part(withData)).length);
    }
  });

  it('a boundary that begins just before or at the limit is seen', () => {
    const limits = { text: 300, binary: 300 };
    for (let size = 230; size < 310; size++) {
      const body = `Code=Long;action=Start;index=0;data={ "a" : "${'x'.repeat(size)}\n`;
      const reading = readAnyhow(bytesOf(part(body, { length: null, after: '' }), part(withData)), { limits });
      expect(kinds(reading), `size ${size}`).toEqual(['Long Start 0', 'VideoMotion Start 0']);
    }
  });

  it('a header line without end is no header, however it comes', () => {
    for (const size of [100, 8000, 8192, 8193, 9000, 20000]) {
      const head = bytesOf('--myboundary\r\nX-Name: ', 'x'.repeat(size), `\r\nContent-Length: ${bare.length}\r\n\r\n`);
      expect(kinds(readAnyhow(bytesOf(head, bare, '\r\n', next)))).toEqual(['VideoMotion Stop 0', NEXT]);
      expect(endsPromptly(bytesOf(head, bare))).toBe(size < 8192 - 'X-Name: \r'.length);
    }
  });

  it('padding without end around a boundary is no boundary, however it comes', () => {
    for (const size of [10, 64, 65, 600]) {
      const blanks = ' '.repeat(size);
      const dashes = '-'.repeat(size);
      for (const boundary of [`--${blanks}myboundary`, `--myboundary${blanks}`, `${dashes}myboundary`, `--myboundary${dashes}`]) {
        expect(kinds(readAnyhow(bytesOf(part(bare, { boundary }), next)))).toEqual(['VideoMotion Stop 0', NEXT]);
      }
    }
  });

  it('the end of the stream hands over what is there and leaves the reader ready', () => {
    const unfinished = `Code=CrossLineDetection;action=Start;index=1;data={ "a" : [ 1,`;
    for (const length of [null, 500]) {
      const reading = readAnyhow(part(unfinished, { length, after: '' }));
      expect(reading.events).toMatchObject([{ code: 'CrossLineDetection', data: undefined, raw: '{ "a" : [ 1,' }]);
    }
    // What may have become a boundary, or another event, is none of its text.
    for (const begun of ['--', '--mybound', '--myboundary\r', 'Cod']) {
      expect(readAnyhow(bytesOf(`${unfinished}\n${begun}`)).events).toMatchObject([{ raw: '{ "a" : [ 1,' }]);
    }
    expect(readAnyhow(part(bare, { length: null, after: '' })).events).toHaveLength(1);
    expect(readAnyhow(bytesOf('Code=CrossLineDe')).reports).toEqual([{ kind: 'malformed' }]);
    expect(read([Buffer.from('Code=A;act')], { end: false }).reports).toEqual([]);
  });

  it('a receiver that throws loses one item and no more', () => {
    const image = part('picture', { type: 'image/jpeg' });
    const seen = throwingReader(bytesOf(part(bare), image, part(withData), next));
    expect(seen).toEqual(['VideoMotion', 'image', 'VideoMotion', 'AlarmLocal']);
  });
});

function throwingReader(bytes: Buffer): string[] {
  const seen: string[] = [];
  const take = (what: string): void => {
    seen.push(what);
    throw new Error('receiver');
  };
  const reader = new MultipartReader('myboundary', eventFormat(decoder('auto')), {
    item: ({ code }) => take(code),
    binary: () => take('image'),
  });
  let failures = 0;
  for (let chunk = bytes; ; chunk = Buffer.alloc(0)) {
    try {
      reader.push(chunk);
      break;
    } catch {
      if (++failures > 20) throw new Error('the reader hands over the same again and again');
    }
  }
  return seen;
}
