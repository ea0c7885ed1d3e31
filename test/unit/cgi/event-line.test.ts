import { describe, expect, it } from 'vitest';
import { decoder, type Charset } from '../../../nodes/cgi/charset';
import { eventFormat, type EventLine } from '../../../nodes/cgi/event-line';
import { part } from './support/parts';
import { byteByByte, read } from './support/stream-reading';

/** The one event of this text, read as a part with a length and again as one without. */
function event(text: string | Buffer, charset: Charset = 'auto'): EventLine | undefined {
  const known = read([part(text)], { charset });
  const unknown = read(byteByByte(part(text, { length: null })), { charset });
  expect(unknown.events.map(({ code, action, index, data, raw }) => ({ code, action, index, data, raw }))).toEqual(
    known.events.map(({ code, action, index, data, raw }) => ({ code, action, index, data, raw })),
  );
  expect(known.events.length).toBeLessThanOrEqual(1);
  return known.events[0];
}

describe('an event line (facts A3)', () => {
  it('has code, action, index and data', () => {
    const line = event('Code=CrossLineDetection;action=Start;index=7;data={ "Name" : "Puerta", "ID" : [ 1 ] }');
    expect(line).toEqual({
      code: 'CrossLineDetection',
      action: 'Start',
      index: 7,
      data: { Name: 'Puerta', ID: [1] },
      raw: undefined,
      text: '{ "Name" : "Puerta", "ID" : [ 1 ] }',
    });
  });

  it('without data has no text either', () => {
    expect(event('Code=VideoMotionInfo;action=State;index=0')).toEqual({
      code: 'VideoMotionInfo',
      action: 'State',
      index: 0,
      data: undefined,
      raw: undefined,
      text: '',
    });
  });

  it.each([
    ['blanks after the semicolons', 'Code=VideoMotion; action=Start; index=0; data={ "a" : 1 }'],
    ['blanks around everything', 'Code = VideoMotion ; action = Start ; index = 0 ; data = { "a" : 1 }'],
    ['tabs', 'Code=VideoMotion;\taction=\tStart;\tindex=0\t;\tdata=\t{ "a" : 1 }'],
    ['more blanks than a line has letters', `Code=VideoMotion;action=Start;index=0;${' '.repeat(40)}data=${' '.repeat(40)}{ "a" : 1 }`],
    ['a line end before the data', 'Code=VideoMotion;action=Start;index=0;data=\r\n{ "a" : 1 }'],
  ])('takes %s', (_, text) => {
    expect(event(text)).toMatchObject({ code: 'VideoMotion', action: 'Start', index: 0, data: { a: 1 } });
  });

  it('takes upper and lower case and keeps the words as sent', () => {
    expect(event('code=HumanTrait;Action=START;Index=0;DATA={ "a" : 1 }')).toMatchObject({
      code: 'HumanTrait',
      action: 'START',
      index: 0,
      data: { a: 1 },
    });
  });

  it('may have no index, as a doorbell', () => {
    expect(event('Code=DoorBell;action=Start')).toMatchObject({ code: 'DoorBell', action: 'Start', index: undefined });
    expect(event('Code=DoorBell;action=Start;data={ "a" : 1 }')).toMatchObject({ index: undefined, data: { a: 1 } });
  });

  it('knows the call of an intercom', () => {
    const text = 'Code=_DoTalkAction_;action=Invite;index=0;data={ "Action" : "Invite", "CallID" : "3" }';
    expect(event(text)).toMatchObject({ code: '_DoTalkAction_', action: 'Invite', data: { CallID: '3' } });
    expect(event('Code=_DoTalkAction_;action=Hangup')).toMatchObject({ action: 'Hangup' });
  });

  it.each([
    ['an index below zero', 'Code=A;action=Start;index=-1', { index: -1 }],
    ['an index that is none', 'Code=A;action=Start;index=none;data={}', { index: undefined, data: {} }],
    ['fields between index and data', 'Code=A;action=Start;index=2;source=x=y;time=1;data={ "a" : 1 }', { index: 2, data: { a: 1 } }],
    ['fields between action and index', 'Code=A;action=Start;name=Puerta 1;index=2;data={ "a" : 1 }', { index: 2, data: { a: 1 } }],
    ['fields and no data', 'Code=A;action=Start;index=2;source=x', { index: 2, data: undefined, raw: undefined }],
    ['an equals sign in a field', 'Code=A=B;action=Start;index=2', { code: 'A=B', index: 2 }],
  ])('%s', (_, text, expected) => {
    expect(event(text)).toMatchObject(expected);
  });

  it.each([
    ['semicolons and equals signs', 'Zona; salida=2; data=x', '"Zona; salida=2; data=x"'],
    ['base64', 'YWJj==;index=9', '"YWJj==;index=9"'],
    ['brackets and quotes', 'a } ] "b" {', '"a } ] \\"b\\" {"'],
    ['escaped slashes', '/var/tmp/a.jpg', '"\\/var\\/tmp\\/a.jpg"'],
    ['a backslash at the end', 'C:\\', '"C:\\\\"'],
    ['a line end, escaped', 'a\nCode=B;action=Stop;index=1', '"a\\nCode=B;action=Stop;index=1"'],
  ])('a rule name with %s stays whole', (_, name, written) => {
    expect(event(`Code=CrossLineDetection;action=Start;index=0;data={ "Name" : ${written}, "b" : {} }`)).toMatchObject({
      index: 0,
      data: { Name: name, b: {} },
    });
  });

  it('keeps floats, null and misspelt keys as they come', () => {
    const text =
      'Code=FaceDetection;action=Pulse;index=0;data={ "UTC" : 1548929098.0, "PTS" : 42951682690.0, "Track" : null, "HumamID" : 3 }';
    expect(event(text)?.data).toEqual({ UTC: 1548929098, PTS: 42951682690, Track: null, HumamID: 3 });
  });

  it('puts JSON that is no object under data', () => {
    expect(event('Code=A;action=Start;index=0;data=[ 1, { "b" : 2 } ]')?.data).toEqual({ data: [1, { b: 2 }] });
  });

  it.each([
    ['truncated', '{ "Name" : "Puerta", "Object" : { "Obj'],
    ['no JSON', 'Puerta 1 abierta'],
    ['JSON with something after it', '{ "a" : 1 } ;state=2'],
    ['single quotes', "{ 'a' : 1 }"],
    ['a missing comma', '{ "a" : 1 "b" : 2 }'],
  ])('keeps data that are %s as raw text', (_, data) => {
    const text = `Code=CrossLineDetection;action=Start;index=5;data=${data}`;
    const { events, malformed } = read([Buffer.concat([part(text), part('Code=B;action=Stop;index=1')])]);
    expect(events[0]).toMatchObject({ code: 'CrossLineDetection', action: 'Start', index: 5 });
    expect(malformed).toBe(0);
    expect(events.at(-1)).toMatchObject({ code: 'B', index: 1 });
    if (events[0]?.data === undefined) expect(events[0]).toMatchObject({ raw: data });
    else expect(events[0].data).toEqual({ a: 1 });
  });

  it('empty data are none', () => {
    const { events } = read(byteByByte(part('Code=A;action=Start;index=0;data=\r\n', { after: '\r\n\r\n' })));
    expect(events).toEqual([{ code: 'A', action: 'Start', index: 0, data: undefined, raw: undefined, text: '' }]);
  });

  it('empty data and data that are no JSON end at a blank line, if nothing else ends them', () => {
    for (const data of ['', ' ', 'Puerta', '{ a : 1 }', '{ "a" : 1 } x']) {
      const stream = Buffer.from(`Code=A;action=Start;index=0;data=${data}\r\n\r\nHeartbeat\r\n`);
      const { events, deliveredAt } = read(byteByByte(stream), { end: false });
      expect(events).toMatchObject([{ code: 'A', index: 0 }]);
      expect(deliveredAt[0]).toBeLessThanOrEqual(stream.length - 'Heartbeat\r\n'.length);
    }
  });

  it.each(['Code=;action=Start;index=0', 'Code=A', 'Code=A;index=0', 'Code= ;action=Start', 'Code=A;action=;index=0', 'Code=A;data={}'])(
    'counts %j as malformed',
    (text) => {
      expect(read([part(text)]).reports).toEqual([{ kind: 'malformed' }]);
    },
  );

  it.each(['Code', 'Codec=H264', 'CodeX=1', 'xCode=A;action=Start;index=0', ' Code=A;action=Start;index=0', 'Code  ;=A'])(
    '%j opens no event and is not malformed',
    (text) => {
      expect(read([part(text)]).reports).toEqual([]);
    },
  );
});

describe('charset', () => {
  const text = (name: Buffer): Buffer =>
    Buffer.concat([Buffer.from('Code=A;action=Start;index=0;data={ "Name" : "'), name, Buffer.from('", "b" : [ 1 ] }')]);
  const nameIn = (charset: Charset, ...bytes: number[]): unknown => event(text(Buffer.from(bytes)), charset)?.data?.Name;

  it('auto: UTF-8 where the bytes are UTF-8', () => {
    expect(event(text(Buffer.from('Cámara 入口 กข 😀')))?.data?.Name).toBe('Cámara 入口 กข 😀');
  });

  it('auto: latin names of old firmware, with the signs that windows-1252 adds', () => {
    expect(nameIn('auto', 0x43, 0xe2, 0x6d, 0x61, 0x72, 0x61)).toBe('Câmara');
    expect(nameIn('auto', 0x53, 0x61, 0x6c, 0xf3, 0x6e, 0x20, 0x96, 0x20, 0xd1)).toBe('Salón – Ñ');
  });

  it('GB18030 by choice only', () => {
    const bytes = [0xc8, 0xeb, 0xbf, 0xda];
    expect(nameIn('gb18030', ...bytes)).toBe('入口');
    expect(nameIn('auto', ...bytes)).toBe('Èë¿Ú');
  });

  it('a character whose second byte is a backslash does not hide the end of the data', () => {
    expect(nameIn('big5', 0xa5, 0x5c)).toBe('功');
    expect(nameIn('gb18030', 0x81, 0x5c, 0x81, 0x7d)).toBe('乗亇');
    const stream = part(text(Buffer.of(0xa5, 0x5c)), { length: null });
    const whole = read(byteByByte(stream), { charset: 'big5' });
    expect(whole.deliveredAt).toEqual([stream.length - '\r\n\r\n'.length]);
  });

  it('windows-1251 and utf-8 by choice', () => {
    expect(nameIn('windows-1251', 0xc2, 0xf5, 0xee, 0xe4)).toBe('Вход');
    expect(nameIn('utf-8', 0xe2, 0x6d)).toBe('\ufffdm');
  });

  it('a character split between chunks is one character', () => {
    const bytes = part(text(Buffer.from('ñ入😀')));
    for (let at = 1; at < bytes.length; at++) {
      const { events } = read([bytes.subarray(0, at), bytes.subarray(at)]);
      expect(events[0]?.data?.Name).toBe('ñ入😀');
    }
  });
});

describe('the format on its own', () => {
  const format = eventFormat(decoder('auto'));
  const opens = (text: string): number => format.opens(Buffer.from(text), 0, Buffer.byteLength(text));

  it('says that an event opens as soon as that is sure', () => {
    expect(['', 'C', 'cod', 'Code', 'Code  '].map(opens)).toEqual([-1, -1, -1, -1, -1]);
    expect(['Code=', 'CODE  ='].map(opens)).toEqual([1, 1]);
    expect(['Cox', 'Code;', 'Codes', 'H', '--', `Code${' '.repeat(20)}`].map(opens)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('tells a whole body from a heartbeat and from a cut one', () => {
    const whole = (text: string): unknown => format.whole(Buffer.from(text));
    expect(whole('Heartbeat')).toBeNull();
    expect(whole('')).toBeNull();
    expect(whole('\r\n')).toBeNull();
    expect(whole('Code=A;action=Start;index=0\r\n')).toMatchObject({ code: 'A' });
    for (const cut of [
      'Heart',
      'Code=A;action=Sta',
      'Code=A;action=Start;',
      'Code=A;action=Start;ind',
      'Code=A;action=Start;index',
      'Code=A;action=Start;index=',
      'Code=A;action=Start;index=-',
      'Code=A;action=Start;index=0;',
      'Code=A;action=Start;index=0;dat',
      'Code=A;action=Start;index=0;data',
      'Code=A;action=Start;index=0;data=',
      'Code=A;action=Start;index=0;data=\n',
      'Code=A;action=Start;index=0;data={',
      'Code=A;action=Start;index=0\n--myboundary',
    ]) {
      expect(whole(cut), cut).toBeUndefined();
    }
  });
});
