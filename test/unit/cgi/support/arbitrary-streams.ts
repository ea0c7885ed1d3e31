import fc from 'fast-check';
import { deviceJson, heartbeat, part, type Framing } from './parts';

/** How often a property is tried: few for every day, many when the parser changes (`PROPERTY_RUNS=100000`). */
export const RUNS = Number(process.env.PROPERTY_RUNS ?? 250);

const name = fc.oneof(
  fc.constantFrom('Entrada', 'Salida; planta=2', 'YWJj==', '--myboundary', 'a } ] "b', 'Cámara 入口', '\\', 'a\n--myboundary\n'),
  fc.string({ maxLength: 12, unit: 'grapheme' }),
);
const data = fc.dictionary(
  fc.constantFrom('Name', 'Object', 'UTC', 'RegionName', 'Track'),
  fc.oneof(name, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null), fc.array(name, { maxLength: 3 })),
  { maxKeys: 4 },
);

export interface ComposedEvent {
  code: string;
  action: string;
  index: number | undefined;
  data: Record<string, unknown> | undefined;
  /** As sent, without line end. */
  text: string;
}

/** Events whose text is whole JSON and whose index is there, so that nothing about them is ambiguous. */
export const composedEvent: fc.Arbitrary<ComposedEvent> = fc
  .record({
    code: fc.constantFrom('VideoMotion', 'CrossLineDetection', '_DoorFace_', 'AlarmLocal'),
    action: fc.constantFrom('Start', 'Stop', 'Pulse', 'State'),
    index: fc.nat(9),
    data: fc.option(data, { nil: undefined }),
    style: fc.constantFrom('\n', '\r\n', 'one line' as const),
  })
  .map(({ code, action, index, data: some, style }) => {
    const head = `Code=${code};action=${action};index=${index}`;
    const json = some && (style === 'one line' ? JSON.stringify(some) : deviceJson(some, style));
    const parsed = json === undefined ? undefined : (JSON.parse(json) as Record<string, unknown>);
    return { code, action, index, data: parsed, text: json === undefined ? head : `${head};data=${json}` };
  });

const lineEnds = fc.constantFrom('\r\n\r\n', '\r\n', '\n', '\n\n', '\r\n\r\n\r\n');
/** Framings as devices use them, with the right length or none. */
export const soundFraming: fc.Arbitrary<Framing> = fc.record(
  {
    boundary: fc.constantFrom('--myboundary', '-- myboundary', '----myboundary'),
    lengthHeader: fc.constantFrom('Content-Length:', 'Content-Length: ', 'content-length :'),
    blank: fc.constantFrom('', '\r\n', '\n'),
    before: fc.constantFrom('', '\r\n', '\n\r\n'),
    after: lineEnds,
    length: fc.constant(null),
  },
  { requiredKeys: [] },
);

export interface ComposedPart {
  bytes: Buffer;
  /** Undefined for a heartbeat. */
  event: ComposedEvent | undefined;
  /** Offset in `bytes` at which the event must have been delivered. */
  due: number;
}

export const soundPart: fc.Arbitrary<ComposedPart> = fc
  .tuple(fc.option(composedEvent, { nil: undefined, freq: 4 }), soundFraming, fc.constantFrom('', '\n', '\r\n'))
  .map(([event, framing, lastNewline]) => {
    if (!event) return { bytes: heartbeat(framing), event, due: 0 };
    const body = event.text + lastNewline;
    const bytes = part(body, framing);
    const start = bytes.length - Buffer.byteLength(body + (framing.after ?? '\r\n\r\n'));
    const due =
      framing.length !== null
        ? start + Buffer.byteLength(body)
        : event.data
          ? start + Buffer.byteLength(event.text)
          : bytes.indexOf('\n', start) + 1;
    return { bytes, event, due };
  });

const wrongPart = fc
  .tuple(composedEvent, fc.array(composedEvent, { maxLength: 2 }), soundFraming, fc.integer({ min: -60, max: 120 }))
  .map(([event, more, framing, error]) => {
    const body = [event, ...more].map(({ text }) => text).join('\n');
    return part(body, { ...framing, length: Math.max(0, Buffer.byteLength(body) + error) });
  });

const imagePart = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0, 0, -3, 9), soundFraming)
  .map(([bytes, error, framing]) => {
    const image = Buffer.concat([bytes, Buffer.from('\r\n--myboundary\r\nCode=No;action=Start;index=0\r\n')]);
    return part(image, { ...framing, type: 'image/jpeg', length: image.length + error });
  });

/** Pieces at which a reader has to wait, or to change its mind. */
const fragment = fc
  .constantFrom(
    ...['--', '-- ', '--my', '--myboundary', '--myboundary--', '\r\n--myboundary\r\n', '\n-- myboundary\n', '--mybound\n', '-', '----'],
    ...['\r', '\n', '\r\n', '\r\n\r\n', '\n\n', ' ', '\t', ';', '=', ':'],
    ...['Content-', 'content-length', 'Content-Length:', 'Content-Length: 37\r\n', 'Content-Length:5\r\n\r\n', 'Content-Type: image/jpeg\r\n'],
    ...['Content-Length: 99999999\r\n\r\n', 'Content-Type: text/plain\r\n\r\n', 'Content-Length: 300\r\n\r\n', 'Content-Length: 0\r\n\r\n'],
    ...['Heartbeat', 'Heartbeat:', 'Heartbeat: 1\r\n', 'heart', 'HTTP/', 'HTTP/1.1 200 OK\r\n', 'X-Name: x\r\n', 'name'],
    ...['Code', 'Code=', 'code =', 'Code  ', 'Code=A;', 'Code=A;action=Start', ';action=Start;index=0', ';index=', ';data=', '; data ='],
    ...['Code=A;action=Start;index=0;data=', 'Code=A;action=Start;index=0;data={\n', '{', '}', '[', ']', '"', '\\', '\\"', '{ "a" : "'],
    ...['}\n\n', '}\r\n', 'null', '1', '\u00e9', '\ufeff', '\u2028', '\u00a0'],
    ...['x'.repeat(70), ' '.repeat(70), '-'.repeat(70), 'x'.repeat(300), '{"a":['.repeat(60), '\n'.repeat(80)],
  )
  .map((text) => Buffer.from(text));
const garbage = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

/** One to three bytes of a stream replaced, removed or doubled. */
export function corrupt(bytes: Buffer, damage: readonly { at: number; byte: number; how: 'set' | 'drop' | 'add' }[]): Buffer {
  let result = bytes;
  for (const { at, byte, how } of damage) {
    const offset = at % Math.max(1, result.length);
    result = Buffer.concat([
      result.subarray(0, offset),
      how === 'drop' ? Buffer.alloc(0) : Buffer.of(byte),
      result.subarray(how === 'add' ? offset : offset + 1),
    ]);
  }
  return result;
}

export const damage = fc.array(
  fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(...Buffer.from('\r\n-"\\{}[];=:C0123 ')), fc.integer({ min: 0, max: 255 })),
    how: fc.constantFrom('set' as const, 'drop' as const, 'add' as const),
  }),
  { minLength: 1, maxLength: 3 },
);

/** What an event is made of, in any order, under a length that may be anything. */
const shuffledPart = fc
  .tuple(
    fc.array(
      fc.constantFrom(
        ...['Code=A', 'Code=', 'Code=A;action=Start', ';action=Start', ';action=Start;index=0', ';index=1', ';data=', ';x=y', 'A', ';'],
        ...['\n', '\n', '\r\n', '\n\n', '\r', ' ', '--myboundary\n', '-- myboundary--\r\n', '--myboundary', '--', 'Heartbeat'],
        ...['{', '}', '{"a":', '"b"', '"', '\\', '[', ']', '{}', '1', 'Content-Length:', '12\r\n', '\u00e9'],
      ),
      { maxLength: 14, size: 'max' },
    ),
    soundFraming,
    fc.option(fc.nat(70), { nil: null }),
  )
  .map(([pieces, framing, length]) => part(pieces.join(''), { ...framing, length }));

const segment = fc.oneof(
  { weight: 4, arbitrary: soundPart.map(({ bytes }) => bytes) },
  { weight: 3, arbitrary: fc.tuple(fc.oneof(soundPart.map(({ bytes }) => bytes), wrongPart), damage).map(([bytes, d]) => corrupt(bytes, d)) },
  { weight: 3, arbitrary: wrongPart },
  { weight: 4, arbitrary: shuffledPart },
  { weight: 1, arbitrary: imagePart },
  { weight: 6, arbitrary: fragment },
  { weight: 1, arbitrary: garbage },
);

/** Any bytes: sound parts, damaged ones, wrong lengths, fragments and garbage in any order. */
export const anyStream: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(segment, { maxLength: 12, size: 'max' }) },
    { weight: 2, arbitrary: fc.array(fragment, { maxLength: 30, size: 'max' }) },
  )
  .map((segments) => Buffer.concat(segments));

export const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 400 })), {
  minLength: 1,
  maxLength: 6,
});
