import { styledJson, type DahuaObject } from './styled-json';

/** What happened, before it is put on the wire. */
export interface DahuaEvent {
  code: string;
  action: string;
  /** 0-based channel, or alarm input for AlarmLocal (facts A1). Left out: no `index` field (facts A3, VTO). */
  index?: number;
  /** An object is printed as the devices print JSON; a Buffer follows `data=` as it is (truncated JSON, other charsets). */
  data?: DahuaObject | Buffer;
}

export const HEARTBEAT = Buffer.from('Heartbeat');

/** `Code=..;action=..;index=..;data={..}` with LF inside the JSON and none at the end (facts A3). */
export function eventBody(event: DahuaEvent): Buffer {
  const index = event.index === undefined ? '' : `;index=${event.index}`;
  const head = `Code=${event.code};action=${event.action}${index}`;
  if (event.data === undefined) return Buffer.from(head);
  if (Buffer.isBuffer(event.data)) return Buffer.concat([Buffer.from(`${head};data=`), event.data]);
  return Buffer.from(`${head};data=${styledJson(event.data)}`);
}

interface Shape {
  boundaryPrefix: '--' | '-- ';
  /** Text before the number; null: no such line. */
  length: 'Content-Length:' | 'Content-Length: ' | null;
  heartbeatLength?: 'Content-Length:';
  /** Added to the true length of an event; heartbeats are always right. */
  lengthError: number;
  blankLine: 'always' | 'events' | 'never';
  jsonNewline: '\n' | '\r\n';
  /** The LF after the last `}` is there and counted. */
  lastNewline: boolean;
  /** Before an event part. */
  before: string;
  after: string;
  heartbeatBefore: string;
  heartbeatAfter: string;
}

const modern: Shape = {
  boundaryPrefix: '--',
  length: 'Content-Length:',
  lengthError: 0,
  blankLine: 'always',
  jsonNewline: '\n',
  lastNewline: true,
  before: '',
  after: '\r\n\r\n',
  heartbeatBefore: '\r\n',
  heartbeatAfter: '\r\n',
};
const old: Shape = { ...modern, blankLine: 'never', heartbeatBefore: '', heartbeatAfter: '\r\n\r\n' };

const SHAPES = {
  /** 2018 and later: `Content-Length:127` counts LF newlines and the one after the last `}`; CRLF CRLF after an event. */
  modern,
  /** The same with a blank after the colon. */
  'modern-spaced': { ...modern, length: 'Content-Length: ' },
  /** CRLF inside the JSON, counted; the CRLF after the part is not. */
  'crlf-json': {
    ...modern, length: 'Content-Length: ', jsonNewline: '\r\n', lastNewline: false, after: '\r\n', heartbeatBefore: '',
  },
  /** 2016: no blank line between headers and body. */
  noblank: old,
  /** 2016 and AMDV7208M: `-- myboundary`, no blank line either. */
  'spaced-boundary': { ...old, boundaryPrefix: '-- ' },
  /** DH-SD42A212TN-HNI: heartbeats without blank line, events with. */
  mixed: { ...modern, length: 'Content-Length: ', heartbeatLength: 'Content-Length:', blankLine: 'events', heartbeatBefore: '' },
  /** Thermal channel of DHI-TPC-BF1241: no Content-Length at all. */
  'no-length': { ...modern, length: null, after: '\r\n', heartbeatBefore: '' },
  /** Reaches into the next part. */
  'length-too-long': { ...modern, length: 'Content-Length: ', lengthError: 40 },
  /** Ends inside the index or the JSON. */
  'length-too-short': { ...modern, length: 'Content-Length: ', lengthError: -5 },
  /** The vendor's printed sample: no blank line, 39 for a body of 37, 9 for the heartbeat. */
  'vendor-doc': { ...old, length: 'Content-Length: ', lengthError: 2 },
  /** A status line in the middle of the stream. */
  'stray-status-line': { ...modern, before: 'HTTP/1.1 200 OK\r\n' },
  /** Several `Code=` lines in one part; see `frameAll`. */
  'several-per-part': modern,
  /** Lines alone, no parts. */
  unframed: modern,
  /** Nothing between a body and the next boundary: only the length tells. */
  'no-crlf-after': { ...modern, after: '', heartbeatBefore: '', heartbeatAfter: '' },
} satisfies Record<string, Shape>;

/** The wire framings of facts A2; what each one is stands beside it in `SHAPES`. */
export type FramingStyle = keyof typeof SHAPES;
export const FRAMING_STYLES = Object.keys(SHAPES) as FramingStyle[];

/** One part: a body of `eventBody`, or `HEARTBEAT`, as the style sends it. */
export function frame(body: Buffer, style: FramingStyle, boundary = 'myboundary'): Buffer {
  const shape: Shape = SHAPES[style];
  const heartbeat = body.equals(HEARTBEAT);
  const payload = heartbeat ? body : withNewlines(body, shape);
  if (style === 'unframed') return Buffer.concat([payload, Buffer.from('\r\n')]);

  let head = `${heartbeat ? shape.heartbeatBefore : shape.before}${shape.boundaryPrefix}${boundary}\r\nContent-Type: text/plain\r\n`;
  const lengthName = (heartbeat ? shape.heartbeatLength : undefined) ?? shape.length;
  if (lengthName !== null) head += `${lengthName}${payload.length + (heartbeat ? 0 : shape.lengthError)}\r\n`;
  if (shape.blankLine === 'always' || (shape.blankLine === 'events' && !heartbeat)) head += '\r\n';
  return Buffer.concat([Buffer.from(head), payload, Buffer.from(heartbeat ? shape.heartbeatAfter : shape.after)]);
}

/** Several bodies: one part for all of them in the style `several-per-part`, a part each in every other. */
export function frameAll(bodies: readonly Buffer[], style: FramingStyle, boundary?: string): Buffer {
  if (style !== 'several-per-part') return Buffer.concat(bodies.map((body) => frame(body, style, boundary)));
  const newline = Buffer.from('\r\n');
  const joined = bodies.flatMap((body, position) => (position === 0 ? [body] : [newline, body]));
  return frame(Buffer.concat(joined), style, boundary);
}

function withNewlines(body: Buffer, shape: Shape): Buffer {
  let text = body.toString('latin1');
  if (shape.jsonNewline !== '\n') text = text.replaceAll('\n', shape.jsonNewline);
  if (shape.lastNewline && text.endsWith('}')) text += '\n';
  return Buffer.from(text, 'latin1');
}
