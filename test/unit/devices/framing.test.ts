import { describe, expect, it } from 'vitest';
import { inSizes, oneByteChunks, randomChunks } from '../../devices/chunker';
import { eventBody, frame, frameAll, FRAMING_STYLES, HEARTBEAT, type FramingStyle } from '../../devices/dahua/framing';
import { JsonLiteral, styledJson } from '../../devices/dahua/styled-json';
import { seededRandom } from '../../devices/seeded-random';

const motion = eventBody({ code: 'VideoMotion', action: 'Start', index: 0, data: { Id: [0], RegionName: ['Region1'], SmartMotionEnable: true } });
const bare = eventBody({ code: 'VideoMotion', action: 'Start', index: 0 });
const text = (body: Buffer, style: FramingStyle): string => frame(body, style).toString('latin1');

describe('JSON as the devices print it', () => {
  it('indents by three, keeps short lists on a line, sorts by byte, escapes slashes', () => {
    const value = { object: [{ VehicleID: 2, Rect: [1, 2] }], Path: '/a', Track: null, Empty: [], PTS: new JsonLiteral('5.0') };
    expect(styledJson(value)).toBe(
      '{\n   "Empty" : [],\n   "PTS" : 5.0,\n   "Path" : "\\/a",\n   "Track" : null,\n' +
        '   "object" : [\n      {\n         "Rect" : [ 1, 2 ],\n         "VehicleID" : 2\n      }\n   ]\n}',
    );
  });
});

describe('event lines', () => {
  it('leaves out what is not there', () => {
    expect(eventBody({ code: 'DoorBell', action: 'Start' }).toString()).toBe('Code=DoorBell;action=Start');
  });

  it('passes raw data through', () => {
    const data = Buffer.from([0x7b, 0xb6, 0xab]);
    expect(eventBody({ code: 'A', action: 'Pulse', index: 1, data }).subarray(-3)).toEqual(data);
  });
});

describe('modern framing (facts A2)', () => {
  it('counts LF newlines and the one after the last brace', () => {
    expect(text(motion, 'modern')).toBe(
      '--myboundary\r\nContent-Type: text/plain\r\nContent-Length:127\r\n\r\n' +
        'Code=VideoMotion;action=Start;index=0;data={\n   "Id" : [ 0 ],\n   "RegionName" : [ "Region1" ],\n   "SmartMotionEnable" : true\n}\n\r\n\r\n',
    );
  });

  it.each([
    [41, { code: 'VideoMotionInfo', action: 'State', index: 0 }],
    [37, { code: 'VideoMotion', action: 'Start', index: 0 }],
    [36, { code: 'VideoMotion', action: 'Stop', index: 0 }],
    [79, { code: 'VideoMotion', action: 'Start', index: 0, data: { RegionName: ['Region1'] } }],
    [78, { code: 'VideoMotion', action: 'Stop', index: 0, data: { RegionName: ['Region1'] } }],
  ])('has the length %i that was captured', (length, event) => {
    expect(text(eventBody(event), 'modern')).toContain(`Content-Length:${length}\r\n\r\nCode=`);
  });

  it('puts a heartbeat after one extra CRLF and before a single one', () => {
    expect(text(HEARTBEAT, 'modern')).toBe('\r\n--myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\n\r\nHeartbeat\r\n');
  });
});

describe('the other framings', () => {
  const heads: Record<Exclude<FramingStyle, 'modern'>, [event: string, heartbeat: string]> = {
    'modern-spaced': ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length: 37\r\n\r\nCode=', 'Content-Length: 9\r\n\r\nHeartbeat\r\n'],
    'crlf-json': ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length: 37\r\n\r\nCode=', 'Content-Length: 9\r\n\r\nHeartbeat\r\n'],
    noblank: ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length:37\r\nCode=', 'Content-Length:9\r\nHeartbeat\r\n\r\n'],
    'spaced-boundary': ['-- myboundary\r\nContent-Type: text/plain\r\nContent-Length:37\r\nCode=', '-- myboundary\r\nContent-Type: text/plain\r\nContent-Length:9\r\nHeartbeat\r\n\r\n'],
    mixed: ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length: 37\r\n\r\nCode=', 'Content-Length:9\r\nHeartbeat\r\n'],
    'no-length': ['--myboundary\r\nContent-Type: text/plain\r\n\r\nCode=', 'Content-Type: text/plain\r\n\r\nHeartbeat\r\n'],
    'length-too-long': ['Content-Length: 77\r\n\r\nCode=', 'Content-Length: 9\r\n\r\nHeartbeat\r\n'],
    'length-too-short': ['Content-Length: 32\r\n\r\nCode=', 'Content-Length: 9\r\n\r\nHeartbeat\r\n'],
    'vendor-doc': ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length: 39\r\nCode=', 'Content-Length: 9\r\nHeartbeat\r\n\r\n'],
    'stray-status-line': ['HTTP/1.1 200 OK\r\n--myboundary\r\n', '\r\n--myboundary\r\n'],
    'several-per-part': ['--myboundary\r\nContent-Type: text/plain\r\nContent-Length:37\r\n\r\nCode=', 'Content-Length:9\r\n\r\nHeartbeat\r\n'],
    unframed: ['Code=VideoMotion;action=Start;index=0\r\n', 'Heartbeat\r\n'],
    'no-crlf-after': ['Content-Length:37\r\n\r\nCode=VideoMotion;action=Start;index=0', 'Content-Length:9\r\n\r\nHeartbeat'],
  };
  it.each(Object.entries(heads))('%s', (style, [event, heartbeat]) => {
    expect(text(bare, style as FramingStyle)).toContain(event);
    expect(text(HEARTBEAT, style as FramingStyle)).toContain(heartbeat);
  });

  it('counts CRLF inside the JSON, without the one after the part (facts A2: 129)', () => {
    const amcrest = eventBody({ code: 'VideoMotion', action: 'Start', index: 0, data: { Id: [0], RegionName: ['Area1'], SmartMotionEnable: false } });
    const part = text(amcrest, 'crlf-json');
    expect(part).toContain('Content-Length: 129\r\n\r\nCode=');
    expect(part).toMatch(/data=\{\r\n {3}"Id" : \[ 0 \],\r\n[^\n]*\r\n[^\n]*\r\n\}\r\n$/);
  });

  it('ends right after the body where nothing separates parts', () => {
    expect(text(motion, 'no-crlf-after').endsWith('}\n')).toBe(true);
    expect(text(HEARTBEAT, 'no-crlf-after').startsWith('--myboundary')).toBe(true);
  });

  it('joins several lines in one part in that style alone', () => {
    const count = (style: FramingStyle): number => frameAll([motion, bare], style).toString().split('--myboundary').length - 1;
    expect([count('several-per-part'), count('modern')]).toEqual([1, 2]);
    const length = Number(/Content-Length:(\d+)/.exec(frameAll([bare, bare], 'several-per-part').toString())?.[1]);
    expect(length).toBe(37 + 2 + 37);
  });

  it('takes another boundary in all of them', () => {
    for (const style of FRAMING_STYLES) expect(frame(bare, style, 'other').toString()).not.toContain('myboundary');
  });
});

describe('chunkers', () => {
  const bytes = Buffer.from('0123456789'.repeat(30));
  it.each([
    ['one byte at a time', oneByteChunks],
    ['random', randomChunks(seededRandom(1), 7)],
    ['sizes', (all: Buffer) => inSizes(all, [3, 1, 50])],
  ])('%s loses nothing', (_name, chunker) => {
    const pieces = chunker(bytes);
    expect(Buffer.concat(pieces)).toEqual(bytes);
    expect(pieces.length).toBeGreaterThan(5);
  });

  it('cuts alike for the same seed', () => {
    const sizes = (seed: number): number[] => randomChunks(seededRandom(seed))(bytes).map((piece) => piece.length);
    expect(sizes(5)).toEqual(sizes(5));
    expect(sizes(5)).not.toEqual(sizes(6));
  });
});
